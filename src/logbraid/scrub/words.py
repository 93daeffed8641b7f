"""The vocabulary of field names: which words name a secret, and which only speak about one.

Tables and nothing else; how they are matched stands in ``keys.py``. All entries are written as
``keys.words`` cuts a name: casefolded, without accents, words separated by spaces. English puts
the noun that counts last (``db password``, but ``password policy``); the Romance languages put
it first, which is why the words of other languages have their own table.
"""

from __future__ import annotations

from typing import Final

PASSWORDS: Final = (
    # the word, its short and its wrong forms
    "passcode|passkey|passphrase|passphrases|passwd|passwds|password|passwords|passwrd|psw|"
    "pswd|pw|pwd|"
    # the same written apart
    "pass code|pass phrase|pass wd|pass word|"
    # with its owner, as ``pass`` alone may be a verb
    "db pass|key pass|keystore pass|store pass|temp pass|user pass|"
    # of LDAP's settings, which are glued
    "bind pw|bindpw|root pw|rootpw|"
    # what opens a network or a device, and is typed like a password
    "pre shared key|preshared key|presharedkey|psk|unlock code|wifi key|wpa key|"
    # for one use, and it may be a number
    "one time password"
)
PHRASES: Final = (
    "mnemonic|seed phrase|recovery phrase|secret phrase|wallet seed|mnemonic phrase|seed words|"
    "mnemonic words"
)
CODES: Final = (
    "fa code|factor code|"
    "otp|totp|otp code|totp code|mfa code|2fa code|two factor code|verification code|sms code|"
    "security code|one time code|recovery code|recovery codes|backup code|backup codes|"
    "one time passcode|mfa token|otp secret|totp secret|otp token|login code|activation code"
)
PINS: Final = (
    "pin|user pin|card pin|atm pin|bank pin|security pin|sim pin|login pin|device pin|unlock pin|"
    "wallet pin|new pin|old pin|confirm pin|pin number|debit pin|account pin"
)
CARD_SECRETS: Final = "cvv|cvc|cvv2|cvc2|csc|card verification value|card verification code"
PEOPLE_SECRETS: Final = "ssn|social security number|social security no|social security"

SIGNATURES: Final = (
    "hub signature|hub signature 256|stripe signature|slack signature|twilio signature|x signature|"
    "webhook signature|request signature|hmac signature|hmac sha256|shopify hmac sha256"
)
SECRETS: Final = (
    "sudo pass|secret|secrets|credential|credentials|creds|cred|client secret|webhook secret|"
    "secret access|"
    "app secret|consumer secret|shared secret|signing secret|"
    "bearer|jwt|csrf|xsrf|secret question answer|"
    "security answer|code verifier|client assertion|saml response|saml assertion|kubeconfig|"
    "basic auth|userpwd|auth data|session cookie|session secret|"
    "encrypted password|service account json|authenticity token|login cookie"
)
KEYS: Final = (
    "api|access|private|secret|signing|sign|encryption|decryption|encrypt|crypto|cipher|account|"
    "master|auth|authentication|authorization|authorisation|hmac|aes|des|rsa|unseal|shared|"
    "storage|webhook|client|subscription|license|licence|admin|root|deploy|bot|service role|"
    "secret access|storage account|shared access|application|app|consumer|developer|ssh|ssl|tls|"
    "pgp|gpg|write|ingest|ingestion|instrumentation|integration|server|service|recovery|wallet|"
    "jwt|fernet|vault|symmetric|user|team|project api|org|partner|merchant|sdk|rest|test|live|"
    "sandbox|function|functions|host|session|token|cookie|signature|app secret|device|x"
)
"""Words that make ``<word> key`` a key to a lock; those in ``SHAPED_KEYS`` only by its shape."""

SHAPED_KEYS: Final = frozenset(
    (
        "account service server user team org partner test live host session token cookie "
        "signature device x function functions client app application rsa ssl tls ssh pgp "
        "gpg jwt write rest sdk storage vault shared integration project cipher sandbox "
        "root admin bot license licence"
    ).split()
)

VENDORS: Final = frozenset(
    (
        "openai anthropic claude azure aws gcp google gemini github gitlab bitbucket "
        "slack discord telegram twilio stripe paypal square sendgrid mailgun mailchimp "
        "postmark resend datadog newrelic sentry grafana honeycomb pinecone weaviate "
        "qdrant supabase firebase mongodb mongo postgres postgresql mysql mariadb redis "
        "rabbitmq kafka elastic elasticsearch snowflake databricks huggingface hf "
        "replicate cohere mistral groq together fireworks perplexity deepseek xai "
        "openrouter langsmith langchain langfuse tavily serper serpapi exa brave bing "
        "notion linear jira atlassian confluence figma shopify zendesk hubspot salesforce "
        "airtable dropbox box cloudflare digitalocean heroku vercel netlify render fly "
        "docker npm pypi nuget maps mapbox algolia segment amplitude mixpanel posthog "
        "launchdarkly pagerduty opsgenie intercom plaid coinbase binance kraken "
        "elevenlabs deepgram assemblyai voyage jina nvidia okta auth0 clerk vonage nexmo "
        "telnyx alpaca polygon finnhub alphavantage openweather openweathermap newsapi "
        "rapidapi twitter facebook instagram linkedin reddit youtube spotify oracle ibm "
        "alibaba tencent baidu dashscope zhipu moonshot minio cloudinary pusher ably "
        "infura alchemy etherscan moralis ldap smtp imap ftp sftp ssh vpn wifi proxy mqtt "
        "jenkins sonar artifactory nexus terraform consul vault cassandra clickhouse "
        "neo4j sqlserver mssql db database sql jdbc odbc"
    ).split()
)
"""Whose key it is: ``<vendor> key`` is one to a lock, ``api key <vendor>`` too."""

NEUTRAL: Final = frozenset(
    (
        "value values val string str text txt plain plaintext clear cleartext raw data "
        "b64 base64 hex pem json encoded bytes new old current confirm confirmation "
        "confirmed again repeat retype verify header prod production dev development "
        "staging stage test testing live sandbox primary secondary backup main default "
        "previous prev next hash hashed digest env input param parameter arg argument "
        "content contents base local internal external global admin user root readonly ro "
        "rw eu us uk de one two a b c x y alt fallback temp tmp encrypted decrypted for "
        "of cache legacy override blob literal "
        "utente usuario utilisateur benutzer attuale actual "
        "nuova nueva nouveau nouvelle ancien vecchia vieja antigua anterior banco neu alt"
    ).split()
)
"""Words that may follow a secret's name without changing what it names."""

ASKING: Final = frozenset(
    (
        "has is use uses using requires require required needs need allow allows show "
        "hide enable enabled disable disabled no without with forgot num number count "
        "total n max min avg sum mean should can supports support invalid missing expired "
        "valid validate check ask prompt skip ignore include exclude mask redact send "
        "save remember force store did was are per"
    ).split()
)
"""A name that begins so asks or counts: ``has_password``, ``max_token``."""

SAFE: Final = frozenset(
    (
        "page token|next token|previous token|prev token|continuation token|cursor token|"
        "pagination token|starting token|resume token|delta token|sync token|start token|"
        "end token|stop token|eos token|bos token|pad token|unk token|sep token|"
        "cls token|mask token|special token|first token|last token|input token|"
        "output token|prompt token|completion token|cached token|reasoning token|"
        "per token|max token|min token|total token|image token|audio token|"
        "thinking token|text token|next token text|decoded token|generated token|"
        "sampled token|token token|each token|begin token|cursor|scroll token|"
        "change token|list token|query token|lookahead token|unexpected token|"
        "start page token|next sync token|next page token|num token|subword token|"
        "image pad token|pagination next token|parsed token|lex token|primary key|"
        "foreign key|sort key|partition key|cache key|idempotency key|routing key|"
        "public key|range key|hash key|object key|s3 key|row key|group key|dedup key|"
        "dedupe key|deduplication key|lookup key|map key|dict key|json key|index key|"
        "unique key|composite key|shard key|distribution key|cluster key|surrogate key|"
        "natural key|candidate key|translation key|message key|event key|record key|"
        "config key|setting key|feature key|flag key|issue key|project key|item key|"
        "entity key|space key|state key|redis key|lock key|metric key|label key|tag key|"
        "attribute key|property key|header key|field key|column key|name key|path key|"
        "file key|blob key|storage object key|kms key|publishable key|pub key|arrow key|"
        "enter key|hot key|shortcut key|function key pressed|pressed key|answer key|"
        "host key|host public key|ssh public key|rate limit key|limiter key|bucket key|"
        "consumer group key|thread key|session storage key|i18n key|locale key|"
        "registry key|job key|task key|queue key|topic key|stream key name|data key|"
        "store key|memo key|meta key|option key|query key|react key|error key|result key|"
        "response key|output key|input key|target key|source key|parent key|child key|"
        "tenant key|customer key|order key|user key|last key|first key|next key|"
        "start key|end key|evaluated key|search key|grouping key|join key|"
        "correlation key|trace key|span key|business key|vapid public key|public api key|"
        "site key|secret key ref|secret ref|key ref|anti forgery|author|authority|"
        "cookie policy|cookie consent|non secret|not secret|public secret|keyboard key|"
        "piano key|musical key|song key|major key|minor key|the key|any key|magic key|"
        "sequence key|time key|date key|document key|doc key|node key|edge key|"
        "vertex key|version key|string key|dictionary key|hash map key|kv key|"
        "semantic key"
    ).split("|")
)
"""Ends of names that look like one of a secret and are none."""

SAFE_FIRST: Final = frozenset(["public", "publishable", "non", "pub"])


SUFFIXES: Final = (
    "password passwd passphrase passwort kennwort apikey secretkey privatekey "
    "accesskey accesstoken refreshtoken authtoken apitoken csrftoken xsrftoken "
    "sessiontoken idtoken bearertoken bottoken usertoken middlewaretoken clientsecret "
    "appsecret apisecret consumersecret sharedsecret webhooksecret masterkey "
    "signingkey encryptionkey accountkey storepass keypass userpass dbpass sshpass "
    "rootpass adminpass smtppass dbpwd userpwd mysqlpwd connectionstring connstring "
    "connstr setcookie authkey securitytoken requestverificationtoken wachtwoord "
    "contrasena jelszo schlussel secret sessioncookie recoverycode backupcode securitycode "
    "verificationcode githubtoken gitlabtoken npmtoken slacktoken devicetoken pushtoken jwttoken "
    "adminpwd rootpwd loginpwd oauthtoken logintoken resettoken "
    "verificationtoken vaulttoken servicetoken deploytoken secrettoken clienttoken "
    "admintoken jwtkey hmackey webhookkey licensekey"
).split()
"""Words that are glued to what stands before them (``PGPASSWORD``) and stay themselves."""

GLUED: Final = {
    "apikey": "api key",
    "secretkey": "secret key",
    "privatekey": "private key",
    "accesskey": "access key",
    "masterkey": "master key",
    "signingkey": "signing key",
    "encryptionkey": "encryption key",
    "accountkey": "account key",
    "authkey": "auth key",
    "apikeys": "api keys",
    "authtoken": "auth token",
    "accesstoken": "access token",
    "refreshtoken": "refresh token",
    "sessiontoken": "session token",
    "securitytoken": "security token",
    "idtoken": "id token",
    "apitoken": "api token",
    "csrftoken": "csrf token",
    "xsrftoken": "xsrf token",
    "bearertoken": "bearer token",
    "bottoken": "bot token",
    "usertoken": "user token",
    "middlewaretoken": "csrf token",
    "requestverificationtoken": "csrf token",
    "clientsecret": "client secret",
    "appsecret": "app secret",
    "apisecret": "api secret",
    "consumersecret": "consumer secret",
    "sharedsecret": "shared secret",
    "webhooksecret": "webhook secret",
    "storepass": "store pass",
    "keypass": "key pass",
    "userpass": "user pass",
    "dbpass": "db pass",
    "sshpass": "user pass",
    "rootpass": "user pass",
    "adminpass": "user pass",
    "smtppass": "user pass",
    "dbpwd": "pwd",
    "userpwd": "pwd",
    "mysqlpwd": "pwd",
    "connectionstring": "connection string",
    "connstring": "connection string",
    "connstr": "connection string",
    "setcookie": "set cookie",
    "adminpwd": "pwd",
    "rootpwd": "pwd",
    "loginpwd": "pwd",
    "sessioncookie": "session cookie",
    "recoverycode": "recovery code",
    "backupcode": "backup code",
    "securitycode": "security code",
    "verificationcode": "verification code",
    "hmackey": "hmac key",
    "webhookkey": "webhook key",
    "licensekey": "license key",
    "jwtkey": "jwt key",
    **{
        f"{whose}token": f"{whose} token"
        for whose in (
            "github gitlab npm slack device push jwt oauth login reset verification vault service "
            "deploy secret client admin"
        ).split()
    },
    "schlussel": "schlussel",
}

CARD_WORDS: Final = frozenset(
    (
        "card number|credit card|creditcard|card no|cc number|cardnumber|debit card|"
        "card num|pan|ccnum|ccn|cc|cc num|card|payment card|primary account number|"
        "kreditkarte|kartennummer|kreditkartennummer|carte bancaire|numero de carte|"
        "tarjeta|numero de tarjeta|cartao|numero do cartao|carta di credito|"
        "credit card number|creditcardnumber"
    ).split("|")
)

SLOTS: Final = frozenset(
    (
        "value|val|v|values|old|new|old value|new value|before|after|previous|previous value|"
        "current|"
        "current value|default|input|input value|content|data|text|string value|value string|"
        "parameter value|attribute value|setting value|header value|env value|variable value|"
        "field value|option value|param value|raw value|old val|new val|from|to|rows|records"
    ).split("|")
)
"""Names of a value whose own name stands beside it: ``{"name": "x", "value": "y"}``."""

SLOT_NAMES: Final = (
    "name",
    "key",
    "header",
    "field",
    "variable",
    "param",
    "parameter",
    "option",
    "attribute",
    "property",
    "column",
    "setting",
    "label",
    "k",
    "id",
    "Name",
    "Key",
    "Header",
    "Field",
    "ParameterKey",
    "ParameterName",
    "AttributeName",
    "attribute_name",
    "param_name",
    "variable_name",
    "env_name",
    "setting_name",
    "option_name",
    "path",
    "prop",
    "header_name",
    "headerName",
    "fieldName",
    "field_name",
    "env",
    "var",
    "loc",
    "selector",
    "element",
    "locator",
    "placeholder",
    "type",
)
