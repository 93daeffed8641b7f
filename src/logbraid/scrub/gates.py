"""Judge a value whose name is secret: it may only stand in a secret's place.

Placeholders, references, look-ups in code, type annotations and the words of a status message
are no secrets. Knows values only; names are judged in ``keys.py``.
"""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import keys
from logbraid.scrub.foreign import SPOKEN_ABROAD
from logbraid.scrub.keys import Verdict

MARK: Final = "[REDACTED:"
_MARKED: Final = re.compile(r"(?:[A-Za-z][\w-]{0,20} )?\[REDACTED:[^\[\]\s]{1,64}\]\Z")

_PLACEHOLDER: Final = re.compile(
    r"(?:"
    r"[*\u2022\u25cf#.xX_\-\u2026:]{1,128}|\{\d{0,2}\}"
    r"|\$\{[^}]{0,128}\}|\$\([^)]{0,256}\)|\$[A-Za-z_]\w{0,63}|%[A-Za-z_]\w{0,63}%|\$env:\w{1,64}"
    r"|\{\{.{0,128}\}\}|\{[A-Za-z_][\w.]{0,63}\}|%\(\w{1,64}\)s|%[sdr]|:[a-z_]{1,32}|@[a-z_]{1,"
    r"32}|\?"
    r"|[\w-]{0,8}(?:\.{3}|\u2026)[\w-]{0,6}|<[^<>]{0,128}>|\[[A-Za-z _-]{0,64}\]|\(?\w{0,"
    r"16}\*{3,64}\w{0,4}\)?"
    r"|SecretStr\(['\"]\*{0,32}['\"]\)|__\w{1,64}__"
    r"|(?:your|my|the|insert|enter|add|put|replace)[-_ ](?:[A-Za-z]+[-_ ]){0,6}[A-Za-z]+(?:[-_ "
    r"]here)?"
    r")\Z",
    re.IGNORECASE,
)
_PLACEHOLDER_FIRST: Final = frozenset(
    "*\u2022\u25cf#.xX_-\u2026$%{:@?<[(sSyYmMtTiIeEaApPrRkK0123456789"
)
_EMPTY_WORDS: Final = frozenset(
    (
        "none|null|nil|nan|undefined|true|false|yes|no|on|off|empty|redacted|masked|"
        "hidden|filtered|removed|scrubbed|omitted|n/a|na|unset|not set|not_set|"
        "placeholder|changeme_here|todo|tbd|unknown|string|str|bool|boolean|int|integer|"
        "bytes|required|optional|enabled|disabled|missing|invalid|expired|valid|present|"
        "absent|set|ok|failed|success|error|revoked|active|inactive|denied|incorrect|"
        "wrong|mismatch|rejected|accepted|verified|unverified|changed|reset|updated|"
        "rotated|created|deleted|pending|unauthorized|forbidden|default|secret|encrypted|"
        "object|array|any|configured|loaded|sent|used|stored|provided|generated|found|issued|"
        "refreshed|granted|see vault|[filtered]|(hidden)|(redacted)|<none>|-|."
    ).split("|")
)
_STATUS_WORDS: Final = frozenset(
    (
        "is are was were be been must should shall cannot can't can could may might not "
        "will has have had does do did required invalid incorrect missing expired "
        "expires wrong too characters character chars field least empty failed failure "
        "provided found rejected changed updated reset rotated revoked denied mismatch "
        "match matches please enter for error policy strength weak strong verification "
        "validation authentication login successfully success ok accepted needed "
        "optional forgotten the your a an this that from in with and or see ask stored to via "
        "by using "
        "used of at on if when was we you it its no none erforderlich falsch ungultig "
        "muss ist wurde nicht requis invalide doit est incorrecta requerida obligatorio "
        "debe es invalida deve obrigatoria incorreta expirado inválida"
    ).split()
) | frozenset(SPOKEN_ABROAD)
_AUTH_WORDS: Final = frozenset(
    (
        "basic bearer digest oauth oauth1 oauth2 oidc saml jwt token tokens apikey "
        "api_key api-key mtls iam ldap kerberos ntlm password none sso session cookie "
        "negotiate anonymous publickey key header query required optional "
        "client_credentials aws4-hmac-sha256 hmac service_account inherit noauth public "
        "private user admin failed scram-sha-256 scram-sha-1 plain login md5 trust peer "
        "ident otp totp mfa sms email magic_link passkey webauthn authenticated success "
        "google github microsoft azure aws local external same-origin include omit "
        "strict lax"
    ).split()
)
_REFERENCE: Final = re.compile(
    r"arn:aws[\w-]{0,10}:|projects/[^/\s]{1,64}/secrets/|(?:vault|secret|ssm|op|keyring|aws-sm|"
    r"env|file|awssm|gcpsm|azurekv|doppler|infisical):(?://)?[A-Za-z_/.]|secretref:|"
    r"@Microsoft\.KeyVault|\{\{resolve:|!(?:Ref|Sub|GetAtt|secret|vault|ENV)\b|\{\{|\$\{\{?|"
    r"valueFrom\b|secrets?\.[A-Za-z]",
)
_PATH: Final = re.compile(
    r"(?:(?:/(?:etc|var|run|home|usr|opt|secrets?|mnt|tmp|app|root|srv|data|dev|proc|private|Users|"
    r"vault|keys|config|certs?|workspace|code)/|~/|\.{1,2}/|[A-Za-z]:[\\/]|file://|"
    r"%[A-Z]{2,20}%\\)[^\s]{0,512}|[\w./\\-]{1,256}\.(?:pem|key|json|ya?ml|crt|cer|p12|pfx|jks|"
    r"txt|env|"
    r"toml|ini|conf|py|js|ts|go|rs|java|rb|php|sh))\Z"
)
_LINK: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://")
_CALL: Final = re.compile(
    r"(?:await |new |not |!|yield |async |return |-)?[A-Za-z_$][\w$]{0,64}(?:(?:\?\.|\.|::|->)"
    r"[A-Za-z_$][\w$]{0,64}){0,8}!?[(\[]"
)
_DOTTED: Final = re.compile(
    r"[A-Za-z_$][A-Za-z_$\d]{0,64}(?:(?:\?\.|\.|::|->)[A-Za-z_$][A-Za-z_$\d]{0,64}){1,8}\Z"
)
_CMDLET: Final = re.compile(r"(?:Get|New|ConvertTo|ConvertFrom|Read|Import)-[A-Z][A-Za-z]{1,40}\Z")
_ROOTS: Final = frozenset(
    (
        "self this cls config cfg conf settings os env process request req args ctx "
        "context params options opts app data payload user credentials creds secrets "
        "vars var local module deno system response resp res result event body form "
        "headers session client props state kwargs input inputs github values import "
        "environ constants auth account row obj o r s c e p d it spec values each item "
        "data_source random_password aws_secretsmanager_secret_version"
    ).split()
)
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
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{3,8}\Z")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_SHAPE: Final = re.compile(r"[A-Za-z0-9_\-+/=.~:%!$@#^&*]{12,4096}\Z")
_HEXED: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{6,128}\Z")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.Z+ -]{0,24})?\Z")
_HAS_DIGIT: Final = re.compile(r"\d")
_HAS_LETTER: Final = re.compile(r"[A-Za-z]")


def is_placeholder(value: str) -> bool:
    """Tell whether *value* stands in a secret's place: empty, masked, a variable, a reference."""
    bare = value.strip()
    if len(bare) < 2 or (len(bare) < 18 and bare.lower() in _EMPTY_WORDS):
        return True
    if len(bare) > 600:
        return bare.startswith(MARK)
    if bare[-1] == "]" and _MARKED.match(bare):
        return True
    if bare[0] in _PLACEHOLDER_FIRST and _PLACEHOLDER.match(bare):
        return True
    return not bare.isalnum() and _REFERENCE.match(bare) is not None


def is_masked(value: str) -> bool:
    """Tell whether *value* shows that it was hidden, or that it will be filled in."""
    bare = value.strip()
    if not 1 < len(bare) < 600:
        return bare.startswith(MARK)
    may_be = bare[0] in _PLACEHOLDER_FIRST or "." in bare or "*" in bare or "\u2026" in bare
    return bare.startswith(MARK) or (may_be and _PLACEHOLDER.match(bare) is not None)


def is_path(value: str) -> bool:
    """Tell whether *value* is a path of a file: where a secret lies, not the secret."""
    return len(value) <= 512 and not value.isalnum() and _PATH.match(value) is not None


def is_status(value: str) -> bool:
    """Tell whether *value* is a sentence about a secret: ``must have 8 characters``."""
    if " " not in value or len(value) > 300:
        return False
    spoken = [word.strip(".,;:!?'\"()`_").lower() for word in value.split()]
    known = sum(word in _STATUS_WORDS for word in spoken)
    return known >= 1 and (known * 4 >= len(spoken)) and all(map(_is_plain_word, spoken))


def _is_plain_word(word: str) -> bool:
    return (
        word.isalpha()
        or word.isdigit()
        or not word
        or word.replace("'", "").isalpha()
        or (word.replace("-", "").replace("_", "").isalpha())
    )


def is_auth_word(value: str) -> bool:
    """Tell whether *value* names a way to authenticate: ``oauth2``, ``mTLS``."""
    return value.lower() in _AUTH_WORDS


def is_code(value: str) -> bool:
    """Tell whether *value*, found without quotes, is a look-up, a call, a type or a variable."""
    if _CALL.match(value) or _TYPE.match(value) or _CMDLET.match(value) or _UNION.match(value):
        return True
    if _DOTTED.match(value):
        root = re.split(r"\W", value, maxsplit=1)[0].lower()
        return root in _ROOTS or not _HAS_DIGIT.search(value)
    return False


def is_shaped(value: str) -> bool:
    """Tell whether *value* looks drawn at random: one long word with letters and digits."""
    if not _SHAPE.match(value) or _UUID.match(value) or is_path(value) or _LINK.match(value):
        return False
    if not (_HAS_DIGIT.search(value) and _HAS_LETTER.search(value)):
        return len(value) >= 20 and mixes_case(value)
    return not _DATE.match(value)


def is_random(value: str) -> bool:
    """Tell whether *value* is clearly random: long, both cases, digits, no hash, no separators."""
    if len(value) < 20 or not is_shaped(value) or _HEXED.match(value):
        return False
    return (
        ":" not in value
        and "/" not in value[1:-1]
        and mixes_case(value)
        and (len(_HAS_DIGIT.findall(value)) >= 2)
    )


def mixes_case(value: str) -> bool:
    """Tell whether *value* has large and small letters, and not only a large first one."""
    return value != value.lower() and value != value.upper() and value[1:] != value[1:].lower()


def is_streamed_word(value: str) -> bool:
    """Tell whether *value* is a word of a language model's stream rather than a credential."""
    bare = value.strip()
    if len(bare) < 4 or bare != value or " " in value:
        return True
    return len(bare) <= 12 and (bare.isalpha() or not any(map(str.isalnum, bare)))


def is_code_call(value: str) -> bool:
    """Tell whether *value* is clearly a call or a substitution, in a place where code is rare."""
    return value.startswith(("$(", "`", "${")) or (
        value.endswith(")") and _CALL.match(value) is not None
    )


def _is_other(value: str, kind: str) -> bool:
    """Tell a colour, a ratio, a version and the words of a message from a secret."""
    if kind != "password" and _COLOR.match(value):
        return True
    if value.lower() in _ABROAD or _COUNTED.match(value) is not None:
        return True
    return "." in value and is_dated(value)


def is_secret(value: str, verdict: Verdict) -> bool:  # noqa: C901, PLR0911 - one exit for each gate
    """Tell whether *value* under a name of that *verdict* is to be redacted whole."""
    gate = verdict.gate
    if len(value) == 1:
        return gate == keys.NUMBERS_TOO and verdict.kind == "password" and value not in _NO_LETTER
    if gate == keys.SLOT or is_placeholder(value):
        return False
    if gate == keys.SHAPED:
        return is_shaped(value)
    if gate == keys.RANDOM:
        return is_random(value)
    if gate == keys.TOKEN and is_streamed_word(value):
        return False
    if gate == keys.CARD or is_label(value):
        return False
    kind = verdict.kind
    if kind in {"pin", "cvv", "otp", "ssn"}:
        return _is_code_number(value)
    if _is_other(value, kind):
        return False
    if is_status(value) or (value.isdigit() and len(value) < _FEWEST_DIGITS.get(kind, 4)):
        return False
    if is_path(value) or (kind == "password" and value[:1] == "/" and value.count("/") > 1):
        return False
    if kind == "auth" or (gate != keys.NUMBERS_TOO and is_auth_word(value)):
        return kind == "auth" and not is_auth_word(value) and not _LINK.match(value)
    return not (kind != "password" and _LINK.match(value) and "@" not in value)


_ABROAD: Final = frozenset(SPOKEN_ABROAD)
_COUNTED: Final = re.compile(r"\d{1,6} ?(?:/ ?\d{1,6}|%)\Z")
_NO_LETTER: Final = "*\u2022\u25cf#.xX_-\u2026?$%@<>()[]{}=:;,/\\|&!~`'\" \t\n0yYnNtTfF"
"""A lone character that stands for nothing, or for yes and no."""


def _is_code_number(value: str) -> bool:
    """Tell a PIN, a one-time code, a social security number: digits, or letters and digits."""
    bare = value.strip()
    if " " in bare and not bare.replace(" ", "").isdigit():
        return False
    return _HAS_DIGIT.search(bare) is not None and not _DATE.match(bare) and len(bare) <= 128


_FEWEST_DIGITS: Final = {"token": 6, "secret": 6, "password": 4}
_LEAST: Final = {
    "cvv": 10,
    "pin": 1000,
    "otp": 1000,
    "ssn": 1_000_000,
    "password": 1000,
    "custom_key": 0,
}


def is_secret_number(number: str, kind: str) -> bool:
    """Tell whether a number is the secret itself rather than a count of such."""
    least = _LEAST.get(kind)
    return least is not None and abs(int(number)) >= least


def is_dated(value: str) -> bool:
    """Tell whether *value* is a date or a version: ``2024-01-02``, ``v2.3``."""
    return bool(_DATE.match(value)) or bool(_VERSION.match(value))


_VERSION: Final = re.compile(r"v?\d{1,4}(?:\.\d{1,5}){0,3}(?:[a-z]{1,5}\d{0,3})?\Z")


def is_common(word: str) -> bool:
    """Tell whether *word* is one that messages about passwords are made of."""
    lowered = word.lower()
    return lowered in _STATUS_WORDS or lowered in _EMPTY_WORDS or lowered in _COMMON


_COMMON: Final = frozenset(
    (
        "correct stored hashed encrypted protected based long short manager managers "
        "policy field form input prompt page link request requests email file files hash "
        "hashes check checks change changes only also still sent secure safe same "
        "different here there below above again now later already always never being so "
        "very more less unique case-sensitive sensitive generated rotated shared known "
        "unknown something anything nothing what which who how why where protection "
        "recovery authentication update rotation confirmation attempts attempt length "
        "strength complexity expiry expiration leaked compromised exposed secret "
        "password passwords token tokens key keys blank typed entered correctly guess "
        "guessed simple complex good bad easy hard working broken okay fine first last "
        "next continue login proceed access you me them him her us admin user username "
        "notified option options flag flags argument arguments parameter parameters switch "
        "variable setting settings instead deprecated removed supported ignored allowed mandatory "
        "authenticate connect encrypt decrypt protect unlock verify identify authorize "
        "necessary available unavailable visible obvious trivial encoded cached saved"
    ).split()
)


def is_mixed(value: str) -> bool:
    """Tell whether *value* mixes digits or signs with letters, as no plain word does."""
    if not _HAS_LETTER.search(value):
        return len(value) >= 6 and value.isdigit()
    if _HAS_DIGIT.search(value):
        return True
    return any(char in "!@#$%^&*?+~=" for char in value) or (
        len(value) >= 16 and mixes_case(value) and value.isalnum()
    )


def is_label(value: str) -> bool:
    """Tell whether *value* only names a secret: a caption, a variable, the key of a translation."""
    if len(value) > 48 or _HAS_DIGIT.search(value) or not _LABEL.match(value):
        return False
    return keys.known(value)


_LABEL: Final = re.compile(r"[^\W\d][^\W\d]*(?:[ _.-][^\W\d]+){0,5}[:?!.]?\Z")
