"""``logbraid scrub``: a filter that takes the secrets out of other people's logs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from logbraid.cli import options
from logbraid.cli.notices import complain
from logbraid.cli.options import bad_input
from logbraid.cli.output import is_terminal, standard_output
from logbraid.cli.viewing import incoming
from logbraid.plain.quick import INT_MAX, INT_MIN

if TYPE_CHECKING:
    from logbraid.scrub import Scrubber

_LONGEST_BLOCK: Final = 1 << 16
_BEGIN: Final = b"-----BEGIN "
_END: Final = b"-----END "
_AROUND: Final = 1 << 15
_MOST_HELD: Final = 1 << 26
_CANDIDATES: Final = 8
_is_of_a_key = re.compile(  # base64, also behind a prefix; an armour's header; nothing
    rb"(?:.*\s)?(?:[A-Za-z0-9+/=]{16,}|[A-Za-z0-9+/]+=+)\s*|[A-Za-z0-9+/=]*\s*"
    rb"|(?:Proc-Type|DEK-Info|Comment|Version): .*",
    re.DOTALL,
).fullmatch
_between = re.compile(rb"[\s,;&|]")


def scrub(
    personal_data: options.PersonalData = False,
    key: options.Keys = None,
    summary: options.Summary = False,
) -> None:
    """Copy standard input to standard output, line by line, without its secrets.

    \b
    kubectl logs web | logbraid scrub > shareable.log
    logbraid scrub --summary < app.log | less
    tail -f app.log | logbraid scrub --personal-data --key 'customer pin'

    JSON lines and any other text. A line without a secret leaves as it came, byte for byte; in
    others each is replaced by [REDACTED:kind]. No line is dropped; a key of several lines becomes
    one.
    """
    if is_terminal(sys.stdin):
        raise bad_input("scrub reads standard input: try 'logbraid scrub < app.log'")
    from logbraid.scrub import Scrubber  # noqa: PLC0415 - 200 ms that only this command pays
    from logbraid.settings import ScrubRules  # noqa: PLC0415 - likewise

    rules = ScrubRules(extra_keys=tuple(key or ()), personal_data=personal_data)
    cleaner = Cleaner(Scrubber(rules))
    out = standard_output()
    for lines in incoming(keep_ends=True, cut=cleaner.seam):
        for text in cleaner.texts(lines):
            out.write(text)
        out.flush()
    for text in cleaner.rest():
        out.write(text)
    out.flush()
    if summary:
        told = ", ".join(f"{kind} {number}" for kind, number in sorted(cleaner.counts.items()))
        complain(f"redacted: {told or 'nothing'}")


class Cleaner:
    """Scrubs lines as they come; those of a PEM block together, or no rule would know them."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._block: list[bytes] = []
        self._held = 0
        self.counts: dict[str, int] = {}

    def texts(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what *lines*, each with its end, are without their secrets."""
        for line in lines:
            if self._block and _END not in line and not _is_of_a_key(line):
                yield from self.rest()  # its key was cut off: what follows is other people's
            if self._block or (_BEGIN in line and _END not in line[line.rfind(_BEGIN) :]):
                self._block.append(line)
                self._held += len(line)
                if _END in line or self._held > _LONGEST_BLOCK:
                    yield from self.rest()
            else:
                yield self.text(line)

    def seam(self, text: bytes) -> int:
        """Return where a line too long to be scrubbed at once may be cut, 0 if nowhere yet.

        It may where both sides scrubbed alone are what they are together, 32 KiB of each looked
        at. A line of 64 MiB without such a place is cut all the same.
        """
        last = len(text) - _AROUND
        for number in range(1, _CANDIDATES + 1):
            found = _between.search(text, last - number * _AROUND, last)
            if found and self._may_cut(text[found.end() - _AROUND : found.end() + _AROUND]):
                return found.end()
        return last if len(text) >= _MOST_HELD else 0

    def _may_cut(self, around: bytes) -> bool:
        whole, left, right = (
            self._scrubber.scrub_text(part.decode("utf-8", "surrogateescape"), {})
            for part in (around, around[:_AROUND], around[_AROUND:])
        )
        return left + right == whole

    def rest(self) -> Iterator[bytes]:
        """Yield what is held back: a block that has its end, or never got one."""
        if self._block:
            text = b"".join(self._block)
            self._block.clear()
            self._held = 0
            yield self.text(text)

    def text(self, text: bytes) -> bytes:
        """Return *text* without its secrets; itself if there are none."""
        body = text.rstrip(b"\r\n")
        end = text[len(body) :]
        record = _record(body)
        counts: dict[str, int] = {}
        if record is not None:
            clean = self._scrubber.scrub_fields(record, counts)
            if clean is record:
                return text
            scrubbed = json.dumps(clean, ensure_ascii=False, separators=(",", ":")).encode(
                "utf-8", "surrogatepass"
            )
        else:
            known = body.decode("utf-8", "surrogateescape")
            told = self._scrubber.scrub_text(known, counts)
            if told == known:
                return text
            scrubbed = told.encode("utf-8", "surrogateescape")
        for kind, number in counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + number
        return scrubbed + end


def _record(line: bytes) -> dict[str, Any] | None:
    """Return the object in *line* if all of it can be written again as it was."""
    if not line.startswith(b"{"):
        return None
    try:
        record = json.loads(
            line,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_refused,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _whole(text: str) -> int:
    if len(text) > 20 or not INT_MIN <= int(text) <= INT_MAX:
        raise ValueError("more digits than a record holds: scrubbed as text")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number that no float holds: scrubbed as text")
    return number


def _refused(text: str) -> Any:
    raise ValueError(f"{text} is not JSON: scrubbed as text")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a name stands twice: scrubbed as text")
    return record
