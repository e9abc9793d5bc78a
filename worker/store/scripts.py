"""Plumbing of the store: loads the decisions in `lua/`, joins them with their shared parts, and runs them.

Promise: one call is one atomic decision; a script the server has forgotten (SCRIPT FLUSH, a new node) is sent whole in
the very call that runs it, never skipped: loading it first and naming it after could lose to another flush. A part that
`--!include` names comes once, after the parts it includes.
Scope: text and calls. What is retried, and what an error means, is `connection.py`'s business.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from redis.exceptions import NoScriptError

from worker.store.keys import Keys, spell_keys

FOLDER = Path(__file__).parent / "lua"
_INCLUDE = re.compile(r"^--!include (\w+)$", re.MULTILINE)
_DECISION = re.compile(r"^--!decision (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")
_LOCAL = re.compile(r"^local (?:function )?(\w+(?:, *\w+)*)", re.MULTILINE)
_WORD = re.compile(r"\w+")
_PREAMBLE = "local P = KEYS[1]\nlocal ARGV = ARGV\nlocal A = cjson.decode(ARGV[2])\n"


@cache
def compose(name: str, folder: Path = FOLDER) -> str:
    """The whole text of a decision: shebang, key names, what it needs of the parts, the decision itself."""
    shebang, _, body = (folder / f"{name}.lua").read_text(encoding="utf-8").partition("\n")
    parts: list[str] = []
    seen: set[str] = set()
    _collect(body, parts, seen, folder)
    others = []
    for other in _DECISION.findall(body):
        _, _, inner = (folder / f"{other}.lua").read_text(encoding="utf-8").partition("\n")
        _collect(inner, parts, seen, folder)
        others.append(f"local function decide_{other}()\n{inner}\nend\n")
    body = _COMMENT.sub("", "".join(others) + body)
    source = _used(_COMMENT.sub("", "\n".join(parts)), body) + body
    return f"{shebang}\n{_PREAMBLE}{spell_keys(source)}"


def _used(parts: str, body: str) -> str:
    """What `body` needs of the parts. A script is run from its first line in every call, and each function that it
    defines costs there, called or not: with all of them a call took 15 µs before it did anything.
    """
    starts = [match.start() for match in _LOCAL.finditer(parts)]
    chunks = [parts[begin:end] for begin, end in zip(starts, [*starts[1:], len(parts)], strict=True)]
    words, used = set(_WORD.findall(body)), []
    for chunk in reversed(chunks):  # Lua knows a local only after it: what is used stands before its user
        names = _LOCAL.match(chunk)
        if names and words & set(_WORD.findall(names[1])):
            words |= set(_WORD.findall(chunk))
            used.append(chunk)
    return "".join(reversed(used))


def _collect(text: str, parts: list[str], seen: set[str], folder: Path) -> None:
    for part in _INCLUDE.findall(text):
        if part not in seen:
            seen.add(part)
            source = (folder / "parts" / f"{part}.lua").read_text(encoding="utf-8")
            _collect(source, parts, seen, folder)
            parts.append(source)


class Asked(Protocol):
    """What a call goes over: redis-py's client, or one connection (`connection.Wire`)."""

    def evalsha(self, digest: str, numkeys: int, *words: Any) -> Any: ...

    def eval(self, text: str, numkeys: int, *words: Any) -> Any: ...


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

    def __call__(self, name: str, facts: Mapping[str, Any], *blobs: bytes | str) -> Any:
        """Run decision `name` with JSON `facts` and opaque `blobs`; returns what its header says."""
        known = self._known.get(name)
        if known is None:
            text = compose(name, self._folder)
            digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
            known = self._known[name] = (digest, text)
        clock = "" if self.clock_us is None else str(int(self.clock_us()))
        words: tuple[Any, ...] = (1, self._keys.prefix, clock, json.dumps(facts, separators=(",", ":")), *blobs)
        try:
            return self._client.evalsha(known[0], *words)
        except NoScriptError:
            return self._client.eval(known[1], *words)
