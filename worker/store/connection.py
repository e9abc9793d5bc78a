"""Plumbing of the store: connections, what the server is, and which errors mean "away for now".

Promises: redis-py never repeats a command by itself (a script that ran and lost its reply would run twice), and a
server that cannot keep Paceline's promises is named in one sentence. Scope ends at the connection; one of one's own is
`line.py`'s, and what is said over it `scripts.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from worker.errors import StoreUnavailable

SOCKET_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 3.0
OLDEST = (7, 0)
RIGHTS = "~paceline:* +@read +@write +@scripting +@connection +@blocking +info +time +config|get"

_AWAY = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    ClusterDownError,
    TryAgainError,
    OutOfMemoryError,
)
_AWAY_WORDS = re.compile(r"^(MISCONF|BUSY|LOADING|READONLY|CLUSTERDOWN|TRYAGAIN|OOM|MASTERDOWN|NOREPLICAS|UNBLOCKED)\b")
_REFUSED = (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError)


def is_outage(error: BaseException) -> bool:
    """Whether trying again later can help. Anything else is a mistake and must not hold a thread for ever."""
    if isinstance(error, _REFUSED):
        return False
    if isinstance(error, _AWAY):
        return True
    return isinstance(error, ResponseError) and bool(_AWAY_WORDS.match(str(error)))


def connect(url: str, *, timeout_s: float = SOCKET_TIMEOUT_S, connections: int = 64) -> redis.Redis:
    """A client of the server at `url` (redis, rediss or unix). Opens no connection yet."""
    keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        **keepalive,
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
        max_connections=connections,
        client_name="paceline",
    )


@dataclass(frozen=True, slots=True)
class Server:
    """What one run of the server says of itself."""

    run: str
    product: str
    version: str
    role: str
    policy: str | None
    append_only: bool
    fsync: str | None
    max_memory: int
    replicas: int
    promoted: bool = False
    """It was a replica before: what the primary had not sent it yet, it never had."""

    @property
    def forgets_nothing(self) -> bool:
        """Whether a restart of this server loses no acknowledged write."""
        return self.append_only and self.fsync == "always"

    @property
    def durable(self) -> bool:
        """Whether another run of the store cannot have forgotten an acknowledged write."""
        return self.forgets_nothing and self.role == "master" and self.replicas == 0 and not self.promoted

    @property
    def promise(self) -> str:
        """Which durability promise holds, in words."""
        if self.durable:
            return "every acknowledged job survives a crash of the server (append-only file, fsync always)"
        if self.forgets_nothing:
            return "a restart of the server loses nothing, a failover to a replica what that had not heard of yet"
        if self.append_only:
            return f"a crash of the server's machine may lose its last second or more (appendfsync {self.fsync or '?'})"
        return "a restart of the server may lose everything since its last snapshot (no append-only file)"


class Describes(Protocol):
    """What can be asked what it is: redis-py's client, or a `Line`."""

    def info(self, section: str, /) -> Any: ...

    def config_get(self, name: str, /) -> Any: ...


def describe_server(client: Describes) -> Server:
    """Asks the server what it is; settings it will not show (managed services) stay None."""
    info: dict[str, Any] = client.info("everything")
    config: dict[str, Any] = {}
    for name in ("maxmemory-policy", "appendfsync"):
        try:
            shown: Mapping[Any, Any] = client.config_get(name)
            config.update(shown)
        except ResponseError:  # CONFIG is closed on managed services
            continue
    valkey = info.get("valkey_version")
    return Server(
        run=str(info["run_id"]),
        product="Valkey" if valkey else "Redis",
        version=str(valkey or info["redis_version"]),
        role=str(info.get("role", "master")),
        policy=config.get("maxmemory-policy") or info.get("maxmemory_policy"),
        append_only=bool(int(info.get("aof_enabled", 0))),
        fsync=config.get("appendfsync"),
        max_memory=int(info.get("maxmemory", 0)),
        replicas=int(info.get("connected_slaves", 0)),
        promoted=int(info.get("second_repl_offset", -1)) >= 0,
    )


def problems_of(server: Server, oldest: tuple[int, int] = OLDEST) -> list[str]:
    """Sentences about what makes this server unfit; empty when it will do."""
    found = []
    version = tuple(int(part) for part in re.findall(r"\d+", server.version)[:2])
    if version < oldest:
        wanted = ".".join(map(str, oldest))
        is_now = f"{server.product} {server.version}"
        found.append(f"the store must be Redis >= {wanted} or Valkey, and is {is_now}; upgrade it.")
    if server.policy not in (None, "noeviction"):
        found.append(
            f"the store's maxmemory-policy must be noeviction, and is {server.policy}: it would throw waiting jobs "
            "away; run CONFIG SET maxmemory-policy noeviction and write it into the server's configuration."
        )
    if server.role != "master":
        found.append("the store is a read-only replica; point PACELINE_REDIS_URL at the primary.")
    return found


def check_store(client: redis.Redis, shown_url: str) -> Server:
    """The server behind `client`, or `StoreUnavailable` with one sentence that says what is wrong with it."""
    try:
        server = describe_server(client)
    except redis.exceptions.AuthenticationError:
        raise StoreUnavailable(
            f"the store at {shown_url} refuses our user or password; correct PACELINE_REDIS_URL."
        ) from None
    except redis.exceptions.NoPermissionError:
        raise StoreUnavailable(
            f"the store's user at {shown_url} may not run INFO; allow it {RIGHTS}."
        ) from None
    except RedisError as error:
        raise StoreUnavailable(
            f"cannot reach the store at {shown_url} ({_reason(error)}); start it, or correct PACELINE_REDIS_URL."
        ) from None
    if found := problems_of(server):
        raise StoreUnavailable(" ".join(found))
    return server


def check_rights(run: Callable[[str, dict[str, Any]], Any], shown_url: str) -> None:
    """Runs one decision that changes nothing. `StoreUnavailable` when this user may not, or the server will not."""
    try:
        run("running", {"limit": 1})
    except redis.exceptions.NoPermissionError as error:
        raise StoreUnavailable(
            f"the store's user at {shown_url} may not do what is needed ({_reason(error)}); allow it {RIGHTS}."
        ) from None
    except RedisError as error:
        raise StoreUnavailable(
            f"the store at {shown_url} does not run our scripts ({_reason(error)}); look at its log, or correct "
            "PACELINE_REDIS_URL."
        ) from None


def _reason(error: RedisError) -> str:
    text = str(error)
    if "NOAUTH" in text or "WRONGPASS" in text or "invalid username-password" in text:
        return "it asks for another password"
    return text.split("\n")[0][:120] or type(error).__name__


def shown(url: str) -> str:
    """The address without user and password."""
    return re.sub(r"//[^@/]*@", "//", url).split("?")[0]
