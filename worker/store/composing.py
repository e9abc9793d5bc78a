"""Plumbing of the store: the whole text of a decision, joined from `lua/` and the shared parts it includes.

Promise: a part that `--!include` names comes once, after the parts it includes, and of its locals those that are used.
A script is run from its first line in every call, so what it only defines must cost next to nothing: a function marked
`--!late` (`--!decision … late`) is defined when it is first called, and the rest in layers (`_layered`).
Scope: text; running it is `scripts.py`'s.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from worker.store.keys import spell_keys

FOLDER = Path(__file__).parent / "lua"
_INCLUDE = re.compile(r"^--!include (\w+)$", re.MULTILINE)
_DECISION = re.compile(r"^--!decision (\w+)( late)?$", re.MULTILINE)
_LATE = re.compile(r"^--!late\nlocal function (\w+)", re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")
_LOCAL = re.compile(r"^local (?:function )?(\w+(?:, *\w+)*)", re.MULTILINE)
_WORD = re.compile(r"\w+")
_LAYER = 20
_CAPTURED_AT_MOST = 55
"""What a layer may use of those around it: a function of Lua 5.1 has 60 upvalues at most."""
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
    return _layered(text)


def _layered(pieces: list[str]) -> str:
    """The pieces, each twenty of them in a function inside the one before. Lua looks for every local that a new
    function uses among all that are in use, the latest first; what belongs to a function around it is at hand.
    """
    layers = ["".join(pieces[start : start + _LAYER]) for start in range(0, len(pieces), _LAYER)]
    words = [set(_WORD.findall(layer)) for layer in layers]
    text, depth, outside = "", 0, {"P", "ARGV", "A"}
    for number, layer in enumerate(layers):
        if number and len(outside.intersection(set().union(*words[number:]))) <= _CAPTURED_AT_MOST:
            text += "return (function()\n"
            depth += 1
        text += layer
        outside.update(_defined(layer))
    return text + "\nend)()" * depth + "\n"


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


def _defined(pieces: str) -> list[str]:
    """What several pieces may define: all that begins a line of them."""
    return [name for names in _LOCAL.findall(pieces) for name in _WORD.findall(names)]


def _collect(text: str, parts: list[str], seen: set[str], folder: Path) -> None:
    for part in _INCLUDE.findall(text):
        if part not in seen:
            seen.add(part)
            source = (folder / "parts" / f"{part}.lua").read_text(encoding="utf-8")
            _collect(source, parts, seen, folder)
            parts.append(source)
