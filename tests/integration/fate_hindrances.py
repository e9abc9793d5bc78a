"""What stands in a worker's way: middleware that holds a job up or breaks, and a peer that never shakes hands."""

import socket
import threading
from collections.abc import Callable
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.middleware import SkipMessage

from tests.integration.raw_peer import Peer
from worker.broker.card import JobMessage


class HeldUp(Middleware):
    """Stops a thread between the permit and the first byte, once, until it may go on."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.go_on = threading.Event()
        self.lease = ""

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        if not self.stopped.is_set():
            assert isinstance(message, JobMessage)
            self.lease = message.card.lease
            self.stopped.set()
            self.go_on.wait(30)


class Once(Middleware):
    """Does something before the first job is worked on, and before any other is."""

    def __init__(self, act: Callable[[JobMessage], object]) -> None:
        self._act = act
        self._turn = threading.Lock()
        self._done = False

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        assert isinstance(message, JobMessage)
        with self._turn:
            if not self._done:
                self._act(message)
                self._done = True


class After(Middleware):
    """Does something when a call has ended and nobody was told yet."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def after_process_message(self, broker: Broker, message: MessageProxy, **_: Any) -> None:
        self._act()


class Skipping(Middleware):
    """Throws every job away, as a middleware for one purpose does with the jobs of another."""

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        raise SkipMessage


class Raising(Middleware):
    """Breaks after the call; `FateMiddleware` has decided by then, or not yet."""

    def __init__(self, text: str = "no such thing") -> None:
        self.text = text

    def after_process_message(self, broker: Broker, message: MessageProxy, **_: Any) -> None:
        raise RuntimeError(self.text)


class Forgetful(Middleware):
    """Takes the decision away again."""

    def after_process_message(self, broker: Broker, message: MessageProxy, **_: Any) -> None:
        assert isinstance(message, JobMessage)
        message.fate = None


class Refusing:
    """The store's scripts, of which one is refused for a reason that no waiting mends."""

    def __init__(self, scripts: Callable[..., Any], name: str, error: Exception, times: int = 1) -> None:
        self.scripts, self.name, self.error, self.left = scripts, name, error, times

    def __call__(self, name: str, *args: Any) -> Any:
        if name == self.name and self.left:
            self.left -= 1
            raise self.error
        return self.scripts(name, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scripts, name)


def hanging_up(running: Peer, conn: socket.socket) -> None:
    """Closes before it has said or read anything: no handshake."""
    conn.close()
