"""Programs that take a secret by a letter or by its place. A table and nothing else."""

from __future__ import annotations

from typing import Final, NamedTuple


class Flag(NamedTuple):
    """An option of one program that carries a secret.

    *glued* is ``""`` where a blank must follow, ``"only"`` where none may, ``"too"`` where both
    are right. *form* is ``pair`` for ``user:password``, ``cookie`` for ``name=value``.
    """

    name: str
    glued: str = ""
    form: str = ""
    only_with: str = ""


class Place(NamedTuple):
    """After *words* (options not counted) the argument number *at* is a secret.

    *named*: only where the argument before it is a secret name.
    """

    words: tuple[str, ...]
    at: int
    named: bool = False


_P: Final = (Flag("-p"),)
_GLUED_P: Final = (Flag("-p", "only"),)
_W: Final = (Flag("-w", "too"),)
_LOGIN: Final = (Flag("-p", only_with="login"),)
_BIG_P: Final = (Flag("-P", "too"),)
_BASIC: Final = (
    Flag("-u", "too", "pair"),
    Flag("--user", "", "pair"),
    Flag("-U", "too", "pair"),
    Flag("--proxy-user", "", "pair"),
    Flag("-b", "too", "cookie"),
    Flag("--cookie", "", "cookie"),
    Flag("--oauth2-bearer"),
    Flag("--pass"),
)
_AUTH: Final = (Flag("-a", "", "pair"), Flag("--auth", "", "pair"))

FLAGS: Final[dict[str, tuple[Flag, ...]]] = {
    **dict.fromkeys(
        (
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlsh",
            "mariadb",
            "mariadb-dump",
            "7z",
            "7za",
            "7zr",
        ),
        _GLUED_P,
    ),
    **dict.fromkeys(
        (
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "cqlsh",
            "beeline",
            "crackmapexec",
            "netexec",
            "nxc",
            "evil-winrm",
            "hydra",
            "impala-shell",
            "ldapmodrdn",
        ),
        _P,
    ),
    "sshpass": (Flag("-p", "too"),),
    "redis-cli": (Flag("-a", "too"), Flag("--pass")),
    "valkey-cli": (Flag("-a", "too"), Flag("--pass")),
    **dict.fromkeys(
        (
            "sqlcmd",
            "bcp",
            "isql",
            "osql",
            "zip",
            "unzip",
            "mosquitto_pub",
            "mosquitto_sub",
            "ipmitool",
            "winexe",
            "tsql",
        ),
        _BIG_P,
    ),
    **dict.fromkeys(
        ("ldapsearch", "ldapadd", "ldapmodify", "ldapwhoami", "ldapdelete", "ldappasswd"), _W
    ),
    **dict.fromkeys(
        (
            "docker",
            "podman",
            "nerdctl",
            "helm",
            "az",
            "oc",
            "buildah",
            "skopeo",
            "crane",
            "oras",
            "argocd",
            "cf",
            "ibmcloud",
        ),
        _LOGIN,
    ),
    **dict.fromkeys(("plink", "pscp", "psftp"), (Flag("-pw"),)),
    "keytool": (
        Flag("-storepass"),
        Flag("-keypass"),
        Flag("-srcstorepass"),
        Flag("-deststorepass"),
    ),
    "jarsigner": (Flag("-storepass"), Flag("-keypass")),
    "snmpwalk": (Flag("-A"), Flag("-X")),
    "snmpget": (Flag("-A"), Flag("-X")),
    "psexec": _P,
    "PsExec": _P,
    "psexec64": _P,
    "twine": _P,
    "useradd": _P,
    "usermod": _P,
    "openssl": (Flag("-k", only_with="enc"), Flag("-K", only_with="enc")),
    "etcdctl": (Flag("--user", "", "pair"),),
    "doctl": (Flag("-t", only_with="auth"),),
    "cmdkey": (Flag("/pass:", "only"),),
    "schtasks": (Flag("/rp"), Flag("/RP"), Flag("/P")),
    "nats": (Flag("--user", "", "pair"),),
    "influx": (Flag("-p"), Flag("-t")),
    "ldapcompare": _W,
    "wpa_passphrase": (),
    "consul": (),
    "pulumi": (),
    "wmic": (),
    "ssh-keygen": (Flag("-N", "too"), Flag("-P", "too")),
    "ConvertTo-SecureString": (Flag("-String"),),
    **dict.fromkeys(("xfreerdp", "xfreerdp3", "wfreerdp", "freerdp"), (Flag("/p:", "only"),)),
    "rdesktop": _P,
    **dict.fromkeys(("curl", "ab", "lftp", "aria2c"), _BASIC),
    **dict.fromkeys(("http", "https", "xh", "xhs"), _AUTH),
    **dict.fromkeys(
        ("smbclient", "rpcclient", "smbget", "smbmap"), (Flag("-U", "too", "pair"), Flag("-p"))
    ),
    "setx": (),
    "setenv": (),
    "aws": (),
    "npm": (),
    "yarn": (),
    "pnpm": (),
    "pip": (),
    "git": (),
    "gcloud": (),
    "rabbitmqctl": (),
    "htpasswd": (),
    "net": (),
    "vault": (),
    "poetry": (),
    "composer": (),
    "bundle": (),
    "gh": (Flag("--body", only_with="secret"), Flag("-b", only_with="secret")),
    "ENV": (),
    "ARG": (),
    "heroku": (),
    "fly": (),
    "wrangler": (),
    "snyk": (),
    "doppler": (),
    "ngrok": (),
    "cryptsetup": (),
    "nmcli": (),
    "tailscale": (),
}

PLACES: Final[dict[str, tuple[Place, ...]]] = {
    "setx": (Place((), 1, named=True),),
    "setenv": (Place((), 1, named=True),),
    "ENV": (Place((), 1, named=True),),
    "aws": (Place(("configure", "set"), 3, named=True),),
    "npm": (Place(("config", "set"), 3, named=True), Place(("set",), 2, named=True)),
    "yarn": (Place(("config", "set"), 3, named=True),),
    "pnpm": (Place(("config", "set"), 3, named=True),),
    "pip": (Place(("config", "set"), 3, named=True),),
    "git": (Place(("config",), 2, named=True),),
    "poetry": (Place(("config",), 2, named=True),),
    "doppler": (Place(("secrets", "set"), 3, named=True),),
    "rabbitmqctl": (Place(("add_user",), 2), Place(("change_password",), 2)),
    "htpasswd": (Place((), 2),),
    "net": (Place(("user",), 2),),
    "ConvertTo-SecureString": (Place((), 0),),
    "snyk": (Place(("auth",), 1),),
    "ngrok": (Place(("authtoken",), 1), Place(("config", "add-authtoken"), 2)),
    "vault": (Place(("login",), 1),),
    "wpa_passphrase": (Place((), 1),),
    "consul": (Place(("login",), 1, named=True),),
    "pulumi": (Place(("config", "set"), 3, named=True),),
}
