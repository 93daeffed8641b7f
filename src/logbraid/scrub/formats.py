"""The table of formats that tell themselves: kind, heads, and the pattern after a head.

A new row is one line here and two in the tests.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Format(NamedTuple):
    """One row: a secret of *kind* begins with one of *heads* and matches *body* after it.

    *cut*: the head alone tells, so a token that was cut off is told by it too. Without it the head
    is a common word, and the rest must hold a digit and a letter.
    """

    kind: str
    heads: tuple[str, ...]
    body: str
    cut: bool = True


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
    Format("google_code", ("4/0A", "4%2F0A"), rf"{_URL}{{20,200}}+"),
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
        "vault_token",
        ("s.",),
        r"(?=[^A-Z]{0,23}[A-Z])(?=[^a-z]{0,23}[a-z])[A-Za-z0-9]{24}(?![\w.(])",
        cut=False,
    ),
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
    Format("square_token", ("EAAA",), rf"{_URL}{{60}}(?![\w-])", cut=False),
    Format("facebook_token", ("EAA",), rf"[A-Z]{_ALNUM}{{90,400}}+", cut=False),
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
        tuple(
            (
                "cfat_ cfut_ cfk_ sqp_ sqa_ squ_ napi_ rnd_ rpa_ bb_live_ cal_live_ ATTA "
                "n8n_api_ hcaik_ hcbik_ hcxik_ hcaic_ hcxlk_ dbtc_ dbtu_ rzp_live_ mdb_sa_sk_ "
                "tr_prod_ tr_dev_"
            ).split()
        ),
        rf"{_ALNUM}{{24,255}}+(?!_)",
        cut=False,
    ),
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
            "tfp_",
            "duffel_live_",
            "duffel_test_",
            "pylf_v1_",
            "xaat-",
            "xapt-",
            "FLWSECK-",
            "FLWSECK_TEST-",
            "fio-u-",
            "tk-us-",
            "CLOJARS_",
            "access-production-",
            "ops_eyJ",
            "wandb_v1_",
            "APA91b",
            "sk.eyJ",
            "paddle_live_",
            "pdl_live_",
            "trigger_secret_",
            "inngest_sk_",
            "signkey-prod-",
            "signkey-branch-",
            "secret_live_",
            "secret_test_",
        ),
        r"[\w-]{24,120}+",
        cut=False,
    ),
)
