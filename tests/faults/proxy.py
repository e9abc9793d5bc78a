"""A proxy of ours between a program and its store: it counts requests, and it can lose, hold or delay what passes.

What it does to a request it does by name: a decision (`take`, `finish`), alone or within a `turn`, or a command
(`blpop`). A reply is only lost after the server has given one, so what was asked for has happened. A script that the
server did not know is no reply.
"""

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import urlsplit

from tests.faults.resp import Requests, decisions_in, name_of, script_names

What = Literal["lose reply", "silence reply", "delay reply", "hold reply", "lose request", "swallow request"]
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class Rule:
    """What befalls the next `times` requests of a name (those whose reply contains something, where that is said).
    `struck` counts those it has befallen.
    """

    what: What
    name: str
    times: int
    seconds: float = 0.0
    containing: bytes = b""
    struck: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def strike(self) -> None:
        self.struck += 1

    def release(self) -> None:
        """Replies that were held go on."""
        self.released.set()


class Proxy:
    """Listens on a port of its own; `url` is what a client is given instead of the store's."""

    def __init__(self, store_url: str) -> None:
        self._target = _address(store_url)
        self._path = urlsplit(store_url).path
        self._scripts = script_names()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._within: Counter[str] = Counter()
        self._rules: list[Rule] = []
        self._pairs: set[_Pair] = set()
        self._away = False
        self._closed = False
        self.delay_s = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}{self._path}"
        self._accepting = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)
        self.cut()

    # -- faults ---------------------------------------------------------------------------------------------------

    def lose_reply(self, name: str, times: int = 1) -> Rule:
        """The server answers, the answer is dropped and the connection reset."""
        return self._add(Rule("lose reply", name, times))

    def silence_reply(self, name: str, times: int = 1) -> Rule:
        """The server answers, the client hears nothing more on that connection."""
        return self._add(Rule("silence reply", name, times))

    def delay_reply(self, name: str, seconds: float, times: int = 1) -> Rule:
        """The answer comes late."""
        return self._add(Rule("delay reply", name, times, seconds))

    def hold_reply(self, name: str, containing: bytes) -> Rule:
        """The answer that contains this waits until the rule is released."""
        return self._add(Rule("hold reply", name, 1, containing=containing))

    def lose_request(self, name: str, times: int = 1) -> Rule:
        """The server never hears of it; the connection is reset."""
        return self._add(Rule("lose request", name, times))

    def swallow_request(self, name: str, times: int = 1) -> Rule:
        """The server never hears of it, and the client waits for an answer."""
        return self._add(Rule("swallow request", name, times))

    def slow(self, seconds: float) -> None:
        """From now on every answer takes this long."""
        self.delay_s = seconds

    def leave(self) -> None:
        """All connections are reset, and new ones too, until `come_back`."""
        self._away = True
        self.cut()

    def come_back(self) -> None:
        self._away = False

    def lead_to(self, store_url: str) -> None:
        """From now on another store is behind this address, as after a failover. All connections are reset."""
        self._target = _address(store_url)
        self.cut()

    def cut(self) -> None:
        """Resets all connections there are now."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.close()

    # -- what passed ----------------------------------------------------------------------------------------------

    def count(self, name: str | None = None) -> int:
        """Requests seen, of one name (those within a `turn` included) or of all."""
        with self._lock:
            return self._counts[name] + self._within[name] if name is not None else self._counts.total()

    def counts(self) -> Counter[str]:
        with self._lock:
            return Counter(self._counts)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _add(self, rule: Rule) -> Rule:
        with self._lock:
            self._rules.append(rule)
        return rule

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._away or self._closed:
                _reset(client)
                continue
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = _Pair(self, client, server)
            with self._lock:
                self._pairs.add(pair)
            pair.start()

    def seen(self, arguments: list[bytes]) -> Rule | None:
        """Counts a request; the rule it falls under, if any."""
        name, *within = decisions_in(arguments, name_of(arguments, self._scripts))
        with self._lock:
            self._counts[name] += 1
            self._within.update(within)
            for rule in self._rules:
                if rule.name == name or rule.name in within:
                    rule.times -= 1
                    if rule.times <= 0:
                        self._rules.remove(rule)
                    return rule
        return None

    def give_back(self, rule: Rule) -> None:
        """It did not strike after all."""
        with self._lock:
            rule.times += 1
            if rule not in self._rules:
                self._rules.insert(0, rule)

    def forget(self, pair: "_Pair") -> bool:
        """One of a pair's two threads has ended; True for the last one."""
        with self._lock:
            pair.running -= 1
            if pair.running == 0:
                self._pairs.discard(pair)
            return pair.running == 0


class _Pair:
    """One client's connection and the one to the server behind it; one thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._rule: Rule | None = None
        self._deaf = False
        self.running = 2

    def start(self) -> None:
        for work in (self._to_server, self._to_client):
            threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def _run(self, work: "object") -> None:
        with contextlib.suppress(OSError):
            work()  # type: ignore[operator]
        self.close()
        if self._proxy.forget(self):
            self._client.close()
            self._server.close()

    def close(self) -> None:
        """Ends both ways; each thread closes what is left when it has noticed."""
        for each in (self._client, self._server):
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                each.shutdown(socket.SHUT_RDWR)

    def _to_server(self) -> None:
        requests = Requests()
        while data := self._client.recv(65536):
            for raw, arguments in requests.feed(data):
                rule = self._proxy.seen(arguments)
                if rule is not None and rule.what == "lose request":
                    rule.strike()
                    return
                if rule is not None and rule.what == "swallow request":
                    rule.strike()
                    continue
                self._rule = rule
                self._server.sendall(raw)

    def _to_client(self) -> None:
        while data := self._server.recv(65536):
            rule, self._rule = self._rule, None
            if rule is not None:
                if data.startswith(b"-NOSCRIPT") or rule.containing not in data:
                    self._proxy.give_back(rule)
                elif rule.what == "lose reply":
                    rule.strike()
                    return
                elif rule.what == "silence reply":
                    rule.strike()
                    self._deaf = True
                elif rule.what == "hold reply":
                    rule.strike()
                    rule.released.wait(120)
                else:
                    rule.strike()
                    time.sleep(rule.seconds)
            if self._proxy.delay_s:
                time.sleep(self._proxy.delay_s)
            if not self._deaf:
                self._client.sendall(data)


def _address(store_url: str) -> tuple[str, int]:
    parts = urlsplit(store_url)
    assert parts.hostname, store_url
    assert parts.port, store_url
    return parts.hostname, parts.port


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    sock.close()
