"""``name = value`` and ``name: value`` in text of any make, found at the sign between them.

At each ``=`` and ``:`` the name is read backwards; only a secret name makes the value be read
forwards: quoted (at any depth of escapes), bracketed, or bare to where its surroundings end it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from logbraid.scrub import gates, inside, keys, urls
from logbraid.scrub.keys import Verdict
from logbraid.scrub.spans import Span

_QUOTE: Final = re.compile(r"[bBuUrRfF]{0,2}(\\{0,7})([\"'`])")
_SPACE: Final = re.compile(r"[ \t]{0,64}")
_MULTI: Final = re.compile(r"((?:\w[\w-]{0,30}[ ]){1,3})\Z")
_TAILS: Final = re.compile(
    r"(?i)(?:key|keys|token|secret|code|phrase|password|number|string|api|passe|acceso|acesso|acc[eè]s|"
    r"accesso|secreta|segreta|privada|priv[ée]e|privata|secr[eè]te|schl[uü]ssel|cookie|pin|id|is|ist|est|es|now)\Z"
)
_BARE: Final = re.compile(r"[^\s\"'`<>]{1,4096}+")
_CUT: Final = re.compile(
    r"&(?=[\w.\[\]%+-]{1,64}=|\Z|amp;)|;(?=\s|\Z|[\w ]{1,40}=)|,(?=\s|\Z|[\"'{\[]|[\w.-]{1,40}[=:])|"
    r"\\+[nrt](?=[\w\s\"'\\.#-]|\Z)|\\+[\"']|[)\]}]+[,;.]?(?=\s|\Z|[)\]},;])|\|(?=\s|\Z)|#(?=[\w-]{1,40}=)|"
    r"\$\{"
)
_NEXT_LINE: Final = re.compile(
    r"[ \t]{0,40}(?:- |export |set |#|//)?[ \t]{0,8}[\"']?[\w.\-\[\]]{1,64}[\"']?[ \t]{0,20}[:=]|[ \t]{0,8}[\[#]|\Z"
)
_LITERAL: Final = re.compile(r"(?:null|None|nil|true|false|True|False|undefined|NaN)(?![\w])")
_NUMBER: Final = re.compile(r"-?\d{1,32}(?![\w.])")
_OPENERS: Final = {"{": "}", "[": "]", "(": ")"}
_STRING: Final = re.compile(r"(\\{0,7})([\"'])")
_ABOVE: Final = re.compile(r"(?:\A|\n)([\w.]{1,64})\n[ \t]{1,8}[^\n]{0,160}\Z")
_BRACED: Final = re.compile(r"\{([^{}\"'\s:,]{4,256})\}(?=;|\Z)")
_CONCAT: Final = re.compile(r"[\"'][ ]{0,4}\+[ ]{0,4}[\"']([^\"'\n]{1,1024})[\"']")
_TUPLE: Final = re.compile(
    r"[(\[][ ]{0,4}[bu]?([\"'])[^\"'\n]{0,128}\1,[ ]{0,4}[bu]?([\"'])([^\"'\n]{1,256})\2[ ]{0,4}[)\]]"
)
_ARROW: Final = re.compile(r"[\"'][ ]{0,4}(?:->|=>|\u2192|to)[ ]{0,4}[\"']([^\"'\n]{1,1024})[\"']")
_PHP: Final = re.compile(r"string\(\d{1,5}\) ?(?=\")")
_WORDS: Final = re.compile(r"[a-z]{2,12}(?: [a-z]{2,12}){1,23}[.]?(?=\s{0,4}(?:\n|\Z))")
_MAX_CONTAINER: Final = 8192
_VALUE_AFTER: Final = re.compile(
    r"[\s,;]{0,16}(?:[\w:-]{1,24}=[\"'][^\"']{0,64}[\"'][\s,]{1,8}){0,3}"
    r"\\{0,7}[\"']?(?:value|val|Value|ParameterValue|data|content|v)\\{0,7}[\"']?\s{0,8}[:=]\s{0,8}"
)
_MULTIPART: Final = re.compile(
    r"[^\r\n]{0,128}(?:\r?\n[^\r\n]{1,128}){0,3}\r?\n\r?\n([^\r\n]{1,4096})"
)
_NAMING: Final = frozenset(
    "type|name|key|header|field|variable|param|parameter|k|id|Name|Key|ParameterKey|ParameterName|Header".split(
        "|"
    )
)
_CODE: Final = Verdict("url_secret", keys.RANDOM)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z_]{0,63}\Z")

_BEFORE_SIGN: Final = " \t\"'\\])*`:=+?!~>"
Lookup = Callable[[str], Verdict | None]


class PairFinder:
    """Reads the pairs of one text into *spans*."""

    __slots__ = ("lookup", "marks", "spans", "text")

    def __init__(self, text: str, marks: bytes, lookup: Lookup, spans: list[Span]) -> None:
        self.text = text
        self.marks = marks
        self.lookup = lookup
        self.spans = spans

    def find(self) -> None:
        """Add the values of all secret names to the spans."""
        marks = self.marks
        at = marks.find(b"=")
        while at >= 0:
            at = marks.find(b"=", self._at_sign(at))

    def _at_sign(self, at: int) -> int:
        """Look at the sign at *at*; return where to look on."""
        text = self.text
        end = at
        if at and text[at - 1] in "=:":
            return at + 1  # the second of two signs: the first one was looked at
        while end > 0 and text[end - 1] in _BEFORE_SIGN and at - end < 24:
            end -= 1
        floor = end - 64 if end > 64 else 0
        start = max(self.marks.rfind(b" ", floor, end), self.marks.rfind(b"=", floor, end)) + 1
        start = max(start, floor)
        if end - start < 2:
            return at + 1
        if (
            start
            and text[at] == ":"
            and (text[start - 1] == ":" or text.startswith("://", start - 3))
        ):
            if not text.startswith(" ", at + 1):
                return at + 1  # a list of parts, as in an ARN, or the user in a URL
        name = text[start:end]
        verdict = self._judge(name, start, at)
        if verdict is None:
            return at + 1
        return self._read(name, start, at, verdict)

    def _judge(self, name: str, start: int, at: int) -> Verdict | None:
        text = self.text
        if start and name[0] in "nrt" and text[start - 1] == "\\":
            name = name[1:]
        if "%" in name:
            name = unquote(name)
        name = name.lstrip("-+/.")
        verdict = self.lookup(name)
        if verdict is not None and verdict.gate != keys.SLOT:
            return verdict
        if name == "input_value":
            above = _ABOVE.search(text, max(0, start - 300), start)
            return self.lookup(above.group(1)) if above is not None else None
        if name in _NAMING and self._named_value(at + 1):
            return None
        if start and text[start - 1] == "(":
            return self.lookup(text[max(0, start - 33) : start - 1].rstrip().rpartition(" ")[2])
        if name in {"code", "key", "ticket"} and start and text[start - 1] in "?&":
            return _CODE
        if _TAILS.search(name) or not name.isascii():
            before = _MULTI.search(text, max(0, start - 60), start)
            if before is not None:
                words = before.group(1).split()
                if name.lower() in {"is", "ist", "est", "es", "now"}:
                    name = words.pop() if words else ""
                for first in range(len(words) + 1):
                    longer = self.lookup(" ".join([*words[first:], name]))
                    if longer is not None and longer.gate not in (keys.SLOT, keys.RANDOM):
                        return longer
        return None

    def _named_value(self, at: int) -> bool:
        """``name="password" value="x"``: the name is itself a value."""
        text = self.text
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # matches always
        quote = _QUOTE.match(text, at)
        if quote is None:
            return False
        close = self._closing(quote.end(), len(quote.group(1)), quote.group(2), 128)
        if close < 0:
            return False
        verdict = self.lookup(text[quote.end() : close])
        if verdict is None or verdict.gate in (keys.SLOT, keys.CARD):
            return False
        after = close + len(quote.group())
        form = _MULTIPART.match(text, after)
        if form is not None and "form-data" in text[max(0, at - 64) : at]:
            if gates.is_secret(form.group(1), verdict):
                self.spans.append(Span(form.start(1), form.end(1), verdict.kind))
            return True
        if text.startswith(">", after):
            stop = text.find("<", after, after + 4096)
            if stop > after + 1:
                self._redact(after + 1, stop, verdict, quoted=True)
            return True
        value = _VALUE_AFTER.match(text, after)
        if value is not None:
            self._read("", value.end(), value.end() - 1, verdict)
        return True

    def _read(self, name: str, start: int, at: int, verdict: Verdict) -> int:
        """Read the value after the sign at *at* and redact it if it is one."""
        text = self.text
        first = at + 1
        sign = text[at]
        while first < len(text) and text[first] in "=:>~*" and first - at < 4:
            first += 1
        first = _SPACE.match(text, first).end()  # type: ignore[union-attr]  # matches always
        if sign == ":" and text.startswith("//", first):
            return at + 1
        if text.startswith(("|", ">"), first) and sign == ":":
            return self._block(start, first, verdict)
        if text.startswith("\n", first) or text.startswith("\r", first):
            return self._below(start, first, verdict)
        if text.startswith(gates.MARK, first):
            return first
        php = _PHP.match(text, first)
        if php is not None:
            first = php.end()
        quote = _QUOTE.match(text, first)
        if quote is not None:
            if start and text[start - 1] == quote.group(2) and quote.group(2) not in text[start:at]:
                return first  # the quote that was opened before the name ends here
            return self._quoted(quote, verdict)
        if sign == "=" and verdict.gate != keys.COOKIE:
            braced = _BRACED.match(text, first)
            if braced is not None:
                self._redact(braced.start(1), braced.end(1), verdict, quoted=False)
                return braced.end()
        if (
            first < len(text)
            and text[first] in _OPENERS
            and not text.startswith(("{{", "(("), first)
        ):
            return self._container(first, verdict, at)
        return self._bare(name, start, at, first, verdict)

    def _quoted(self, quote: re.Match[str], verdict: Verdict) -> int:
        first = quote.end()
        close = self._closing(first, len(quote.group(1)), quote.group(2), len(self.text))
        if close < 0:
            close = len(self.text)
        self._redact(first, close, verdict, quoted=True)
        arrow = _ARROW.match(self.text, close) or _CONCAT.match(self.text, close)
        if arrow is not None:
            self._redact(arrow.start(1), arrow.end(1), verdict, quoted=True)
        return max(close, first)

    def _closing(self, first: int, slashes: int, mark: str, limit: int) -> int:
        """Return where the string that was opened by *slashes* backslashes and *mark* ends."""
        text = self.text
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

    def _container(self, first: int, verdict: Verdict, sign: int) -> int:
        """Redact each text below a secret name: ``"secrets": {"a": "x", "b": ["y"]}``."""
        text = self.text
        if verdict.gate == keys.AUTH_PAIR:
            pair = _TUPLE.match(text, first)
            if pair is not None and not gates.is_masked(pair.group(3)):
                self.spans.append(Span(pair.start(3), pair.end(3), "password"))
                return pair.end()
        if verdict.gate in (keys.AUTH_PAIR, keys.CARD, keys.DSN, keys.RANDOM, keys.SHAPED):
            return sign + 1
        depth = 0
        at = first
        end = min(len(text), first + _MAX_CONTAINER)
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
                    close = self._closing(quote.end(), len(quote.group(1)), quote.group(2), end)
                    if close < 0:
                        close = len(text)
                    after = close + len(quote.group())
                    if not text[after : after + 8].lstrip().startswith(":"):
                        self._redact(quote.end(), close, verdict, quoted=True)
                    at = after
                    continue
            at += 1
        return at

    def _bare(self, name: str, start: int, at: int, first: int, verdict: Verdict) -> int:
        text = self.text
        quoted_name = at > 0 and text[at - 1] in "\"'"
        if quoted_name and (_LITERAL.match(text, first) or verdict.gate != keys.NUMBERS_TOO):
            literal = _LITERAL.match(text, first) or _NUMBER.match(text, first)
            if literal is not None:
                return literal.end()
        if verdict.gate in (keys.AUTH, keys.COOKIE, keys.SET_COOKIE):
            return self._line(start, first, verdict)
        found = _BARE.match(text, first)
        if found is None:
            return at + 1
        cut = _CUT.search(text, first, found.end())
        end = cut.start() if cut is not None else found.end()
        value = text[first:end]
        if quoted_name:
            number = _NUMBER.match(text, first)
            if number is not None and gates.is_secret_number(number.group(), verdict.kind):
                mark = text[at - 1]
                self.spans.append(Span(first, number.end(), verdict.kind, self._wrap(at, mark)))
                return number.end()
        end = first + len(value.rstrip(".,;:!?)*"))
        if end <= first:
            return at + 1
        phrase = _WORDS.match(text, first)
        if phrase is not None and verdict.kind in {"password", "seed_phrase"}:
            self._redact(first, phrase.end(), verdict, quoted=True)
            return phrase.end()
        if text[at] == ":" and at + 1 == first and not quoted_name and _IDENTIFIER.match(value):
            return end  # a permission or a tag: secrets:read
        whole = self._rest_of_line(start, first, end, at)
        if whole > end:
            self._redact(first, whole, verdict, quoted=True)
            return whole
        tight = at + 1 == first and text[at] == "="
        if text.startswith(" / ", end):
            second = _BARE.match(text, end + 3)
            end = second.end() if second is not None else end
        if self._is_variable(name, text[first:end], at, tight=tight):
            return end
        if not tight or name.islower():
            whole_code = gates.is_code(text[first : found.end()]) or gates.is_code(text[first:end])
            if whole_code and not name.isupper():
                return at + 1
        elif gates.is_code_call(text[first : found.end()]):
            return at + 1
        if not tight and text[at] == ":" and self._is_prose(first, end):
            return end
        self._redact(first, end, verdict, quoted=False)
        return end

    def _is_variable(self, name: str, value: str, at: int, *, tight: bool) -> bool:
        """``password = new_password``, ``== stored``: a variable of a program."""
        if name.isupper() or not _IDENTIFIER.match(value):
            return False
        if self.text[at - 1 : at + 1] in {"==", "!="} or self.text.startswith("=", at + 1):
            return True
        if name.partition(".")[0] in {"self", "this", "cls"}:
            return True
        if self.text[at] == ":" or not (tight or self.text.startswith(" ", at + 1)):
            return False
        return self.lookup(value) is not None

    def _wrap(self, at: int, mark: str) -> str:
        before = at - 1
        while before > 0 and self.text[before - 1] == "\\":
            before -= 1
        return self.text[before : at - 1] + mark

    def _is_prose(self, first: int, end: int) -> bool:
        """``Token: expired``, ``password: must be long``: a word of a message, not a secret."""
        stop = self.text.find("\n", first, first + 200)
        line = self.text[first : stop if stop >= 0 else first + 200]
        return gates.is_status(line)

    def _rest_of_line(self, start: int, first: int, end: int, at: int) -> int:
        """In a file of settings a value goes to the end of its line; return that or *end*."""
        text = self.text
        stop = text.find("\n", first, first + 1200)
        line_end = stop if stop >= 0 else min(len(text), first + 1200)
        if line_end == end or line_end - first > 1024:
            return end
        begin = text.rfind("\n", max(0, start - 64), start) + 1
        if text[begin:start].strip(" \t+-\"'") not in {"", "export", "set", "ENV"}:
            return end
        rest = text[end:line_end]
        if (
            not rest.strip(" \t\r;,\"'")
            or "=" in rest
            or '"' in rest
            or rest.lstrip().startswith("#")
        ):
            return end
        neighbour = (stop >= 0 and _NEXT_LINE.match(text, stop + 1)) or begin > 0
        if not neighbour or gates.is_status(text[first:line_end]) or "(" in rest:
            return end
        comment = rest.find(" #")
        return end + len(rest[:comment] if comment >= 0 else rest.rstrip())

    def _line(self, start: int, first: int, verdict: Verdict) -> int:
        """Headers go to the end of their line, or of the quotes they stand in."""
        text = self.text
        stop = min(len(text), first + _MAX_CONTAINER)
        for mark in ("\n", "\r", "\\n", "\\r"):
            found = text.find(mark, first, stop)
            if found >= 0:
                stop = found
        before = text[start - 1] if start else ""
        marks = before if before and before in "\"'`" else "\"'"
        for mark in marks:
            found = text.find(mark, first, stop)
            if found >= 0 and (before == mark or text[found - 1] != "="):
                stop = found
        if before and before in "([{":
            found = text.find({"(": ")", "[": "]", "{": "}"}[before], first, stop)
            stop = found if found >= 0 else stop
        comma = re.compile(r",\s(?=['\"]?[\w-]{1,40}['\"]?: )|\s-[A-Za-z]\s|[ \t]+\Z|,\Z").search(
            text, first, stop
        )
        if comma is not None:
            stop = comma.start()
        if stop <= first:
            return first
        self._redact(first, stop, verdict, quoted=False)
        return stop

    def _block(self, start: int, first: int, verdict: Verdict) -> int:
        """YAML's ``name: |`` with the value on the lines below, deeper than the name."""
        text = self.text
        stop = text.find("\n", first)
        if stop < 0 or stop - first > 4:
            return first + 1
        return self._below(start, stop, verdict)

    def _below(self, start: int, stop: int, verdict: Verdict) -> int:
        text = self.text
        begin = text.rfind("\n", max(0, start - 200), start) + 1
        indent = len(text[begin:start]) - len(text[begin:start].lstrip(" "))
        at = text.find("\n", stop)
        while 0 <= at < len(text):
            line_end = text.find("\n", at + 1)
            line_end = line_end if line_end >= 0 else len(text)
            line = text[at + 1 : line_end]
            bare = line.lstrip(" -\t")
            if (
                at == stop
                and bare == line
                and " " not in line.strip()
                and gates.is_mixed(line.strip())
                and not re.search(r"[:=(\[{]", line)
            ):
                self._redact(at + 1, at + 1 + len(line.rstrip()), verdict, quoted=True)
                break
            if not bare.strip() or len(line) - len(line.lstrip(" ")) <= indent - (
                line.lstrip()[:1] == "-"
            ):
                break
            if ":" not in bare and "=" not in bare.rstrip("="):
                first = at + 1 + len(line) - len(bare)
                self._redact(first, at + 1 + len(line.rstrip()), verdict, quoted=True)
            elif (
                ": " in bare
                and verdict.gate == keys.TEXT
                and verdict.kind in {"secret", "credential"}
            ):
                first = at + 1 + len(line) - len(bare) + bare.find(": ") + 2
                value = text[first:line_end].strip()
                if value and value[0] not in "\"'{[|>":
                    self._redact(first, line_end, verdict, quoted=True)
            at = line_end
        return stop + 1

    def _redact(self, first: int, end: int, verdict: Verdict, *, quoted: bool) -> None:
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
            or gates.is_placeholder(part)
            or gates.is_status(part)
        ):
            return
        found: list[Span] = []
        urls.find_userinfo(part, found)
        if not found:
            self.spans.append(Span(first, end, "dsn"))
