"""Secrets that tell themselves by their form, whatever their name and surroundings.

A table of kinds: the head a candidate begins with, and the pattern it must then match. Heads are
looked for only inside long runs of token characters, and a pattern is only tried at a head.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from logbraid.scrub.spans import Span


class Format(NamedTuple):
    """One row: a secret of *kind* begins with one of *heads* and matches *body* after it.

    *cut*: the head alone tells, so a token that was cut off is told by it too. Without it the head
    is a common word, and the rest must hold a digit and a letter.
    """

    kind: str
    heads: tuple[str, ...]
    body: str
    cut: bool = True


_B64: Final = r"[A-Za-z0-9+/]"
_URL: Final = r"[A-Za-z0-9_-]"
_ALNUM: Final = r"[A-Za-z0-9]"
_HEX: Final = r"[0-9a-f]"

FORMATS: Final = (
    Format(
        "jwt",
        ("eyJ",),
        rf"{_URL}{{8,8192}}+\.eyJ{_URL}{{4,16384}}+(?:\.{_URL}{{0,16384}}+)?",
        cut=False,
    ),
    Format(
        "jwt",
        ("eyJ",),
        rf"{_URL}{{8,8192}}+\.{_URL}{{0,8192}}+\.{_URL}{{10,8192}}+\.{_URL}{{10,16384}}+\.{_URL}{{10,8192}}+",
        cut=False,
    ),
    Format("aws_access_key", ("AKIA", "ASIA", "ABIA", "ACCA"), r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    Format("github_token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), rf"{_ALNUM}{{30,255}}+"),
    Format("github_token", ("github_pat_",), r"\w{30,255}+"),
    Format(
        "gitlab_token",
        (
            "glpat-",
            "glptt-",
            "gldt-",
            "glrt-",
            "glcbt-",
            "glft-",
            "glsoat-",
            "gloas-",
            "glagent-",
            "glimt-",
            "GR1348941",
        ),
        r"[\w.-]{18,300}+",
    ),
    Format(
        "slack_token",
        (
            "xoxb-",
            "xoxp-",
            "xoxa-",
            "xoxr-",
            "xoxs-",
            "xoxo-",
            "xoxc-",
            "xoxd-",
            "xoxe-",
            "xoxe.xoxp-",
            "xoxe.xoxb-",
            "xapp-",
        ),
        r"[\w%/+-]{10,400}+",
    ),
    Format("stripe_key", ("sk_live_", "sk_test_", "rk_live_", "rk_test_"), rf"{_ALNUM}{{10,255}}+"),
    Format("webhook_secret", ("whsec_",), r"[A-Za-z0-9+/=_-]{16,255}+"),
    Format("anthropic_key", ("sk-ant-",), r"[\w-]{16,255}+"),
    Format(
        "openai_key",
        ("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-", "sk-service-"),
        r"[\w-]{16,300}+",
    ),
    Format("openrouter_key", ("sk-or-",), r"[\w-]{16,255}+"),
    Format("langfuse_key", ("sk-lf-",), r"[\w-]{16,255}+"),
    Format(
        "api_key",
        ("sk-", "csk-"),
        r"[A-Za-z0-9][\w-]{18,300}+",
        cut=False,
    ),
    Format("api_key", ("sk_",), r"[A-Za-z0-9]\w{23,300}+", cut=False),
    Format("google_key", ("AIza",), rf"{_URL}{{33,60}}+"),
    Format("google_token", ("ya29.",), r"[\w.-]{18,3000}+"),
    Format("google_token", ("1//0",), r"[\w-]{30,300}+"),
    Format("google_secret", ("GOCSPX-",), rf"{_URL}{{20,60}}+"),
    Format("huggingface_token", ("hf_", "api_org_"), rf"{_ALNUM}{{30,64}}+"),
    Format("npm_token", ("npm_",), rf"{_ALNUM}{{30,64}}+"),
    Format("pypi_token", ("pypi-",), rf"{_URL}{{30,512}}+"),
    Format("rubygems_key", ("rubygems_",), rf"{_HEX}{{40,64}}+"),
    Format("sendgrid_key", ("SG.",), rf"{_URL}{{16,40}}+\.{_URL}{{16,80}}+"),
    Format("twilio_key", ("SK",), rf"{_HEX}{{32}}(?![A-Za-z0-9])", cut=False),
    Format("digitalocean_token", ("dop_v1_", "doo_v1_", "dor_v1_"), rf"{_HEX}{{40,80}}+"),
    Format("databricks_token", ("dapi",), rf"{_HEX}{{32}}(?:-\d)?(?![A-Za-z0-9])", cut=False),
    Format("groq_key", ("gsk_",), rf"{_ALNUM}{{30,80}}+"),
    Format("xai_key", ("xai-",), rf"{_ALNUM}{{40,120}}+"),
    Format("replicate_token", ("r8_",), rf"{_ALNUM}{{30,64}}+"),
    Format("perplexity_key", ("pplx-",), rf"{_ALNUM}{{30,80}}+"),
    Format("langsmith_key", ("lsv2_", "ls__"), r"\w{24,120}+"),
    Format("pinecone_key", ("pcsk_",), r"\w{30,120}+"),
    Format("supabase_key", ("sbp_", "sb_secret_"), r"[\w-]{20,80}+"),
    Format("vault_token", ("hvs.", "hvb.", "hvr."), rf"{_URL}{{20,300}}+"),
    Format(
        "doppler_token",
        ("dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."),
        r"[\w.-]{30,100}+",
    ),
    Format("linear_key", ("lin_api_", "lin_oauth_"), rf"{_ALNUM}{{30,80}}+"),
    Format("notion_token", ("ntn_", "secret_"), rf"{_ALNUM}{{40,60}}+", cut=False),
    Format("figma_token", ("figd_", "figu_"), r"[\w-]{30,80}+"),
    Format(
        "shopify_token",
        ("shpat_", "shpca_", "shppa_", "shpss_", "shptka_", "shpua_"),
        r"[0-9a-fA-F]{24,64}+",
    ),
    Format("mailgun_key", ("key-",), rf"{_HEX}{{32}}(?![A-Za-z0-9])", cut=False),
    Format(
        "newrelic_key",
        ("NRAK-", "NRII-", "NRJS-", "NRRA-", "NRIQ-", "NRAL-", "NRAA-"),
        rf"{_URL}{{19,64}}+",
    ),
    Format("sentry_token", ("sntrys_", "sntryu_"), r"[\w+/=-]{30,400}+"),
    Format("datadog_key", ("ddapp_", "ddapi_", "pub_dd"), rf"{_ALNUM}{{30,60}}+"),
    Format("grafana_token", ("glsa_", "glc_"), r"[\w+/=]{30,400}+"),
    Format("age_key", ("AGE-SECRET-KEY-1",), r"[0-9A-Z]{40,64}+"),
    Format("telegram_token", ("bot",), rf"\d{{8,10}}:AA?{_URL}{{32,35}}", cut=False),
    Format("atlassian_token", ("ATATT3", "ATCTT3", "ATBB"), r"[\w=-]{24,300}+"),
    Format("docker_token", ("dckr_pat_", "dckr_oat_"), rf"{_URL}{{20,60}}+"),
    Format("postman_key", ("PMAK-",), r"[0-9a-f-]{40,80}+"),
    Format("square_token", ("sq0atp-", "sq0csp-", "EAAAE", "EAAAl"), rf"{_URL}{{20,80}}+"),
    Format("facebook_token", ("EAAC", "EAAG", "EAAB", "EAAD"), rf"{_ALNUM}{{30,400}}+"),
    Format("alibaba_key", ("LTAI",), rf"{_ALNUM}{{12,26}}(?![A-Za-z0-9])"),
    Format("tencent_key", ("AKID",), rf"{_ALNUM}{{32,36}}(?![A-Za-z0-9])"),
    Format("nvidia_key", ("nvapi-",), rf"{_URL}{{30,120}}+"),
    Format("tavily_key", ("tvly-",), rf"{_URL}{{20,80}}+"),
    Format("firecrawl_key", ("fc-",), rf"{_HEX}{{32}}(?![A-Za-z0-9])", cut=False),
    Format(
        "voyage_key",
        ("pa-",),
        rf"{_URL}{{40,60}}+",
        cut=False,
    ),
    Format("jina_key", ("jina_",), rf"{_URL}{{40,80}}+"),
    Format("e2b_key", ("e2b_",), rf"{_HEX}{{40,64}}+"),
    Format(
        "resend_key",
        ("re_",),
        rf"{_ALNUM}{{8,12}}_{_ALNUM}{{20,40}}+",
        cut=False,
    ),
    Format("posthog_key", ("phx_",), rf"{_ALNUM}{{30,60}}+"),
    Format("sourcegraph_token", ("sgp_",), r"\w{36,80}+"),
    Format("planetscale_token", ("pscale_tkn_", "pscale_pw_", "pscale_oauth_"), r"[\w.=-]{30,80}+"),
    Format("netlify_token", ("nfp_", "nfc_"), rf"{_ALNUM}{{30,60}}+"),
    Format("terraform_token", ("atlasv1.",), r"[\w=-]{50,80}+"),
    Format("tailscale_key", ("tskey-",), r"[\w-]{16,80}+"),
    Format("brevo_key", ("xkeysib-", "xsmtpsib-"), r"[\w-]{40,120}+"),
    Format("heroku_key", ("HRKU-",), rf"{_URL}{{30,80}}+"),
    Format("pulumi_token", ("pul-",), rf"{_HEX}{{40}}(?![A-Za-z0-9])", cut=False),
    Format(
        "dynatrace_token", ("dt0c01.", "dt0s01.", "dt0s02."), r"[A-Z0-9]{20,30}\.[A-Z0-9]{50,80}+"
    ),
    Format("easypost_key", ("EZAK", "EZTK"), rf"{_ALNUM}{{50,60}}+"),
    Format("contentful_token", ("CFPAT-",), rf"{_URL}{{40,60}}+"),
    Format("buildkite_token", ("bkua_", "bkpt_"), rf"{_HEX}{{40}}"),
    Format("circleci_token", ("CCIPAT_", "CCIPRJ_"), r"\w{40,100}+"),
    Format("openshift_token", ("sha256~",), rf"{_URL}{{40,50}}+"),
    Format("readme_key", ("rdme_",), rf"{_ALNUM}{{60,80}}+"),
    Format("prefect_key", ("pnu_", "pnb_"), rf"{_ALNUM}{{30,60}}+"),
    Format("airtable_token", ("pat",), rf"{_ALNUM}{{14}}\.{_HEX}{{64}}", cut=False),
    Format("fireworks_key", ("fw_",), rf"{_ALNUM}{{22,40}}(?![A-Za-z0-9])", cut=False),
    Format(
        "cratesio_token",
        ("cio",),
        rf"{_ALNUM}{{32}}(?![A-Za-z0-9])",
        cut=False,
    ),
    Format("dropbox_token", ("sl.",), rf"{_URL}[\w.-]{{60,2000}}+", cut=False),
    Format("fly_token", ("fo1_", "FlyV1"), r"[\w =,+/-]{40,1000}+", cut=False),
    Format("jfrog_key", ("AKCp",), rf"{_ALNUM}{{60,80}}+"),
    Format(
        "service_key",
        (
            "stk_",
            "esecret_",
            "apify_api_",
            "shippo_live_",
            "shippo_test_",
            "PMAT-",
            "tgp_v1_",
            "pat_",
            "vcp_",
            "vck_",
            "cohere_",
            "ctx7sk-",
            "sbx_",
            "np_live_",
            "oy2",
        ),
        r"[\w-]{24,120}+",
        cut=False,
    ),
)

_LEFT: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-F][0-9A-F]))"
_HEADS: Final = sorted({head for row in FORMATS for head in row.heads}, key=len, reverse=True)
_HEAD: Final = re.compile(_LEFT + "(?:" + "|".join(map(re.escape, _HEADS)) + ")")
_STARTS: Final = frozenset(re.split(r"[^A-Za-z0-9]", head)[0][:3].encode() for head in _HEADS) | {
    b"1"
}
_SEPARATORS: Final = bytes(c if chr(c).isalnum() and c < 128 else 32 for c in range(256))
_CUT_LEFT: Final = 4
"""So many characters after a head suffice at the end of a text that was cut."""


def _rows() -> dict[str, list[tuple[str, re.Pattern[str], bool]]]:
    rows: dict[str, list[tuple[str, re.Pattern[str], bool]]] = {}
    for head in _HEADS:
        for row in FORMATS:
            for own in row.heads:
                if head.startswith(own):
                    pattern = re.compile(re.escape(own) + row.body)
                    rows.setdefault(head, []).append((row.kind, pattern, row.cut))
    return rows


_ROWS: Final = _rows()
_CUT_HEADS: Final = {
    head: row.kind for row in FORMATS if row.cut for head in row.heads if len(head) >= 4
}
_CUT: Final = re.compile(
    _LEFT
    + "("
    + "|".join(map(re.escape, sorted(_CUT_HEADS, key=len, reverse=True)))
    + r")(?=[\w-]{0,40}[0-9A-Z])[\w.+/=-]{4,400}+\Z"
)
_JWT_HEAD: Final = re.compile(
    r"eyJ(?:hbGciOi|0eXAiOi|raWQiOi|jdHkiOi|lbmMiOi|4NXQi|qa3Ui|hcHAiOi)[A-Za-z0-9_-]{0,8192}+"
    r"(?:\.[A-Za-z0-9_-]{0,16384}+){0,4}\Z"
)
_DIGIT: Final = re.compile(r"\d")
_LETTER: Final = re.compile(r"[A-Za-z]")
_PART: Final = re.compile(r"[A-Za-z0-9_-]*+")
_TELEGRAM: Final = re.compile(r"AA[\w-]{31,35}+")
_DISCORD: Final = re.compile(
    r"(?<![\w.-])[MNO][A-Za-z0-9_-]{22,27}\.[\w-]{6}\.[\w-]{27,44}+(?![\w.-])"
)
_MAILCHIMP: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}-us\d{1,2}(?!\w)")
_AZURE_SECRET: Final = re.compile(r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}+")


def find_in_run(text: str, raw: bytes, start: int, end: int, spans: list[Span]) -> None:
    """Add to *spans* the secrets in the run of token characters from *start* to *end*."""
    run = raw[start:end]
    pieces = run.translate(_SEPARATORS).split()
    if not _STARTS.isdisjoint([piece[:3] for piece in pieces]) or b"\\" in run or b"%" in run:
        _find_heads(text, start, end, spans)
    if end - start < 36:
        return
    if run.count(b".") >= 2 and end - start >= 57:
        for found in _DISCORD.finditer(text, start, end):
            spans.append(Span(found.start(), found.end(), "discord_token"))
    if b"-us" in run:
        for found in _MAILCHIMP.finditer(text, start, end):
            spans.append(Span(found.start(), found.end(), "mailchimp_key"))
    if b"Q~" in run:
        for found in _AZURE_SECRET.finditer(text, start, end):
            spans.append(Span(found.start(), found.end(), "azure_secret"))


def _find_heads(text: str, start: int, end: int, spans: list[Span]) -> None:
    at = start
    no_jwt_until = 0
    while True:
        head = _HEAD.search(text, at, end)
        if head is None:
            return
        first = head.start()
        name = head.group()
        at = first + 1
        if name == "eyJ":
            if first < no_jwt_until:
                continue
            part = _PART.match(text, first)
            no_jwt_until = part.end() if part is not None else at
            if not text.startswith(".", no_jwt_until):
                continue  # no later head in this part can begin a JWT either
        for kind, pattern, sure in _ROWS[name]:
            found = pattern.match(text, first)
            if found is None:
                continue
            at = found.end()
            if sure or _is_mixed(text[first + len(name) : at]):
                spans.append(Span(first, at, kind))
                break


def _is_mixed(body: str) -> bool:
    return _DIGIT.search(body) is not None and _LETTER.search(body) is not None


def find_telegram(text: str, raw: bytes, spans: list[Span]) -> None:
    """Add the bot tokens of Telegram: digits, a colon, then ``AA`` and 33 characters."""
    at = raw.find(b":AA")
    while at >= 0:
        found = _TELEGRAM.match(text, at + 1)
        digits = raw[max(0, at - 12) : at]
        number = len(digits) - len(digits.rstrip(b"0123456789"))
        if found is not None and 7 <= number <= 11:
            spans.append(Span(at - number, found.end(), "telegram_token"))
        at = raw.find(b":AA", at + 3)


def find_cut(text: str, start: int, spans: list[Span]) -> None:
    """Add what begins like a credential in the last run of a text, from *start*, and is cut off."""
    at = text.find("eyJ", start)
    if at >= 0:
        found = _JWT_HEAD.match(text, at)
        if found is not None:
            spans.append(Span(at, len(text), "jwt"))
            return
    found = _CUT.search(text, start)
    if found is not None:
        spans.append(Span(found.start(), len(text), _CUT_HEADS[found.group(1)]))


def credential_kind(text: str) -> str | None:
    """Return the kind if *text* holds a credential by its form, else ``None``."""
    spans: list[Span] = []
    raw = text.encode("ascii", "replace")
    find_in_run(text, raw, 0, len(text), spans)
    find_telegram(text, raw, spans)
    find_cut(text, 0, spans)
    return spans[0].kind if spans else None
