"""Accept, over HTTP: who asks: keys, their roles and their limits.

Promise: a key has 256 random bits and is shown once; only its SHA-256 is kept, in settings or in the store, and
compared in constant time. A key that is revoked is refused by every process within `FRESH_S`, and so is a visit to the
console that was ended. While the store is away, the keys known last hold; a process that never read them serves nobody.
Scope: keys; what a role may do is said by each route.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import redis

from settings.intake import ROLES, IntakeKey
from worker.accept.intake.ended_visits import EndedVisits
from worker.accept.intake.pace import Pace
from worker.errors import NotFound
from worker.store.partition import Partition

FRESH_S = 2.0
KEY_LENGTH = 16
MARK = "pace_"
"""So that a key is known for one wherever it turns up."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks. Idempotency keys belong to `name`; a caller without one is this machine. `key` is the beginning of
    their key's digest: the same after its owner was given another name.
    """

    name: str | None
    roles: frozenset[str]
    pace: Pace | None = None
    key: str = ""

    def may(self, *roles: str) -> bool:
        """Whether one of the roles is theirs. An admin has all."""
        return "admin" in self.roles or not self.roles.isdisjoint(roles)


THIS_MACHINE = Caller(None, frozenset(ROLES))


@dataclass(frozen=True, slots=True)
class CallerKey:
    """A key as it is kept: its digest, never itself."""

    id: str
    name: str
    sha256: str
    roles: tuple[str, ...]
    per_minute: int | None
    created: str
    by: str

    def as_dict(self) -> dict[str, Any]:
        """For people: without the digest."""
        return {
            "id": self.id, "name": self.name, "roles": list(self.roles), "per_minute": self.per_minute,
            "created": self.created or None, "by": self.by,
        }  # fmt: skip


def new_key() -> tuple[str, str]:
    """A key, and its digest."""
    key = MARK + secrets.token_urlsafe(32)
    return key, digest_of(key)


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class KeyRing:
    """The keys that the store keeps."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition

    def create(self, name: str, roles: Iterable[str], per_minute: int | None, by: str) -> tuple[CallerKey, str]:
        """Makes and keeps a key; what is kept of it, and the key itself."""
        key, digest = new_key()
        made = CallerKey(secrets.token_hex(4), name, digest, tuple(roles), per_minute, _now(), by)
        record = {"sha256": digest, "name": name, "roles": list(made.roles), "per_minute": per_minute}
        self.partition.one(
            "hset", self.partition.key("callers"), made.id, json.dumps(record | {"created": made.created, "by": by})
        )
        self.partition.audit("key created", by, "", id=made.id, name=name, roles=list(made.roles))
        return made, key

    def all(self) -> list[CallerKey]:
        """By name, then by age."""
        return keys_in(self.partition.one(*self.question))

    @property
    def question(self) -> tuple[str, str]:
        """The command whose answer `keys_in` reads."""
        return ("hgetall", self.partition.key("callers"))

    def revoke(self, word: str, by: str, reason: str) -> list[CallerKey]:
        """Forgets the key of that id, or all keys of that name. Raises `NotFound`."""
        gone = [key for key in self.all() if word in (key.id, key.name)]
        if not gone:
            raise NotFound(f"no key {word[:40]!r} is in the store; `keys list` shows them all.")
        self.partition.one("hdel", self.partition.key("callers"), *(key.id for key in gone))
        for key in gone:
            self.partition.audit("key revoked", by, reason, id=key.id, name=key.name)
        return gone


@dataclass
class Callers:
    """Everybody who has a key, as this process knows them. `refresh` asks the store and is for a thread."""

    settings: tuple[IntakeKey, ...]
    ring: KeyRing
    ended: EndedVisits = field(init=False)
    _known: tuple[tuple[str, Caller], ...] | None = None
    _read_at: float = 0.0

    def __post_init__(self) -> None:
        self.ended = EndedVisits(self.ring.partition)

    @property
    def stale(self) -> bool:
        return self._known is None or time.monotonic() - self._read_at > FRESH_S

    @property
    def known(self) -> bool:
        """Whether the store has been read at all."""
        return self._known is not None

    @property
    def none(self) -> bool:
        return not self._known

    @property
    def names(self) -> list[str]:
        """Whoever has a key."""
        return sorted({caller.name for _, caller in self._known or () if caller.name})

    def refresh(self) -> None:
        """Reads the keys anew, and which visits were ended; without an answer what was known stays."""
        self._read_at = time.monotonic()
        try:
            answer, ended = self.ring.partition.ask(self.ring.question, self.ended.question)
        except redis.RedisError:
            return
        kept = keys_in(answer)
        self.ended.hear(ended)  # before the keys: a cookie counts as soon as they are known
        given: list[tuple[str, str, tuple[str, ...], int | None]]
        given = [(key.sha256, key.name, key.roles, key.per_minute) for key in self.settings]
        given += [(key.sha256, key.name, key.roles, key.per_minute) for key in kept]
        self._known = tuple(
            (digest, Caller(name, frozenset(roles), self._pace(digest, per_minute), digest[:KEY_LENGTH]))
            for digest, name, roles, per_minute in given
        )
        self.ended.tell()

    def find(self, key: str) -> Caller | None:
        """Whose key it is. Every known one is compared, whichever it is."""
        digest = digest_of(key)
        return self.holder(lambda known: hmac.compare_digest(known, digest))

    def holder(self, proved: Callable[[str], bool]) -> Caller | None:
        """The owner of the key whose digest fits. Every digest is tried, whichever it is."""
        found = None
        for digest, caller in self._known or ():
            if proved(digest):
                found = caller
        return found

    def _pace(self, digest: str, per_minute: int | None) -> Pace | None:
        return None if per_minute is None else Pace(self.ring.partition, digest, per_minute)


def keys_in(answer: dict[str, str]) -> list[CallerKey]:
    """The keys of the store's answer, by name, then by age."""
    keys = [made for one, text in answer.items() if (made := _read(one, text)) is not None]
    return sorted(keys, key=lambda key: (key.name, key.created))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(key_id: str, text: str) -> CallerKey | None:
    """A record from the store; one that cannot be read opens nothing."""
    try:
        record = json.loads(text)
        return CallerKey(
            key_id, str(record["name"]), str(record["sha256"]), tuple(str(role) for role in record["roles"]),
            record.get("per_minute"), str(record.get("created", "")), str(record.get("by", "")),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None
