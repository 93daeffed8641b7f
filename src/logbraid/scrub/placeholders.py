"""Tell what stands in a secret's place: masks, references, paths, words of messages, labels.

Knows values only; names are judged in ``keys.py``.
"""

from __future__ import annotations

import re
from typing import Final

from logbraid.scrub import keys
from logbraid.scrub.foreign import SPOKEN_ABROAD

MARK: Final = "[REDACTED:"
_MARKED: Final = re.compile(r"(?:[A-Za-z][\w-]{0,20} )?\[REDACTED:[^\[\]\s]{1,64}\]\Z")
_PLACEHOLDER: Final = re.compile(
    r"(?:"
    # masks
    r"[*\u2022\u25cf#.xX_\-\u2026:]{1,128}|\?|\(?\w{0,16}\*{3,64}\w{0,4}\)?"
    r"|[\w-]{0,8}(?:\.{3}|\u2026)[\w-]{0,6}|SecretStr\(['\"]\*{0,32}['\"]\)"
    # variables of shells, of templates, of SQL
    r"|\$\{[^}]{0,128}\}|\$\([^)]{0,256}\)|\$[A-Za-z_]\w{0,63}|%[A-Za-z_]\w{0,63}%|\$env:\w{1,64}"
    r"|\{\d{0,2}\}|\{\{.{0,128}\}\}|\{[A-Za-z_][\w.]{0,63}\}|%\(\w{1,64}\)s|%[sdr]"
    r"|:[a-z_]{1,32}|@[a-z_]{1,32}|__\w{1,64}__"
    # what a manual says to fill in
    r"|<[^<>]{0,128}>|\[[A-Za-z _-]{0,64}\]"
    r"|(?:your|the|insert|enter|add|put|replace)[-_ ]"
    r"(?:[A-Za-z]+[-_ ]){0,6}[A-Za-z]+(?:[-_ ]here)?"
    r")\Z",
    re.IGNORECASE,
)
_PLACEHOLDER_FIRST: Final = frozenset(
    "*\u2022\u25cf#.xX_-\u2026$%{:@?<[(sSyYmMtTiIeEaApPrRkK0123456789"
)
_NOTHING: Final = "-|.|<none>|empty|n/a|na|nan|nil|none|not set|not_set|null|undefined|unset"
_ANSWERS: Final = "any|false|no|off|on|optional|required|true|unknown|yes"
_TYPES: Final = "array|bool|boolean|bytes|int|integer|object|str|string"
_HIDDEN: Final = (
    "(hidden)|(redacted)|[filtered]|encrypted|filtered|hidden|masked|omitted|redacted|removed|"
    "scrubbed|see vault"
)
_TO_FILL_IN: Final = "default|placeholder|secret|tbd|todo"
_STATES: Final = (
    "absent|accepted|active|changed|configured|created|deleted|denied|disabled|enabled|error|"
    "expired|failed|forbidden|found|generated|granted|inactive|incorrect|invalid|issued|loaded|"
    "mismatch|missing|ok|pending|present|provided|refreshed|rejected|reset|revoked|rotated|sent|"
    "set|stored|success|unauthorized|unverified|updated|used|valid|verified|wrong"
)
_EMPTY_WORDS: Final = frozenset(
    f"{_NOTHING}|{_ANSWERS}|{_TYPES}|{_HIDDEN}|{_TO_FILL_IN}|{_STATES}".split("|")
)
"""Whole values that say that there is none, or what became of it."""
_REFERENCE: Final = re.compile(
    r"arn:aws[\w-]{0,10}:|projects/[^/\s]{1,64}/secrets/|(?:vault|secret|ssm|op|keyring|aws-sm|"
    r"env|file|awssm|gcpsm|azurekv|doppler|infisical):(?://)?[A-Za-z_/.]|secretref:|"
    r"@Microsoft\.KeyVault|\{\{resolve:|!(?:Ref|Sub|GetAtt|secret|vault|ENV)\b|\{\{|\$\{\{?|"
    r"valueFrom(?![\w-])|secrets?\.[A-Za-z]",
)
_PATH: Final = re.compile(
    r"(?:(?:/(?:etc|var|run|home|usr|opt|secrets?|mnt|tmp|app|root|srv|data|dev|proc|private|Users|"
    r"vault|keys|config|certs?|workspace|code)/|~/|\.{1,2}/|[A-Za-z]:[\\/]|file://|"
    r"%[A-Z]{2,20}%\\)[^\s]{0,512}|[\w./\\-]{1,256}\."
    r"(?:pem|key|json|ya?ml|crt|cer|p12|pfx|jks|txt|env|toml|ini|conf|py|js|ts|go|rs|java|rb|php|sh))\Z"
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
_DIGIT: Final = re.compile(r"\d")
_BOAST: Final = re.compile(r"(?:super|top|very|my|test|dev|demo)(?:[-_. ]|secret)", re.IGNORECASE)
"""How passwords begin that someone made up: ``super-secret`` names nothing, it is one."""
_LABEL: Final = re.compile(r"[^\W\d][^\W\d]*(?:[ _.-][^\W\d]+){0,5}[:?!.]?\Z")


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


def is_common(word: str) -> bool:
    """Tell whether *word* is one that messages about passwords are made of."""
    lowered = word.lower()
    return lowered in _STATUS_WORDS or lowered in _EMPTY_WORDS or lowered in _COMMON


def is_label(value: str) -> bool:
    """Tell whether *value* only names a secret: a caption, a variable, the key of a translation."""
    if len(value) > 48 or _DIGIT.search(value) or not _LABEL.match(value):
        return False
    return _BOAST.match(value) is None and keys.known(value)
