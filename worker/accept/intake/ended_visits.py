"""Accept, over HTTP: visits of the console that were ended before their time, by signing out.

Promise: an ended visit is refused in this process at once, and in every other as soon as a revoked key would be
(`callers.py` asks for both in one question); it stays so until its cookie has lapsed by itself, and is forgotten then.
What is kept is a visit's number and the beginning of its key's digest: no cookie can be made of them. What the store
could not be told is told again when it answers, unless this process ends before. Of one key at most `MOST_EACH` are
kept, those that would hold longest: only who has that very key could push one out, and needs no visit to come in.
Scope: remembering; whose cookie is one says `console/visitor.py`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import redis

from worker.store.partition import Partition

MOST_EACH = 1_000
CLOCKS_APART_S = 600
"""So long a record outlasts its cookie: another machine's clock may be behind."""


def name_of(key: str, number: str) -> str:
    """What a visit is called here: `key` is the beginning of a digest."""
    return f"{key}:{number}"


class EndedVisits:
    """The visits that were ended, as far as this process knows. All but `in` is for a thread."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._lock = threading.Lock()
        self._until_s: dict[str, float] = {}
        self._untold: set[str] = set()

    def __contains__(self, visit: str) -> bool:
        return visit in self._until_s

    @property
    def question(self) -> tuple[Any, ...]:
        """The command whose answer `hear` wants."""
        return ("zrange", self._partition.key("visits"), 0, -1, False, True)

    def hear(self, answer: Iterable[tuple[str, float]]) -> None:
        """Takes in what the store knows. What was ended stays so, also where the store has forgotten it."""
        self._remember(dict(answer))

    def end(self, visit: str, until_s: int) -> bool:
        """Ends it here. Whether the store knows of it, and with it every process."""
        self._remember({visit: until_s})
        with self._lock:
            self._untold.add(visit)
        self.tell()
        return visit not in self._untold

    def tell(self) -> None:
        """Tells the store what it has not heard yet; without an answer, another time."""
        with self._lock:
            untold = {visit: self._until_s[visit] for visit in self._untold if visit in self._until_s}
            self._untold &= untold.keys()
        if untold:
            with contextlib.suppress(redis.RedisError):
                self._write(untold)
                with self._lock:
                    self._untold -= untold.keys()

    def _write(self, visits: dict[str, float]) -> None:
        key, now_s = self._partition.key("visits"), int(time.time())
        left_s = int(max(visits.values())) - now_s + CLOCKS_APART_S
        *_, kept = self._partition.ask(
            ("zadd", key, visits),
            ("zremrangebyscore", key, "-inf", now_s - CLOCKS_APART_S),
            ("expire", key, left_s, True),  # where it would stay for ever,
            ("expire", key, left_s, False, False, True),  # or not for long enough
            ("zrange", key, 0, -1),
        )
        if over := _over(kept):
            self._partition.one("zrem", key, *over)

    def _remember(self, more: dict[str, float]) -> None:
        now_s = time.time()
        with self._lock:
            known = {visit: until_s for visit, until_s in (self._until_s | more).items() if until_s >= now_s}
            for visit in _over(sorted(known, key=known.__getitem__)):
                del known[visit]
            self._until_s = known


def _over(visits: Sequence[str]) -> list[str]:
    """Those that are too many of their key. The visits stand in the order in which they lapse."""
    seen: Counter[str] = Counter()
    found = []
    for visit in reversed(visits):
        key = visit.partition(":")[0]
        seen[key] += 1
        if seen[key] > MOST_EACH:
            found.append(visit)
    return found
