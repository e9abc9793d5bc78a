"""Plumbing of the store: runs the decisions of `lua/` (their texts are `composing.py`'s).

Promise: one call is one atomic decision; a script the server has forgotten (SCRIPT FLUSH, a new node) is sent whole in
the very call that runs it, never skipped: loading it first and naming it after could lose to another flush.
Scope: calls. What is retried, and what an error means, is `connection.py`'s business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from redis.exceptions import NoScriptError

from worker.store.composing import FOLDER, compose
from worker.store.keys import Keys


class Asked(Protocol):
    """What a call goes over: redis-py's client, or one connection (`line.Line`)."""

    def evalsha(self, digest: str, numkeys: int, *words: Any) -> Any: ...

    def eval(self, text: str, numkeys: int, *words: Any) -> Any: ...


class AskedFirst(Asked, Protocol):
    """One connection, over which a question can be put now and its answer read later."""

    def send(self, *words: Any) -> None: ...

    def read(self) -> Any: ...


class Scripts:
    """The decisions, bound to one client and one partition.

    `clock_us` is for tests alone: it replaces the server's clock (integer microseconds); `main.py` and the broker
    refuse it outside the test environment. `folder` holds the decisions: tests give one with a rule taken out.
    """

    def __init__(
        self, client: Asked, keys: Keys, clock_us: Callable[[], int] | None = None, folder: Path = FOLDER
    ) -> None:
        self._client = client
        self._keys = keys
        self._folder = folder
        self.clock_us = clock_us
        self._known: dict[str, tuple[str, str]] = {}  # name -> digest and text

    def over(self, client: Asked) -> Scripts:
        """The same decisions, over another connection."""
        return Scripts(client, self._keys, self.clock_us, self._folder)

    def on_line(self, line: AskedFirst) -> LineScripts:
        """The same decisions, over a connection on which others are not waited for."""
        return LineScripts(line, self._keys, self.clock_us, self._folder)

    def __call__(self, name: str, facts: Mapping[str, Any], *blobs: bytes | str) -> Any:
        """Run decision `name` with JSON `facts` and opaque `blobs`; returns what its header says."""
        digest, text, words = self._spelt(name, facts, blobs)
        try:
            return self._client.evalsha(digest, *words)
        except NoScriptError:
            return self._client.eval(text, *words)

    def _spelt(
        self, name: str, facts: Mapping[str, Any], blobs: tuple[bytes | str, ...]
    ) -> tuple[str, str, tuple[Any, ...]]:
        """A decision's digest and text, and the words of one call."""
        known = self._known.get(name)
        if known is None:
            text = compose(name, self._folder)
            digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
            known = self._known[name] = (digest, text)
        clock = "" if self.clock_us is None else str(int(self.clock_us()))
        return *known, (1, self._keys.prefix, clock, json.dumps(facts, separators=(",", ":")), *blobs)


class LineScripts(Scripts):
    """The decisions over a connection of one's own, where one can be put now and its answer be read later."""

    def __init__(self, line: AskedFirst, keys: Keys, clock_us: Callable[[], int] | None, folder: Path) -> None:
        super().__init__(line, keys, clock_us, folder)
        self._line = line

    def put(self, name: str, facts: Mapping[str, Any], *blobs: bytes | str) -> Callable[[], Any]:
        """Asks for a decision. What is returned reads the answer: once, and before anything else is put."""
        digest, text, words = self._spelt(name, facts, blobs)
        self._line.send("EVALSHA", digest, *words)

        def answer() -> Any:
            try:
                return self._line.read()
            except NoScriptError:
                return self._line.eval(text, *words)

        return answer
