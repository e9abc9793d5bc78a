"""A stream of the console's events, as a browser opens one."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.console_seat import WebSeat
from worker.console.visitor import COOKIE

PATIENCE_S = 30.0


class Stream:
    """One open stream, read an event at a time."""

    def __init__(self, seat: WebSeat, cookie: str = "") -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", seat.port, timeout=PATIENCE_S)
        self.connection.request("GET", "/live", headers={"Cookie": f"{COOKIE}={cookie}"} if cookie else {})
        self.answer = self.connection.getresponse()

    def event(self) -> tuple[str, str]:
        """The next event's name and data; ('', '') at the end of the stream."""
        name = data = ""
        while line := self.answer.readline().decode():
            word, _, value = line.rstrip("\n").partition(":")
            if word == "event":
                name = value.strip()
            elif word == "data":
                data = value.strip()
            elif not line.strip() and name:
                return name, data
        return "", ""

    def until(self, wanted: str) -> str:
        """The data of the next event of this name; fails when the stream ends before."""
        while True:
            name, data = self.event()
            assert name or wanted == "", "the stream ended"
            if name == wanted:
                return data

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@contextmanager
def streaming(seat: WebSeat, cookie: str = "") -> Iterator[Stream]:
    stream = Stream(seat, cookie)
    try:
        yield stream
    finally:
        stream.close()
