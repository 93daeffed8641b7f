"""``name = value`` and ``name: value`` in text of any make, found at the sign between them.

At each ``=`` and ``:`` the name is read backwards; only a secret name makes the value be read
forwards: quoted (at any depth of escapes), bracketed, or bare to where its surroundings end it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from logbraid.scrub import keys
from logbraid.scrub.keys import Verdict
from logbraid.scrub.reading import Lookup, ValueReader, after_blanks, closing, opening_quote

__all__ = ["Lookup", "PairFinder"]

_MULTI: Final = re.compile(r"((?:\w[\w-]{0,30}[ ]){1,5})\Z")
_LINKING: Final = frozenset(
    "is ist est es now lautet set to changed reset updated was are \u00e9 \u00e8 auf".split()
)
_TAILS: Final = re.compile(
    r"(?i)(?:key|keys|token|secret|code|phrase|password|number|string|api|passe|acceso|acesso|"
    r"acc[eè]s|"
    r"accesso|secreta|segreta|privada|priv[ée]e|privata|secr[eè]te|schl[uü]ssel|cookie|pin|id|"
    r"is|ist|est|es|now|lautet|to|was|are|[\u00e9\u00e8]|auf)\Z"
)
_ABOVE: Final = re.compile(r"(?:\A|\n)([\w.]{1,64})\n[ \t]{1,8}[^\n]{0,160}\Z")
_VALUE_AFTER: Final = re.compile(
    r"[\s,;]{0,16}(?:[\w:-]{1,24}=[\"'][^\"']{0,64}[\"'][\s,]{1,8}){0,3}"
    r"\\{0,7}[\"']?(?:value|val|Value|ParameterValue|data|content|v)\\{0,7}[\"']?\s{0,8}[:=]\s{0,8}"
)
_BARE_NAME: Final = re.compile(r"([A-Za-z_][\w.-]{1,63})(?=[ \t]{0,8}[\r\n,])")
_SESSIONS: Final = re.compile(
    r"(?i)(?:j?session_?id|phpsessid|asp\.net_sessionid|connect\.sid|aspsessionid\w{8}|cfid|"
    r"[a-z]{2,16}_session|sessid|__session|sails\.sid|ci_session)\Z"
)
_FORM: Final = re.compile(r"[\w.~%+/-]{20,1024}&[\w.-]{1,40}=")
_LONG: Final = re.compile(r"[^\s\"',;&]{20}")
_MULTIPART: Final = re.compile(
    r"[^\r\n]{0,128}(?:\r?\n[^\r\n]{1,128}){0,3}\r?\n\r?\n([^\r\n]{1,4096})"
)
_NAMING: Final = frozenset(
    "type|name|key|header|field|variable|param|parameter|k|id|Name|Key|ParameterKey|"
    "ParameterName|Header".split("|")
)
_CODE: Final = Verdict("url_secret", keys.RANDOM)
_SIGNATURE: Final = Verdict("signature", keys.SHAPED)
_SESSION: Final = Verdict("cookie", keys.SHAPED)
_LINK_NAMES: Final = frozenset(
    "code key ticket samlart magic invite invitation confirmation otk nonce t k hash".split()
)
_BEFORE_SIGN: Final = " \t\"'\\])*`:=+?!~>"


def _is_session(name: str) -> bool:
    """Tell whether *name* is that of a web server's session cookie; ``session_id`` is an id."""
    return name != "session_id" and len(name) < 32 and _SESSIONS.match(name) is not None


@lru_cache(maxsize=4096)
def _has_tail(name: str) -> bool:
    """Tell whether words before *name* may belong to it; the search takes 4 us."""
    return _TAILS.search(name) is not None


_LONGEST_QUIET: Final = 40


def is_quiet(name: str, lookup: Lookup) -> bool:
    """Tell whether nothing is ever found at ``name:`` with a space before it, in ASCII text.

    What ``_judge`` finds without looking around; only plain words qualify.
    """
    if not (name.isalpha() and name.isascii() and len(name) <= _LONGEST_QUIET):
        return False
    verdict = lookup(name)
    is_plain = verdict is None or verdict.gate == keys.SLOT
    return is_plain and name not in _NAMING and not _has_tail(name)


class PairFinder(ValueReader):
    """Reads the pairs of one text into *spans*."""

    __slots__ = ()

    def find(self, quiet: Mapping[str, bool] = MappingProxyType({})) -> None:
        """Add the values of all secret names to the spans; words that are *quiet* are skipped."""
        text, marks = self.text, self.marks
        at = marks.find(b"=")
        while at >= 0:
            if text[at] == ":":
                before = text.rfind(" ", max(0, at - _LONGEST_QUIET - 1), at)
                if before >= 0 and quiet.get(text[before + 1 : at]):
                    at = marks.find(b"=", at + 1)
                    continue
            at = marks.find(b"=", self._at_sign(at))

    def _at_sign(self, at: int) -> int:
        """Look at the sign at *at*; return where to look on."""
        text = self.text
        end = at
        if at and (text[at - 1] in "=:" or (text[at - 1] in "<>" and text[at] == "=")):
            return at + 1  # the second of two signs: the first one was looked at
        while end > 0 and text[end - 1] in _BEFORE_SIGN and at - end < 24:
            end -= 1
        floor = end - 64 if end > 64 else 0
        start = max(self.marks.rfind(b" ", floor, end), self.marks.rfind(b"=", floor, end)) + 1
        start = max(start, floor)
        if end - start < 2:
            return at + 1
        listed = start and text[at] == ":" and not text.startswith(" ", at + 1)
        if listed and (text[start - 1] == ":" or text.startswith("://", start - 3)):
            return at + 1  # a list of parts, as in an ARN, or the user in a URL
        name = text[start:end]
        verdict = self._judge(name, start, at)
        if verdict is None:
            return at + 1
        return self.read(name, start, at, verdict)

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
        if name in _NAMING and self._named_value(at + 1):
            return None
        if text[at] == "=" and _LONG.match(text, at + 1) and _is_session(name):
            return _SESSION
        if (start and text[start - 1] in "(?&") or name == "input_value":
            return self._by_place(name, start, text[at])
        if name in _LINK_NAMES and text[at] == "=" and _FORM.match(text, at + 1):
            return _CODE
        if _has_tail(name) or not text.isascii():
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
        before = _MULTI.search(self.text, max(0, start - 60), start)
        if before is None:
            return None
        words = before.group(1).split()
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
        return _CODE if name in _LINK_NAMES else None

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
            if value is not None:
                self.read("", value.end(), value.end() - 1, verdict)
