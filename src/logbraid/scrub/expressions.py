"""What a program writes where a value could stand: variables, calls, types, templates.

Knows how such text reads, not which names are secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from logbraid.scrub import codewords, placeholders, shapes
from logbraid.scrub.keys import Verdict

OWN: Final = ("self.", "this.", "cls.")
_STATEMENT: Final = re.compile(
    r"[ \t]{0,64}(?:(?:if|elif|while|for|with|def|class|async|except|case|switch|func|fn)\b|"
    r"[^\n]{0,160}?->)"
)
_OPERATED: Final = re.compile(r" (?:and|or|if|\+|\|\||&&|==|!=) [\w\"'(.{\[]")
_VARIABLE: Final = re.compile(r"[A-Za-z]+(?:[._][A-Za-z]+)+\Z")
_INSERTED: Final = re.compile(r"\$?\{[^{}]{0,256}\}")
_CAMEL: Final = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+\Z")
_KEYWORDS: Final = frozenset("await new not yield async return lambda typeof throw None".split())
_MORE_WORDS: Final = re.compile(r",? [a-z]{2,16}(?![\w=:])")
_TOKEN: Final = re.compile(r"[^\s\"'`<>]{1,512}+")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z_]{0,63}\Z")
_SHORTEST_PIN: Final = 4


def heads_statement(text: str, start: int) -> bool:
    """Tell whether the line of the name at *start* is a statement: ``if self.auth:``."""
    begin = text.rfind("\n", max(0, start - 200), start) + 1
    return _STATEMENT.match(text, begin, start) is not None


def is_template(text: str, quote: re.Match[str], close: int, verdict: Verdict) -> bool:
    """Tell whether a program fills the string in, or whether it is a pattern."""
    prefix = quote.group()[:1].lower()
    if prefix not in "rf`" and quote.group(2) != "`":
        return False
    content = text[quote.end() : close if close >= 0 else quote.end() + 512]
    if prefix == "r":
        return verdict.kind == "token" and any(char in "[(|{\\" for char in content)
    return "{" in content and not shapes.is_shaped(_INSERTED.sub("", content))


def is_compared(text: str, quote: re.Match[str], close: int) -> bool:
    """Tell whether a program compares with a plain word: ``token == "rbracket"``."""
    if not 0 <= close - quote.end() <= 64 or not _IDENTIFIER.match(text[quote.end() : close]):
        return False
    before = text[max(0, quote.start() - 4) : quote.start()].rstrip()
    return before.endswith(("==", "!="))


def assigns_code(text: str, at: int, first: int, lookup: Callable[[str], Verdict | None]) -> bool:
    """Tell whether a program's expression is assigned: ``headers["Cookie"] = cookie_header``."""
    found = _TOKEN.match(text, first)
    value = found.group().rstrip(";,):") if found is not None else ""
    if text[at] == ":":
        if value.startswith(("dict[", "Dict[", "Optional[")):
            return True
        rest = text[first + len(value) : first + len(value) + 3].lstrip(" ")
        return _CAMEL.match(value) is not None and rest[:1] in {"", ",", ")", "|", "=", "\n"}
    if at + 1 == first:  # cookies=merged_cookies
        return _IDENTIFIER.match(value) is not None and lookup(value) is not None
    if text[at - 1] in "!=" and value.isdigit():
        return True
    return codewords.is_code(value) or _IDENTIFIER.match(value) is not None


@dataclass(frozen=True, slots=True)
class Place:
    """A value without quotes, ``text[first:end]``, after *name* and the sign at *at*."""

    text: str
    name: str
    at: int
    first: int
    end: int
    lookup: Callable[[str], Verdict | None]

    def is_said(self, verdict: Verdict) -> bool:
        """Tell whether a sentence goes on after the colon: ``the secret: nobody knew``."""
        value = self.text[self.first : self.end]
        if self.name == "PASS" and self.at + 1 < self.first:
            return True  # the verdict of a test
        if verdict.kind == "pin":
            return len(value) < _SHORTEST_PIN and value.isdigit()
        if verdict.kind != "secret" or not value.isalpha():
            return False
        if self.text.startswith((".", "!"), self.end):
            return True
        return value.islower() and _MORE_WORDS.match(self.text, self.end) is not None

    def is_code(self, token_end: int) -> bool:
        """Tell whether what stands there is a program's or a message's word, not a value."""
        text, name = self.text, self.name
        value = text[self.first : self.end]
        token = text[self.first : token_end]
        tight = self.at + 1 == self.first
        assigned = text[self.at] == "="
        if not assigned and tight and text[self.at - 1] not in "\"'" and _IDENTIFIER.match(value):
            return True  # a permission or a tag: secrets:read
        if value in _KEYWORDS or (_VARIABLE.match(value) and _OPERATED.match(text, self.end)):
            return True
        if self._is_variable(value) or (assigned and not tight and self._is_assigned(value, token)):
            return True
        if tight and assigned and not name.islower():
            return codewords.is_code_call(token)
        if not name.isupper() and (codewords.is_code(token) or codewords.is_code(value)):
            return True
        return not assigned and self._is_status()

    def _is_status(self) -> bool:
        stop = self.text.find("\n", self.first, self.first + 200)
        return placeholders.is_status(
            self.text[self.first : stop if stop >= 0 else self.first + 200]
        )

    def _is_assigned(self, value: str, token: str) -> bool:
        """Tell whether ``name = value``, with blanks, stands in a program."""
        if self.name.startswith(OWN) and not any(map(str.isdigit, value)):
            return True
        if self.text[self.at - 1] in "=!" and value.lstrip("-").isdigit():
            return True
        return codewords.is_code(token)

    def _is_variable(self, value: str) -> bool:
        """Tell whether *value* is a variable: ``password = new_password``, ``== stored``."""
        text, at = self.text, self.at
        if self.name.isupper() or not _IDENTIFIER.match(value):
            return False
        if text[at - 1 : at + 1] in {"==", "!="} or text.startswith("=", at + 1):
            return True
        if self.name.startswith(OWN):
            return True
        tight = at + 1 == self.first
        if text[at] == ":" or not (tight or text.startswith(" ", at + 1)):
            return False
        return self.lookup(value) is not None
