"""``name = value`` and ``name: value`` in text of any make, found at the sign between them.

At each ``=`` and ``:`` the name is read backwards; only a secret name makes the value be read
forwards: quoted (at any depth of escapes), bracketed, or bare to where its surroundings end it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from logbraid.scrub import gates, keys, placeholders
from logbraid.scrub.keys import Verdict
from logbraid.scrub.quiet import (
    LINK_NAMES,
    NAMES,
    NAMING,
    QUIET,
    has_tail,
    is_session,
    last_word,
    speaks_abroad,
)
from logbraid.scrub.reading import (
    OPENERS,
    Lookup,
    ValueReader,
    after_blanks,
    closing,
    opening_quote,
)
from logbraid.scrub.spans import Span

__all__ = ["Lookup", "PairFinder"]

_LONG_WORD: Final = 31
_WORD_END: Final = re.compile(r"\w[\w-]{0,30}\Z")
_LINKING: Final = frozenset(
    "is ist est es now lautet set to changed reset updated was are \u00e9 \u00e8 auf".split()
)
_ABOVE: Final = re.compile(r"(?:\A|\n)([\w.]{1,64})\n[ \t]{1,8}[^\n]{0,160}\Z")
_VALUE_AFTER: Final = re.compile(
    r"[\s,;]{0,16}(?:[\w:-]{1,24}=[\"'][^\"']{0,64}[\"'][\s,]{1,8}){0,3}"
    r"\\{0,7}[\"']?(?:value|val|Value|ParameterValue|data|content|v)\\{0,7}[\"']?\s{0,8}[:=]\s{0,8}"
)
_BARE_NAME: Final = re.compile(r"([A-Za-z_][\w.-]{1,63})(?=[ \t]{0,8}[\r\n,])")
_FORM: Final = re.compile(r"[\w.~%+/-]{20,1024}&[\w.-]{1,40}=")
_LONG: Final = re.compile(r"[^\s\"',;&]{20}")
_MULTIPART: Final = re.compile(
    r"[^\r\n]{0,128}(?:\r?\n[^\r\n]{1,128}){0,3}\r?\n\r?\n([^\r\n]{1,4096})"
)
_CODE: Final = Verdict("url_secret", keys.RANDOM)
_SIGNATURE: Final = Verdict("signature", keys.SHAPED)
_SESSION: Final = Verdict("cookie", keys.SHAPED)
_READS: Final = 8
_CHARS_A_READ: Final = 400
"""So many values are read closely, and one more for so many characters; all more in haste."""
_HASTY: Final = re.compile(
    r"[=:>~*]{0,3}[ \t]{0,16}(?:[|>]?-?\r?\n[ \t]{1,16}(?:-[ ])?(?![\w.-]{1,64}:))?"
    r"(?:(?:Bearer|Basic|Token)[ ]{1,4})?"
    r"(?:\\{0,7}(?:\"([^\"\\\n]{1,4096}+)|'([^'\\\n]{1,4096}+)|`([^`\\\n]{1,4096}+))|"
    r"([^\s\"'`<>,;&]{2,4096}+))"
)
_UNQUOTED: Final = 4
_HASTY_LINE: Final = re.compile(r"[ \t]{0,16}[\"'`]?([^\"'`\r\n]{2,4096}+)")
_HIDING: Final = "#" * 12
_HIDDEN: Final = re.compile(r"[\s\"'`\\]{0,8}#{12}")
"""What was redacted before: a marker has so many characters at least."""
_NEAR: Final = 60
"""So far before a name the other words of it may stand."""
_FILLING: Final = "\u2060"
_BLANKS: Final = 24
_LONGEST: Final = 66
"""So far before a sign a word is read; a longer one is looked at."""
_NO_WORD: Final = ("",)
_SHORT: Final = 20
_SIGN: Final = ord("=")
_BEFORE_SIGN: Final = " \t\"'\\])*`:=+?!~>"


_NAME_SIGNS: Final = "_-.~+/%\\\u200b\u200c\u200d\u2060\ufeff\u00ad"


def _words_before(near: str) -> list[str]:
    """Return up to five words that stand at the end of *near*, one blank behind each."""
    parts = near.replace(_FILLING, "").split(" ")
    if parts.pop():
        return []
    found: list[str] = []
    while parts and len(found) < 5:
        word = parts.pop()
        if not (word.isalnum() and len(word) < _LONG_WORD):
            last = _WORD_END.search(word)
            if last is not None:
                found.append(last.group())
            if last is None or last.group() != word:
                break
        else:
            found.append(word)
    return found[::-1]


def _in_name(char: str) -> bool:
    """Tell whether *char* belongs to a name; beyond ASCII so do letters of all scripts."""
    return char.isalnum() or char in _NAME_SIGNS


class PairFinder(ValueReader):
    """Reads the pairs of one text into *spans*."""

    __slots__ = ("left", "told")

    def find(self, known: Mapping[str, int]) -> None:
        """Add the values of all secret names to the spans.

        *known* is the quietness of words; the quiet ones are passed over, at a tenth of the time of
        a look around.
        """
        text, signs = self.text, self.marks
        self.told: dict[tuple[str, str], Verdict | None] = {}
        self.left = _READS + len(text) // _CHARS_A_READ
        hides = "#" in text and _HIDING in text
        narrow = self.narrow
        before = -1
        at = signs.find(_SIGN)
        while at >= 0:
            floor = at - _LONGEST
            near = text[floor if floor > before else before + 1 : at].rstrip(_BEFORE_SIGN)
            word = (near.rsplit(None, 1) or _NO_WORD)[-1]
            quiet = known[word]
            if (
                (quiet == QUIET and narrow)
                or at == before + 1
                or (hides and _HIDDEN.match(text, at + 1))
                or (quiet and self._is_quiet(quiet, word, at))
            ):
                before = at
                at = signs.find(_SIGN, at + 1)
                continue
            following = signs.find(_SIGN, max(self._at_sign(at), at + 1))
            before = signs.rfind(_SIGN, at, following) if following >= 0 else at
            at = following

    def _is_quiet(self, quiet: int, word: str, at: int) -> bool:
        """Tell whether nothing is around the word of such a quietness that *word* ends with."""
        text = self.text
        start = text.rfind(last_word(word), 0, at)
        if quiet == NAMES:
            return (
                text[at - 1] in "\"'"
                and start > 0
                and text[start - 1] == text[at - 1]
                and text[at] == ":"
                and self._names_nothing(at + 1)
            )
        if start == 0 or text[start - 1] != " ":
            return True
        return quiet == QUIET and not speaks_abroad(text[max(0, start - _NEAR) : at])

    def _names_nothing(self, at: int) -> bool:
        """Tell whether the value at *at* is a number or a plain text, not a secret's name."""
        text = self.text
        first = at + 1 if text.startswith(" ", at) else at
        quote = text[first : first + 1]
        if not quote or quote not in "\"'":
            return quote.isdigit()
        close = text.find(quote, first + 1, first + _NEAR)
        if close < 0:
            return False
        value = text[first + 1 : close]
        return "\\" not in value and self.lookup(value) is None

    def _value_in_haste(self, at: int, verdict: Verdict) -> int:
        """Redact what stands behind the sign at *at* if it may be a secret; return its end.

        For texts with so many that a close look at each would take too long.
        """
        if verdict.gate == keys.CARD:
            return at + 1
        is_cookie = verdict.gate in (keys.COOKIE, keys.SET_COOKIE)
        first = after_blanks(self.text, at + 1)
        if self.text[first : first + 1] in OPENERS:
            before = len(self.spans)
            end = self._opened(first, verdict, at)
            if len(self.spans) > before:
                return end
        value = _HASTY_LINE.match(self.text, at + 1) if is_cookie else None
        value = value or _HASTY.match(self.text, at + 1)
        if value is None:
            return at + 1
        first, end = value.span(value.lastindex or 0)
        if value.lastindex == _UNQUOTED:
            literal = self._literal(at, first, verdict) if self.text[at - 1] in "\"'" else -1
            if literal >= 0 or placeholders.is_common(self.text[first:end]):
                return max(literal, end)
        if verdict.gate > keys.TEXT:
            verdict = Verdict(verdict.kind, keys.TEXT)
        if gates.is_secret(self.text[first:end], verdict):
            self.spans.append(Span(first, end, verdict.kind))
        elif is_cookie:  # no line of them: what is behind this one may be anything
            return self._value_in_haste(at, verdict)
        return end

    def _at_sign(self, at: int) -> int:
        """Look at the sign at *at*; return where to look on."""
        text = self.text
        if at and (text[at - 1] in "=:" or (text[at - 1] in "<>" and text[at] == "=")):
            return at + 1  # the second of two signs: the first one was looked at
        end = self._end(at)
        start = self._start(max(0, end - 64), end) if end > at - _BLANKS else end
        if end - start < 2:
            return at + 1
        listed = start and text[at] == ":" and not text.startswith(" ", at + 1)
        if listed and (text[start - 1] == ":" or text.startswith("://", start - 3)):
            return at + 1  # a list of parts, as in an ARN, or the user in a URL
        name = text[start:end]
        verdict = self._judge(name, start, at)
        if verdict is None:
            return at + 1
        if self.left <= 0:
            return self._value_in_haste(at, verdict)
        self.left -= 1
        return self.read(name, start, at, verdict)

    def _end(self, at: int) -> int:
        """Return where the name ends that the sign at *at* stands behind."""
        floor = max(0, at - _BLANKS)
        return floor + len(self.text[floor:at].rstrip(_BEFORE_SIGN))

    def _start(self, floor: int, end: int) -> int:
        """Return where the name begins that ends at *end*, not before *floor*."""
        marks, text = self.marks, self.text
        if self.narrow:
            return max(marks.rfind(b" ", floor, end), marks.rfind(b"=", floor, end), floor - 1) + 1
        near = max(floor, end - _SHORT)
        if text[near:end].isascii():
            start = max(marks.rfind(b" ", near, end), marks.rfind(b"=", near, end))
            if start >= 0:
                return start + 1
        start = end
        while start > floor and _in_name(text[start - 1]):
            start -= 1
        return start

    def _judge(  # noqa: PLR0911 - one exit for each place of a name
        self, name: str, start: int, at: int
    ) -> Verdict | None:
        text = self.text
        if text[at] == ":" and self._is_part(name, start, at):
            return None
        if start and name[0] in "nrt" and text[start - 1] == "\\":
            name = name[1:]
        if "%" in name:
            name = unquote(name)
        name = name.lstrip("-+/.")
        verdict = self.lookup(name)
        if verdict is not None and verdict.gate != keys.SLOT:
            return verdict
        if name in NAMING and self._named_value(at + 1):
            return None
        if text[at] == "=" and _LONG.match(text, at + 1) and is_session(name):
            return _SESSION
        if (start and text[start - 1] in "(?&") or name == "input_value":
            return self._by_place(name, start, text[at])
        if name in LINK_NAMES and text[at] == "=" and _FORM.match(text, at + 1):
            return _CODE
        if has_tail(name) or speaks_abroad(text[max(0, start - _NEAR) : at]):
            return self._with_words_before(name, start)
        return None

    def _is_part(self, name: str, start: int, at: int) -> bool:
        """Tell whether the colon belongs to something else: an image's tag, a commit's scope."""
        text = self.text
        if "/" in name.lstrip("/-") and not text.startswith((" ", "\n", '"'), at + 1):
            return True  # ghcr.io/acme/auth:1.2
        before = text[max(0, start - 2) : start]
        if before == "::":
            return True  # AWS::IAM::AccessKey
        if before == "${" and text.startswith("?", at + 1):
            return True  # ${API_KEY:?missing}
        return text[at - 1] == ")" and before[-1:] == "(" and before[:1].isalpha()  # fix(auth): x

    def _with_words_before(self, name: str, start: int) -> Verdict | None:
        """Look up ``API key`` where only ``key`` stands at the sign."""
        near = self.text[max(0, start - _NEAR) : start]
        try:
            return self.told[near, name]
        except KeyError:
            verdict = self.told[near, name] = self._named_in_words(name, _words_before(near))
            return verdict

    def _named_in_words(self, name: str, words: list[str]) -> Verdict | None:
        if not words:
            return None
        while words and name.lower() in _LINKING:
            name = words.pop()
            if name.lower() == "pass":
                return None  # what to pass to :something:
        for first in range(max(0, len(words) - 3), len(words) + 1):
            verdict = self.lookup(" ".join([*words[first:], name]))
            if verdict is not None and verdict.gate not in (keys.SLOT, keys.RANDOM):
                return verdict
        return None

    def _by_place(self, name: str, start: int, sign: str) -> Verdict | None:
        """Judge a name by what stands before it: a validation error, a bracket, a query."""
        text = self.text
        if name == "input_value":
            above = _ABOVE.search(text, max(0, start - 300), start)
            return self.lookup(above.group(1)) if above is not None else None
        if text[start - 1] == "(":
            tight = start > 1 and text[start - 2] != " "
            if tight and (sign == ":" or self.lookup(name) is None):
                return None  # a parameter and its type, an argument
            return self.lookup(text[max(0, start - 33) : start - 1].rstrip().rpartition(" ")[2])
        if name in {"signature", "hmac", "Signature"}:
            return _SIGNATURE
        return _CODE if name in LINK_NAMES else None

    def _named_value(self, at: int) -> bool:
        """Read ``name="password" value="x"``, where the name is itself a value."""
        text = self.text
        at = after_blanks(text, at)
        quote = opening_quote(text, at)
        if quote is None:
            return self._bare_name(at)
        close = closing(text, quote.end(), len(quote.group(1)), quote.group(2), 128)
        if close < 0:
            return False
        verdict = self.lookup(text[quote.end() : close])
        if verdict is None or verdict.gate in (keys.SLOT, keys.CARD):
            return False
        self._value_of_named(at, close + len(quote.group()), verdict)
        return True

    def _bare_name(self, at: int) -> bool:
        """Read YAML's ``name: DB_PASSWORD``, with the value on the next line."""
        found = _BARE_NAME.match(self.text, at)
        if found is None:
            return False
        verdict = self.lookup(found.group(1))
        if verdict is None or verdict.gate in (keys.SLOT, keys.CARD):
            return False
        self._value_of_named(at, found.end(1), verdict)
        return True

    def _value_of_named(self, at: int, after: int, verdict: Verdict) -> None:
        self.left -= 1
        text = self.text
        form = _MULTIPART.match(text, after)
        if form is not None and "form-data" in text[max(0, at - 64) : at]:
            self.redact(form.start(1), form.end(1), verdict, quoted=True)
        elif text.startswith(">", after):
            stop = text.find("<", after, after + 4096)
            if stop > after + 1:
                self.redact(after + 1, stop, verdict, quoted=True)
        else:
            value = _VALUE_AFTER.match(text, after)
            if value is not None and self.left <= 0:
                self._value_in_haste(value.end() - 1, verdict)
            elif value is not None:
                self.read("", value.end(), value.end() - 1, verdict)
