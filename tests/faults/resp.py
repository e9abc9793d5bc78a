"""The store's wire protocol, as far as a proxy must read it: where a request ends, and what it asks for."""

import hashlib
import json
from collections.abc import Iterator

from worker.store.composing import FOLDER, compose

FACTS = 5
"""Where a script call has the facts of its decision: after its name, its text, its key and the clock."""


def script_names() -> dict[str, str]:
    """SHA-1 of each decision's text -> its name."""
    names = sorted(path.stem for path in FOLDER.glob("*.lua"))
    return {hashlib.sha1(compose(name).encode(), usedforsecurity=False).hexdigest(): name for name in names}


def name_of(arguments: list[bytes], scripts: dict[str, str]) -> str:
    """`take` for a script call, `blpop` for a command, `script load` for a command with a subcommand."""
    command = arguments[0].decode("ascii", "replace").lower()
    if command == "evalsha":
        return scripts.get(arguments[1].decode("ascii", "replace"), "unknown script")
    if command == "eval":
        return scripts.get(hashlib.sha1(arguments[1], usedforsecurity=False).hexdigest(), "unknown script")
    if command in ("script", "client", "config"):
        return f"{command} {arguments[1].decode('ascii', 'replace').lower()}"
    return command


def decisions_in(arguments: list[bytes], name: str) -> list[str]:
    """What a call named `name` decides: itself, or all that a worker's threads have to say in one `turn`."""
    if name != "turn":
        return [name]
    facts = json.loads(arguments[FACTS])
    return [name, *(str(end["decision"]) for end in facts["ends"]), *(["take"] if "take" in facts else [])]


class Requests:
    """Cuts a stream of bytes into whole requests (arrays of bulk strings, which is all that clients send)."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, more: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
        """The whole requests that are there now: raw bytes and arguments."""
        self._bytes += more
        while self._bytes[:1] == b"\n":  # a replica's sign of life while it loads
            del self._bytes[0]
        while (found := self._first()) is not None:
            end, arguments = found
            raw = bytes(self._bytes[:end])
            del self._bytes[:end]
            yield raw, arguments

    def _first(self) -> tuple[int, list[bytes]] | None:
        head = self._line(0, b"*")
        if head is None:
            return None
        at, count = head
        arguments = []
        for _ in range(count):
            bulk = self._line(at, b"$")
            if bulk is None or bulk[0] + bulk[1] + 2 > len(self._bytes):
                return None
            start, length = bulk
            arguments.append(bytes(self._bytes[start : start + length]))
            at = start + length + 2
        return at, arguments

    def _line(self, at: int, sign: bytes) -> tuple[int, int] | None:
        """The number on the line at `at`, and where the next one begins."""
        end = self._bytes.find(b"\r\n", at)
        if end < 0:
            return None
        if self._bytes[at : at + 1] != sign:
            raise ValueError(f"expected {sign!r}, got {bytes(self._bytes[at : at + 20])!r}")
        return end + 2, int(self._bytes[at + 1 : end])
