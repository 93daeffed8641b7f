"""Read the value after a sign: quoted at any depth of escapes, bracketed, or bare.

Knows where a value ends and whether it is one; which names ask for it stands in ``pairs.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from logbraid.scrub import codewords, expressions, gates, inside, keys, lines, placeholders, urls
from logbraid.scrub.keys import Verdict
from logbraid.scrub.spans import Span

_QUOTE: Final = re.compile(r"[bBuUrRfFnNeE@$]{0,2}(\\{0,7})([\"'`])")
_SPACE: Final = re.compile(r"[ \t]{0,64}")
_BARE: Final = re.compile(r"[^\s\"'`<>]{1,4096}+")
_CUT: Final = re.compile(
    r"&(?=[\w.\[\]%+-]{1,64}=|\Z|amp;)|;(?=\s|\Z|[\w ]{1,40}=)|,(?=\s|\Z|[\"'{\[]|"
    r"[\w.-]{1,40}[=:])|"
    r"\\+[nrt](?=[\w\s\"'\\.#-]|\Z)|\\+[\"']|[)\]}]+[,;.]?(?=\s|\Z|[)\]},;])|\|(?=\s|\Z)|"
    r"#(?=[\w-]{1,40}=)|"
    r"\$\{"
)
_LITERAL: Final = re.compile(r"(?:null|None|nil|true|false|True|False|undefined|NaN)(?![\w])")
_NUMBER: Final = re.compile(r"-?\d{1,32}(?![\w.])")
OPENERS: Final = frozenset("{[(")
_STRING: Final = re.compile(r"(\\{0,7})([\"'])")
_BRACED: Final = re.compile(r"\{([^{}\"'\s:,]{4,256})\}(?=;|\Z)")
_CONCAT: Final = re.compile(r"[\"'][ ]{0,4}\+[ ]{0,4}[\"']([^\"'\n]{1,1024})[\"']")
_TUPLE: Final = re.compile(
    r"[(\[][ ]{0,4}[bu]?([\"'])[^\"'\n]{0,128}\1,[ ]{0,4}[bu]?([\"'])([^\"'\n]{1,256})\2"
    r"[ ]{0,4}[)\]]"
)
_ARROW: Final = re.compile(r"[\"'][ ]{0,4}(?:->|=>|\u2192|to)[ ]{0,4}[\"']([^\"'\n]{1,1024})[\"']")
_YAML_TAG: Final = re.compile(r"!{1,2}(?:str|binary|!?python/\w{1,12}|unsafe)[ \t]{1,4}")
_PHP: Final = re.compile(r"string\(\d{1,5}\) ?(?=\")")
_WORDS: Final = re.compile(r"[a-z]{2,12}(?: [a-z]{2,12}){1,23}[.]?(?=\s{0,4}(?:\n|\Z))")
_TYPED: Final = re.compile(
    r"&?(?:'static )?[A-Za-z_][\w.\[\], |<>]{0,48}?[ ]?=[ ]?(?=[bruf]?[\"'`])"
)
_UNQUOTED: Final = re.compile(r"\{[ ]{0,4}\w{1,40}: [\w-]{1,64}[^\n\"'{}]{0,512}\}")
_COOKIE_ALONE: Final = re.compile(
    r"(?=[^\s\d]{0,64}\d)(?=[^\sA-Za-z]{0,64}[A-Za-z])[\w.%+/~-]{8,4096}+(?=[\s&,])"
)
"""The value of a field, with other fields behind it; a header has ``name=value`` here."""
_MAX_CONTAINER: Final = 8192
Lookup = Callable[[str], Verdict | None]


def closing(text: str, first: int, slashes: int, mark: str, limit: int) -> int:
    """Return where the string ends that was opened by *slashes* backslashes and *mark*."""
    at = text.find(mark, first, first + limit)
    while at >= 0:
        before = at
        while before > first and text[before - 1] == "\\":
            before -= 1
        count = at - before
        if count < slashes or count % (2 * (slashes + 1)) == slashes:
            return at - min(slashes, count)
        at = text.find(mark, at + 1, first + limit)
    return -1


def after_blanks(text: str, at: int) -> int:
    """Return where the blanks that begin at *at* end."""
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at


def opening_quote(text: str, at: int) -> re.Match[str] | None:
    """Return the match of a quote at *at*, with its backslashes (1) and the quote itself (2)."""
    return _QUOTE.match(text, at)


class ValueReader:
    """Reads the values of one text into *spans*."""

    __slots__ = ("lookup", "marks", "narrow", "spans", "text", "unclosed")

    def __init__(self, text: str, marks: bytes, lookup: Lookup, spans: list[Span]) -> None:
        self.text = text
        self.marks = marks
        self.narrow = text.isascii()
        self.lookup = lookup
        self.spans = spans
        self.unclosed = 0  # before it stands a bracket that nothing closes

    def read(self, name: str, start: int, at: int, verdict: Verdict) -> int:
        """Read the value after the sign at *at*, redact it if it is one, return where to go on."""
        text = self.text
        first = at + 1
        sign = text[at]
        while first < len(text) and text[first] in "=:>~*" and first - at < 4:
            first += 1
        first = after_blanks(text, first)
        tag = _YAML_TAG.match(text, first)
        if tag is not None:
            first = tag.end()
        if sign == ":" and text.startswith("//", first):
            return at + 1
        if sign == ":" and text.startswith(("|", ">"), first):
            stop = text.find("\n", first, first + 5)
            return self._block(start, stop, verdict) if stop >= 0 else first + 1
        if text.startswith(("\n", "\r"), first):
            in_code = sign == ":" and expressions.heads_statement(text, start)
            return first if in_code else self._block(start, first, verdict)
        php = _PHP.match(text, first)
        if php is not None:
            first = php.end()
        quote = _QUOTE.match(text, first)
        if quote is not None:
            if start and text[start - 1] == quote.group(2) and quote.group(2) not in text[start:at]:
                return first  # the quote that was opened before the name ends here
            return self._quoted(quote, verdict)
        return self._open(name, start, at, first, verdict)

    def _open(self, name: str, start: int, at: int, first: int, verdict: Verdict) -> int:
        text = self.text
        braced = _BRACED.match(text, first) if text[at] == "=" else None
        if braced is not None and verdict.gate != keys.COOKIE:
            self.redact(braced.start(1), braced.end(1), verdict, quoted=False)
            return braced.end()
        if text[first : first + 1] in OPENERS and not text.startswith(("{{", "(("), first):
            end = self._opened(first, verdict, at)
            if end >= 0:
                return end
        if at > 0 and text[at - 1] in "\"'":
            literal = self._literal(at, first, verdict)
            if literal >= 0:
                return literal
        if verdict.gate in (keys.AUTH, keys.COOKIE, keys.SET_COOKIE):
            if expressions.assigns_code(text, at, first, self.lookup):
                return first
            stop = lines.header_end(text, start, first)
            alone = _COOKIE_ALONE.match(text, first, stop) if verdict.gate != keys.AUTH else None
            if alone is not None:
                stop = alone.end()
            if stop > first:
                self.redact(first, stop, verdict, quoted=False)
            return max(stop, first)
        return self._bare(name, start, at, first, verdict)

    def _block(self, start: int, stop: int, verdict: Verdict) -> int:
        for first, end in lines.block(self.text, start, stop, verdict):
            self.redact(first, end, verdict, quoted=True)
        return stop + 1

    def _literal(self, at: int, first: int, verdict: Verdict) -> int:
        """Read a number or a constant after a quoted name; -1 if there is none.

        In JSON a number that becomes text needs its quotes, as deep as the name's own.
        """
        text = self.text
        constant = _LITERAL.match(text, first)
        if constant is not None:
            return constant.end()
        number = _NUMBER.match(text, first)
        if number is None:
            return -1
        if verdict.gate == keys.NUMBERS_TOO and gates.is_secret_number(
            number.group(), verdict.kind
        ):
            mark = text[at - 1]
            before = at - 1
            while before > 0 and text[before - 1] == "\\":
                before -= 1
            wrap = text[before : at - 1] + mark
            self.spans.append(Span(first, number.end(), verdict.kind, wrap))
        return number.end()

    def _quoted(self, quote: re.Match[str], verdict: Verdict) -> int:
        first = quote.end()
        close = closing(self.text, first, len(quote.group(1)), quote.group(2), len(self.text))
        if expressions.is_template(self.text, quote, close, verdict):
            return max(close, first)
        if verdict.kind == "token" and expressions.is_compared(self.text, quote, close):
            return close + 1  # a parser asks: token == "rbracket"
        if close == first and self.text.startswith(":", close + len(quote.group(2))):
            return close + 2  # if password == '': the name is not asked again
        if close < 0:
            close = len(self.text)
        self.redact(first, close, verdict, quoted=True)
        arrow = _ARROW.match(self.text, close) or _CONCAT.match(self.text, close)
        if arrow is not None:
            self.redact(arrow.start(1), arrow.end(1), verdict, quoted=True)
        return max(close, first)

    def _opened(self, first: int, verdict: Verdict, sign: int) -> int:
        """Read what a bracket opens; return where to look on.

        -1: it is rather a word that begins with a bracket. Only what was redacted to its end is
        passed over, for the bracket of ``pw: (x9`` may be closed pages later or never.
        """
        text = self.text
        if first >= self.unclosed:
            before = len(self.spans)
            end = self._container(first, verdict, sign)
            if end <= sign + 1:
                return end
            is_closed = end < len(text) and text[end] in "}])"
            if not is_closed:
                self.unclosed = end
            if len(self.spans) > before:
                return end if is_closed else sign + 1
            if is_closed and text.find("\n", first, end) < 0:
                return sign + 1
        return -1 if text[first + 1 : first + 2].isalnum() else sign + 1

    def _container(  # noqa: C901 - a reader of brackets and strings, one branch each
        self, first: int, verdict: Verdict, sign: int
    ) -> int:
        """Redact each text below a secret name: ``"secrets": {"a": "x", "b": ["y"]}``."""
        text = self.text
        if verdict.gate == keys.AUTH_PAIR:
            pair = _TUPLE.match(text, first)
            if pair is not None and not placeholders.is_masked(pair.group(3)):
                self.spans.append(Span(pair.start(3), pair.end(3), "password"))
                return pair.end()
        if verdict.gate in (keys.AUTH_PAIR, keys.CARD, keys.DSN, keys.RANDOM, keys.SHAPED):
            return sign + 1
        depth = 0
        at = first
        end = min(len(text), first + _MAX_CONTAINER)
        if _UNQUOTED.match(text, first):
            return sign + 1  # its own names say more: {username: bob, password: x}
        while at < end:
            char = text[at]
            if char in "{[(":
                depth += 1
            elif char in "}])":
                depth -= 1
                if depth <= 0:
                    return at
            elif char in "\"'\\":
                quote = _STRING.match(text, at)
                if quote is not None:
                    close = closing(text, quote.end(), len(quote.group(1)), quote.group(2), end)
                    if close < 0:
                        close = len(text)
                    after = close + len(quote.group())
                    if not text[after : after + 8].lstrip().startswith(":"):
                        self.redact(quote.end(), close, verdict, quoted=True)
                    at = after
                    continue
            at += 1
        return at

    def _bare(  # noqa: PLR0911 - one exit for each way a value may end
        self, name: str, start: int, at: int, first: int, verdict: Verdict
    ) -> int:
        """Read a value without quotes: to where its surroundings end it."""
        text = self.text
        found = _BARE.match(text, first)
        if found is None:
            return at + 1
        cut = _CUT.search(text, first, found.end())
        end = cut.start() if cut is not None else found.end()
        end = first + len(text[first:end].rstrip(".,;:!?)*"))
        if end <= first:
            return at + 1
        typed = _TYPED.match(text, first) if text[at] == ":" else None
        quote = _QUOTE.match(text, typed.end()) if typed is not None else None
        if quote is not None:
            return self._quoted(quote, verdict)
        phrase = _WORDS.match(text, first)
        if phrase is not None and verdict.kind in {"password", "seed_phrase"}:
            self.redact(first, phrase.end(), verdict, quoted=True)
            return phrase.end()
        whole = lines.rest_of_line(text, start, first, end)
        if name.startswith(expressions.OWN):
            whole = end
        if whole > end and not codewords.is_code(text[first:whole]):
            self.redact(first, whole, verdict, quoted=True)
            return whole
        if text.startswith(" / ", end):
            second = _BARE.match(text, end + 3)
            end = second.end() if second is not None else end
        place = expressions.Place(text, name, at, first, end, self.lookup)
        if end - first < 2 or place.is_code(found.end()):
            return end
        if text[at] == ":" and place.is_said(verdict):
            return end
        self.redact(first, end, verdict, quoted=False)
        return end

    def redact(self, first: int, end: int, verdict: Verdict, *, quoted: bool) -> None:
        """Redact ``text[first:end]``, or the secret part of it, if it is one."""
        text = self.text
        if end <= first:
            return
        gate = verdict.gate
        if gate == keys.AUTH:
            inside.find_authorization(text, first, end, self.spans)
        elif gate in (keys.COOKIE, keys.SET_COOKIE):
            inside.find_cookies(text, first, end, self.spans, response=gate == keys.SET_COOKIE)
        elif gate == keys.DSN:
            self._dsn(first, end, quoted=quoted)
        elif gates.is_secret(text[first:end], verdict):
            self.spans.append(Span(first, end, verdict.kind))

    def _dsn(self, first: int, end: int, *, quoted: bool) -> None:
        part = self.text[first:end]
        if (
            not quoted
            or inside.is_harmless_dsn(part)
            or placeholders.is_placeholder(part)
            or placeholders.is_status(part)
        ):
            return
        found: list[Span] = []
        urls.find_userinfo(part, found)
        if not found:
            self.spans.append(Span(first, end, "dsn"))
