"""One walk that checks, scrubs and copies an ordinary tree: what the fast path does to containers.

Ordinary is what JSON holds, in few leaves, not deep, every text within its limit before and after.
Whatever else it meets makes it raise, and the long way starts from the record. What it returns is
what ``Normaliser``, ``Walker`` and the cutting would make of the tree; a property test holds them
equal. It is always a copy: what a thread puts into the caller's tree meanwhile is not written.

Not here: what a name says (``keys.py``), what a text hides, what neighbours tell.
"""

from __future__ import annotations

from typing import Any, Final

from logbraid.plain.quick import INT_MAX, INT_MIN, GiveUpError, quick_dict, quick_list
from logbraid.plain.texts import MAX_KEY_CHARS, clean
from logbraid.record import Plain
from logbraid.scrub import inside, keys, neighbours
from logbraid.scrub.embedded import LEVELS
from logbraid.scrub.gates import is_any_secret, is_mixed_word
from logbraid.scrub.keys import Verdict
from logbraid.scrub.spans import redacted
from logbraid.scrub.tree import Walker
from logbraid.truncate import all_short

MAX_DEPTH: Final = 5
_MAX_NAMES: Final = 4096
_MAX_NAME: Final = 128
_WALKED: Final = frozenset((keys.AUTH_PAIR, keys.CARD, keys.DSN, keys.RANDOM, keys.SHAPED))
"""Gates that only a text can pass: containers under such a name are walked like any other."""

_Said = tuple[Verdict, str]
"""What a name says, and the marker of its kind if any word of letters and digits is a secret."""


class OrdinaryWalk:
    """Walks ordinary trees with the rules and the memory of one Walker.

    *most* is the limit of a text, *names* maps names to themselves that the normaliser leaves as
    they are. ``room`` is a list of two numbers in each call: the leaves that may still come, and
    the characters that may still be searched.
    """

    __slots__ = ("_clean", "_clean_rows", "_looks_clean", "_most", "_names", "_said", "_walker")

    def __init__(self, walker: Walker, names: dict[str, str], most: int) -> None:
        self._walker = walker
        self._names = names
        self._most = most
        self._said: dict[str, _Said | None] = {}
        self._clean = walker.clean_texts
        self._clean_rows = walker.clean_rows
        self._looks_clean = walker.looks_clean

    def fields(  # noqa: C901, PLR0912 - one branch per type, no call for a leaf
        self, tree: dict[Any, Any], depth: int, room: list[int], counts: dict[str, int]
    ) -> Plain:
        """Return a scrubbed copy of a dict that stands at *depth*."""
        room[0] -= len(tree)
        if depth > MAX_DEPTH or room[0] < 0:
            raise GiveUpError
        all_said, clean_texts, most = self._said, self._clean, self._most
        made: dict[str, Plain] = {}
        for name, value in tree.items():
            try:
                said = all_said[name]
            except KeyError:
                said = self._judge(name)
            kind = type(value)
            if said is not None:
                value = self._named(said, value, tree, depth, room, counts)  # noqa: PLW2901 - scrubbed
            elif kind is str:
                if len(value) > most:
                    raise GiveUpError
                if value not in clean_texts and not self._looks_clean(value):
                    value = self.text(value, room, counts)  # noqa: PLW2901 - as above
            elif kind is int:
                if not INT_MIN <= value <= INT_MAX:
                    raise GiveUpError
            elif kind is dict:
                value = self.fields(value, depth + 1, room, counts)  # noqa: PLW2901 - as above
            elif kind is list:
                value = self.items(value, depth + 1, room, counts)  # noqa: PLW2901 - as above
            elif kind is float:
                if value - value != 0.0:  # not finite
                    raise GiveUpError
            elif value is not None and kind is not bool:
                raise GiveUpError
            made[name] = value
        return made

    def items(  # noqa: C901, PLR0912 - as above
        self, items: list[Any], depth: int, room: list[int], counts: dict[str, int]
    ) -> Plain:
        """Return a scrubbed copy of a list that stands at *depth*."""
        room[0] -= len(items)
        if depth > MAX_DEPTH or room[0] < 0:
            raise GiveUpError
        given = [*items]
        if given and type(given[0]) is list and any(map(self._is_named_pair, given)):
            return self._whole(None, given, {}, depth, room, counts)
        clean_texts, most = self._clean, self._most
        made: list[Plain] = []
        texts = options = 0
        for value in given:
            kind = type(value)
            if kind is str:
                if len(value) > most:
                    raise GiveUpError
                texts += 1
                if value[:1] == "-":
                    options += 1
                if value not in clean_texts and not self._looks_clean(value):
                    value = self.text(value, room, counts)  # noqa: PLW2901 - scrubbed
            elif kind is int:
                if not INT_MIN <= value <= INT_MAX:
                    raise GiveUpError
            elif kind is dict:
                value = self.fields(value, depth + 1, room, counts)  # noqa: PLW2901 - as above
            elif kind is list and type(given[0]) is list:
                value = self.items(value, depth + 1, room, counts)  # noqa: PLW2901 - as above
            elif kind is float:
                if value - value != 0.0:  # not finite
                    raise GiveUpError
            elif value is not None and kind is not bool:
                raise GiveUpError  # also a list behind other things: it may be a pair
            made.append(value)
        if texts > 1 and texts == len(given) and tuple(given) not in self._clean_rows:
            return self._row(made, given, options, counts)
        return made

    def text(self, text: str, room: list[int], counts: dict[str, int]) -> str:
        """Return *text*, which is within its limit and not clean at a glance, scrubbed."""
        room[1] -= len(text)
        if room[1] < 0:
            raise GiveUpError
        return self._fitting(text, self._walker.search(text, counts, LEVELS))

    # -- what is rare ----------------------------------------------------------------------

    def _judge(self, name: Any) -> _Said | None:
        """Return what *name* says, and remember it; a name that has to change is not ordinary."""
        walker = self._walker
        if type(name) is not str or not 0 < len(name) <= MAX_KEY_CHARS or clean(name) is not name:
            raise GiveUpError
        said = None
        if not walker.name_is_plain(name):
            if not walker.text_is_clean(name) or walker.scan(name, {}, 1) is not name:
                raise GiveUpError
            verdict = walker.verdict(name)
            if verdict is not None:
                said = (verdict, redacted(verdict.kind) if is_any_secret(verdict) else "")
        if len(name) <= _MAX_NAME:
            if len(self._said) >= _MAX_NAMES:
                self._said.clear()
            self._said[name] = said
        return said

    def _fitting(self, old: str, new: str) -> str:
        """Return *new*, which *old* became, if cleaning before and cutting after change nothing."""
        if new is not old and (len(new) > self._most or clean(old) is not old):
            raise GiveUpError
        return new

    def _named(
        self,
        said: _Said,
        value: Any,
        tree: dict[Any, Any],
        depth: int,
        room: list[int],
        counts: dict[str, int],
    ) -> Plain:
        """Scrub *value*, in *tree* at *depth*, under a name that says something."""
        verdict, mark = said
        kind = type(value)
        if kind is str:
            if mark:
                if is_mixed_word(value):
                    counts[verdict.kind] = counts.get(verdict.kind, 0) + 1
                    return mark
            elif verdict.gate == keys.AUTH and inside.is_bearer(value):
                counts["bearer"] = counts.get("bearer", 0) + 1
                return inside.BEARER
            if len(value) > self._most:
                raise GiveUpError
            return self._fitting(value, self._walker.value(verdict, value, tree, counts))  # type: ignore[arg-type]  # a text stays one
        if kind is int:
            if not INT_MIN <= value <= INT_MAX:
                raise GiveUpError
            return self._walker.value(verdict, value, tree, counts)
        if kind is dict or kind is list:
            return self._below(verdict, value, tree, depth, room, counts)
        if value is None or kind is bool or (kind is float and value - value == 0.0):
            return value  # type: ignore[no-any-return]  # a leaf that JSON holds
        raise GiveUpError

    def _below(
        self,
        verdict: Verdict,
        value: Any,
        tree: dict[Any, Any],
        depth: int,
        room: list[int],
        counts: dict[str, int],
    ) -> Plain:
        """Scrub a container under a name that says something."""
        is_dict = type(value) is dict
        if verdict.gate == keys.SLOT:
            if not is_dict and value and type(value[0]) is list:  # rows of a table
                is_walked = False
            else:
                beside = neighbours.name_beside(self._walker, tree)
                is_walked = beside is None or value is tree.get("name")
        else:
            is_walked = verdict.gate in _WALKED and (is_dict or verdict.gate != keys.AUTH_PAIR)
        if not is_walked:
            return self._whole(verdict, value, tree, depth + 1, room, counts)
        if is_dict:
            return self.fields(value, depth + 1, room, counts)
        return self.items(value, depth + 1, room, counts)

    def _whole(
        self,
        verdict: Verdict | None,
        value: Any,
        tree: dict[Any, Any],
        depth: int,
        room: list[int],
        counts: dict[str, int],
    ) -> Plain:
        """Scrub a container as the long way does: first a copy, then a walk."""
        copy = quick_dict if type(value) is dict else quick_list
        new = self._walker.value(
            verdict, copy(value, self._names, depth, MAX_DEPTH, room), tree, counts
        )
        if not all_short((new,), self._most):
            raise GiveUpError
        return new

    def _is_named_pair(self, item: Any) -> bool:
        """Tell whether *item* is ``[name, value]`` with a name that ``scrub_pairs`` looks at."""
        if type(item) is not list or len(item) != 2 or type(item[0]) is not str:
            return False
        verdict = self._walker.verdict(item[0])
        return verdict is not None and verdict.gate != keys.SLOT

    def _row(
        self, made: list[Plain], given: list[Any], options: int, counts: dict[str, int]
    ) -> list[Plain]:
        """Return a list of texts scrubbed as texts that may belong together."""
        now = self._walker.row(given if made == given else made, given, options, counts)
        if now is not given and now is not made:
            for old, new in zip(given, now, strict=True):
                self._fitting(old, new)  # type: ignore[arg-type]  # a row is texts
        return now
