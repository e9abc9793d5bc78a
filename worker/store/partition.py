"""Plumbing of the store: one partition, as those see it who look at it and act on it.

Promise: replies come as text; several questions go in one round trip; nothing here walks the whole key space. Scope:
asking. What the answers mean is said by the stage that asks (`accept/jobs.py`, `limiter/lanes.py`, `fail/problem.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import redis

from worker.store.keys import Keys
from worker.store.scripts import Asked, Scripts

T = TypeVar("T")
CHUNK = 100
AUDIT_KEPT = 10_000


class Partition:
    """The client, the key names and the scripts of one partition of the store."""

    def __init__(self, client: redis.Redis, keys: Keys, scripts: Scripts | None = None) -> None:
        self.client = client
        self.key = keys
        self._scripts = scripts or Scripts(client, keys)

    @property
    def clock_is_replaced(self) -> bool:
        """In tests alone: the store's time has nothing to do with this machine's."""
        return self._scripts.clock_us is not None

    def through(self, line: Asked) -> Partition:
        """The same partition, whose decisions are asked for over this connection."""
        return Partition(self.client, self.key, self._scripts.over(line))

    def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The answers to commands such as `("zcard", key)`, as text. One round trip, no transaction."""
        with self.client.pipeline(transaction=False) as pipe:
            for name, *words in commands:
                getattr(pipe, name)(*words)
            return [as_text(answer) for answer in pipe.execute()]

    def one(self, *command: Any) -> Any:
        """The answer to one command."""
        return self.ask(command)[0]

    def decide(self, name: str, facts: Mapping[str, Any], *blobs: bytes | str) -> Any:
        """Runs a script; its answer as text."""
        return as_text(self._scripts(name, facts, *blobs))

    def now_us(self) -> int:
        """The store's clock (µs), without moving it."""
        (seconds, micros), ahead = self.ask(("time",), ("hget", self.key("meta"), "ahead"))
        return int(seconds) * 1_000_000 + int(micros) + int(float(ahead or 0))

    def audit(self, what: str, by: str, reason: str, **more: Any) -> None:
        """Keeps what a person did: who, what, why and when."""
        entry = {"at_us": str(self.now_us()), "what": what, "by": by, "reason": reason, **more}
        key = self.key("audit")
        self.ask(("lpush", key, json.dumps(entry)), ("ltrim", key, 0, AUDIT_KEPT - 1))


def as_text(value: Any) -> Any:
    """Bytes become text, at every depth."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {as_text(name): as_text(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_text(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return {as_text(item) for item in value}
    return value


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """The items in bounded portions, in order."""
    walk = iter(items)
    while portion := list(islice(walk, size)):
        yield portion
