"""Plumbing of the store: one connection of one's own.

Promise: nothing but `open` connects, and what is connected to is known: a server that restarted is never mistaken for
the one before. Scope: one thread at a time; what is said over it is `scripts.py`'s.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from worker.store.connection import Server, describe_server

IDLE_S = 1.0
"""A connection that was used within this time is taken to be open."""
DESCRIBED_S = 60.0
"""For this long what was told of the server is taken to hold: a replica may have come, or another way of writing."""


class Line:
    """One connection of one's own, for one thread at a time. `server()` is what it is connected to: asked for each
    connection anew, so that a restarted server is never mistaken for the one before: nothing but `open` connects.

    A script call over it costs half of what it costs through the pool, whose checkout, retries and hooks are for
    commands of many kinds. After an error that leaves unclear what the next reply would be, it is closed; a process
    that forks leaves it to its parent.
    """

    def __init__(self, client: redis.Redis, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = client.connection_pool
        self._monotonic = monotonic
        self._connection: Any = None
        self._process = 0
        self._used_s = 0.0
        self._server: Server | None = None
        self._described_s = 0.0

    def open(self) -> None:
        """Connects where there is no connection, or the other side has closed it meanwhile."""
        if self._connection is not None and self._process == os.getpid():
            if self._monotonic() - self._used_s < IDLE_S or not self._has_ended():
                return
            self.close()
        connection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        self._connection, self._process, self._server = connection, os.getpid(), None

    def server(self) -> Server:
        """The run behind this connection, which must be open. Raises redis-py's errors."""
        if self._server is None or self._monotonic() - self._described_s > DESCRIBED_S:
            self._server, self._described_s = describe_server(self), self._monotonic()
        return self._server

    def evalsha(self, digest: str, *words: Any) -> Any:
        """Raises redis-py's errors; what is inside a reply may be one as well."""
        return self._ask("EVALSHA", digest, *words)

    def eval(self, text: str, *words: Any) -> Any:
        return self._ask("EVAL", text, *words)

    def info(self, section: str) -> dict[str, Any]:
        told: bytes = self._ask("INFO", section)
        pairs = (line.split(":", 1) for line in told.decode("utf-8", "replace").splitlines() if ":" in line)
        return {pair[0]: pair[1] for pair in pairs}

    def config_get(self, name: str) -> dict[str, str]:
        told = self._ask("CONFIG", "GET", name)
        words = [word for pair in told.items() for word in pair] if isinstance(told, dict) else told
        return {key.decode(): value.decode() for key, value in zip(words[::2], words[1::2], strict=True)}

    def send(self, *words: Any) -> None:
        """Puts a command, whose reply must be read before the next is put. Raises redis-py's errors."""
        connection = self._connected()
        try:
            connection.send_command(*words)
        except BaseException:
            self.close()
            raise

    def read(self) -> Any:
        """The reply to what was put. Raises redis-py's errors; what is inside a reply may be one as well."""
        connection = self._connected()
        try:
            reply = connection.read_response()
        except ReadOnlyError:
            self.close()  # no primary any more: the address may name another one by now
            raise
        except ResponseError:
            raise  # read to its end: the next reply is the next command's
        except BaseException:
            self.close()
            raise
        self._used_s = self._monotonic()
        return reply

    def close(self) -> None:
        if self._connection is not None and self._process == os.getpid():
            self._connection.disconnect()
        self._connection = None

    def _has_ended(self) -> bool:
        """Whether there is something to be read although nothing was asked: the end, or what belongs to nobody."""
        try:
            return bool(self._connection.can_read(timeout=0))
        except (RedisError, OSError):
            return True

    def _ask(self, *words: Any) -> Any:
        self.send(*words)
        return self.read()

    def _connected(self) -> Any:
        if self._connection is None:
            raise RedisConnectionError("the connection is closed")
        return self._connection
