"""Settings of callbacks: which hosts may be told how a job ended, what signs it, and how long it is tried.

Promises: closed until a host is named; a host is one exact name, never a pattern, and written in one way only, so that
names can be compared as text. Scope ends at the values; whether an address may be called is said by
`worker.accept.callback`, and what is told by `worker.deliver.job_event`.
"""

import re
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from settings.secret import SigningRef
from settings.section import Limits, Seconds, Section, Whole, freeze, not_bool, wrong
from settings.stellantis import File

LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")
LIKE_AN_ADDRESS = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|[0-9]+)")
"""Resolvers read a name that ends so as an IPv4 address, also in forms that do not look like one."""
DEFAULT_PORTS = {"https": 443, "http": 80}


def host_name(host: str, port: int | None = None) -> str:
    """`host[:port]` as it is compared. ValueError for what is no host."""
    host = host.lower()
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        if not NAME.fullmatch(host) or len(host) > 253 or LIKE_AN_ADDRESS.fullmatch(host):
            raise ValueError("no host name") from None
    else:
        host = f"[{address.compressed}]" if address.version == 6 else address.compressed
    if port is not None and not 0 < port < 65536:
        raise ValueError("no port")
    return host if port is None else f"{host}:{port}"


def is_loopback(name: str) -> bool:
    """Whether a host as `host_name` writes it is this very machine."""
    host = bare(name)
    return host == "localhost" or (is_address(name) and ip_address(host).is_loopback)


def is_address(name: str) -> bool:
    """Whether it is an address itself, so that nothing has to be looked up."""
    try:
        ip_address(bare(name))
    except ValueError:
        return False
    return True


def bare(name: str) -> str:
    """Without port and brackets."""
    return urlsplit(f"//{name}").hostname or ""


def exact_host(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,300}", value) or re.search(r"[/?#@\\*%]", value):
        raise wrong()
    try:
        parts = urlsplit(f"//{value}")
        name = host_name(parts.hostname or "", parts.port)
    except ValueError:
        raise wrong() from None
    usual = (":443", ":80") if is_loopback(name) else (":443",)
    return next((name.removesuffix(end) for end in usual if name.endswith(end) and not name.endswith("]")), name)


Host = Annotated[str, BeforeValidator(exact_host)]
WORDS = "exact hosts, each with its port where that is not the usual one"


def each_once(hosts: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(hosts)) != len(hosts):
        raise wrong()
    return hosts


Hosts = Annotated[tuple[Host, ...], AfterValidator(each_once)]


class CallbacksSection(Section):
    hosts: Hosts = Field(default=(), description=f'a list of {WORDS}, each once: ["hooks.example.com"]')
    private_hosts: Hosts = Field(
        default=(), description=f"a list of {WORDS}, each once, of those that may have private addresses"
    )
    secret: SigningRef | None = Field(
        default=None,
        description='the secret that signs them, as whsec_ and the Base64 of 24 to 64 bytes, or {"file": "path"}',
    )
    next_secret: SigningRef | None = Field(
        default=None,
        description="the secret that signs them as well during a rotation, as whsec_ and the Base64 of 24 to 64 bytes, "
        'or {"file": "path"}',
    )
    ca_bundle: File | None = Field(default=None, description="the path of a PEM file, or nothing")
    limits: Limits = Field(
        default=freeze({}), description='limits by host: {"hooks.example.com": {"limit": 10, "window_s": 1}}'
    )
    attempts: Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=100)] = Field(
        default=15, description="a whole number of attempts from 1 to 100"
    )
    backoff_base_s: Seconds = Field(default=5.0, description="seconds above 0, the base of the wait between attempts")
    backoff_cap_s: Seconds = Field(default=3600.0, description="seconds above 0, the longest wait between attempts")
    deadline_s: Seconds = Field(
        default=86_400.0, description="seconds above 0 after the end in which it is told (never past its result)"
    )
    timeout_s: Seconds = Field(default=10.0, description="seconds above 0 that a receiver may take to answer")
    max_result_bytes: Whole = Field(
        default=262_144, description="a whole number of bytes, at least 1, above which a result is left out"
    )
