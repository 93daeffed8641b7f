"""Tell a program's look-ups, calls and types from a value without quotes."""

from __future__ import annotations

import re
from typing import Final

_CALL: Final = re.compile(
    r"(?:await |new |not |!|yield |async |return |-)?[A-Za-z_$][\w$]{0,64}(?:(?:\?\.|\.|::|->)"
    r"[A-Za-z_$][\w$]{0,64}){0,8}!?[(\[]"
)
_DOTTED: Final = re.compile(
    r"[A-Za-z_$][A-Za-z_$\d]{0,64}(?:(?:\?\.|\.|::|->)[A-Za-z_$][A-Za-z_$\d]{0,64}){1,8}\Z"
)
_CMDLET: Final = re.compile(r"(?:Get|New|ConvertTo|ConvertFrom|Read|Import)-[A-Z][A-Za-z]{1,40}\Z")
_DIGIT: Final = re.compile(r"\d")
_OBJECTS: Final = "cls deno it item each local module process self system this"
_SETTINGS: Final = (
    "app args cfg conf config constants ctx context env environ kwargs options opts os params "
    "props settings spec state values var vars"
)
_REQUESTS: Final = (
    "body client data event form headers import input inputs payload req request res resp response "
    "result session"
)
_OWNERS: Final = "account auth credentials creds github obj row secrets user"
_TERRAFORM: Final = "aws_secretsmanager_secret_version data_source random_password"
_ONE_LETTER: Final = "c d e o p r s"
_ROOTS: Final = frozenset(
    f"{_OBJECTS} {_SETTINGS} {_REQUESTS} {_OWNERS} {_TERRAFORM} {_ONE_LETTER}".split()
)
"""What a look-up in a program begins with: ``config.db.password1`` is no password."""
_TYPE: Final = re.compile(
    r"(?:(?:typing\.)?(?:Optional|Union|Annotated|Final|Literal|list|List|dict|Dict|Secret|Promise|"
    r"Maybe|Vec|Option|Result|Array|Record|Partial|Sequence|Callable|ClassVar)(?=[\[<]).{0,256}|"
    r"(?:str|string|String|int|integer|bool|boolean|bytes|any|Any|object|None|null|undefined|"
    r"SecretStr|SecretBytes|text|Text|varchar|VARCHAR|TEXT|char|CHAR|number|float|void|never|"
    r"unknown|"
    r"&str|&'static str|\*string|\[\]byte|uuid|UUID|bytea|json|jsonb|Mapped|Column|Field|Depends)"
    r"(?:[ ]?[\[\](<>|?,;)=].{0,256}|\?|\(\d{1,5}\)\)?)?)\Z",
    re.DOTALL,
)
_UNION: Final = re.compile(r"[A-Za-z_][\w.]{0,64}(?:\[[^\]]{0,64}\])? \| (?:None|null|[A-Z])")


def is_code(value: str) -> bool:
    """Tell whether *value*, found without quotes, is a look-up, a call, a type or a variable."""
    if _CALL.match(value) or _TYPE.match(value) or _CMDLET.match(value) or _UNION.match(value):
        return True
    if _DOTTED.match(value):
        root = re.split(r"\W", value, maxsplit=1)[0].lower()
        return root in _ROOTS or not _DIGIT.search(value)
    return False


def is_code_call(value: str) -> bool:
    """Tell whether *value* is clearly a call or a substitution, in a place where code is rare."""
    return value.startswith(("$(", "`", "${")) or (
        value.endswith(")") and _CALL.match(value) is not None
    )
