"""Plumbing of the store: loads the decisions in `lua/`, joins them with their shared parts, and runs them.

Promise: one call is one atomic decision; a script the server has forgotten (SCRIPT FLUSH, a new node) is sent whole in
the very call that runs it, never skipped: loading it first and naming it after could lose to another flush. A part that
`--!include` names comes once, after the parts it includes; a function marked `--!late` (`--!decision … late`) costs
nothing in a call that does not need it.
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
_DECISION = re.compile(r"^--!decision (\w+)( late)?$", re.MULTILINE)
_LATE = re.compile(r"^--!late\nlocal function (\w+)", re.MULTILINE)
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
    others, late = [], set()
    for other, mark in _DECISION.findall(body):
        _, _, inner = (folder / f"{other}.lua").read_text(encoding="utf-8").partition("\n")
        _collect(inner, parts, seen, folder)
        others.append(_COMMENT.sub("", f"local function decide_{other}()\n{inner}\nend\n"))
        late |= {f"decide_{other}"} if mark else set()
    late |= set(_LATE.findall("\n".join(parts)))
    body = _COMMENT.sub("", body)
    used = _used(_COMMENT.sub("", "\n".join(parts)), "".join([*others, body]))
    source = _defined_late([*used, *others, body], late)
    return f"{shebang}\n{_PREAMBLE}{spell_keys(source)}"


def _used(parts: str, body: str) -> list[str]:
    """What `body` needs of the parts, one local a piece. A script is run from its first line in every call, and each
    function that it defines costs there, called or not: with all of them a call took 40 µs before it did anything.
    """
    starts = [match.start() for match in _LOCAL.finditer(parts)]
    pieces = [parts[begin:end] for begin, end in zip(starts, [*starts[1:], len(parts)], strict=True)]
    words, used = set(_WORD.findall(body)), []
    for piece in reversed(pieces):  # Lua knows a local only after it: what is used stands before its user
        if words & set(_names(piece)):
            words |= set(_WORD.findall(piece))
            used.append(piece)
    return used[::-1]


def _defined_late(pieces: list[str], late: set[str]) -> str:
    """The text of a decision, in which functions marked `--!late` are defined when one of them is first called: several
    together, by a function that stands before the first of their users.
    """
    text: list[str] = []
    waiting: list[str] = []
    batches: dict[str, str] = {}
    for piece in pieces:
        is_late = not late.isdisjoint(_names(piece))
        if not is_late and not set(_WORD.findall(piece)).isdisjoint(name for one in waiting for name in _names(one)):
            text.append(_batch(waiting, batches))
            waiting = []
        (waiting if is_late else text).append(_rewritten(piece, batches))
    return "".join(text)


def _batch(pieces: list[str], batches: dict[str, str]) -> str:
    """Functions that are defined together. `batches` learns who defines them."""
    names = [name for piece in pieces for name in _names(piece)]
    maker = f"late_{len(batches) + 1}"
    batches.update(dict.fromkeys(names, maker))
    made = maker.upper()
    return (
        f"local {made}\nlocal function {maker}()\nif {made} then return {made} end\n{''.join(pieces)}"
        f"{made} = {{{', '.join(f'{name} = {name}' for name in names)}}}\nreturn {made}\nend\n"
    )


def _rewritten(piece: str, batches: dict[str, str]) -> str:
    """A piece that calls what is defined late by way of whoever defines it."""
    for name in set(_WORD.findall(piece)) & batches.keys():
        if re.search(rf"\b(?:function|local) +{name}\b|\b{name}\b(?!\()", piece):
            raise ValueError(f"expected nothing but calls of {name}, which is marked --!late; got another use of it")
        piece = re.sub(rf"\b{name}\(", f"{batches[name]}().{name}(", piece)
    return piece


def _names(piece: str) -> list[str]:
    """What a piece defines."""
    found = _LOCAL.match(piece)
    return _WORD.findall(found[1]) if found else []


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
