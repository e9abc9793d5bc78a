"""A gate between workers and the APIs: requests pass, answers wait behind it until it is opened.

So a call is on its way for as long as a test needs it to be, and not for a while that a slow machine may outlast.
"""

import contextlib
import socket
import threading
from collections.abc import Mapping
from typing import Self
from urllib.parse import urlsplit

from worker.sandbox.process import SandboxProcess

NAMES = {"hub": "PACELINE_HUB__BASE_URL", "stellantis": "PACELINE_STELLANTIS__B2B_BASE_URL"}


class Gate:
    """Shut until `open`; give `environ` to the workers it is for. It stands before the APIs that are named, or both."""

    def __init__(self, apis: SandboxProcess, *names: str) -> None:
        self._opened = threading.Event()
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listeners: list[socket.socket] = []
        self.environ: Mapping[str, str] = {
            NAMES[name]: self._before({"hub": apis.hub_url, "stellantis": apis.stellantis_url}[name])
            for name in names or NAMES
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            self._listeners.clear()
            for end in self._ends:
                _end(end)
        for thread in self._threads:
            thread.join(10)

    def open(self) -> None:
        """What has waited goes on, and what comes later does not wait."""
        self._opened.set()

    def _before(self, url: str) -> str:
        """The address that is to be called instead of `url`."""
        parts = urlsplit(url)
        assert parts.hostname and parts.port, url
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        self._start(self._accept, listener, (parts.hostname, parts.port))
        return parts._replace(netloc=f"127.0.0.1:{listener.getsockname()[1]}").geturl()

    def _start(self, work: "object", *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, name="gate", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self, listener: socket.socket, target: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._start(self._carry, client, target)

    def _carry(self, client: socket.socket, target: tuple[str, int]) -> None:
        """One connection, until either side ends it."""
        with client, contextlib.suppress(OSError), socket.create_connection(target) as server:
            with self._lock:
                if not self._listeners:
                    return
                self._ends |= {client, server}
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = self._start(self._pass, server, client, True)
            self._pass(client, server, False)
            answers.join()
            with self._lock:
                self._ends -= {client, server}

    def _pass(self, source: socket.socket, sink: socket.socket, waits: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if waits:
                    self._opened.wait()
                sink.sendall(data)
        _end(source)
        _end(sink)


def _end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
