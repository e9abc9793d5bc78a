"""A browserless seat at the console: a real system with its web server on a socket, and a visitor who sends requests.

`Seat` fills a partition of its own with calls that died, wait and are held, so every page has something to show.
"""

import http.client
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import uvicorn

from tests.integration.fate_bench import Bench
from worker.accept.enqueue import Enqueuer
from worker.accept.intake.app import create_app
from worker.accept.intake.parts import Parts
from worker.console.mount import Beside
from worker.console.parts import Parts as Console
from worker.main import System
from worker.sandbox.server import Sandbox
from worker.store.partition import Partition
from worker.store.scripts import Scripts

NOWHERE = {"country_code": "IN", "party_id": "CPO", "location_id": "NOWHERE"}
PAGES = (
    "/", "/alerts", "/problems", "/dead-letters", "/operations", "/jobs", "/lanes", "/workers", "/audit", "/policy",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """One answer of the web server."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def to(self) -> str:
        return self.headers.get("location", "")


class Page(HTMLParser):
    """What a browser would make of a text: every element with its attributes, and the forms with their fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page's forms."""
        inputs = [given for tag, given in self.elements if tag == "input" and given.get("type") == "hidden"]
        return {str(given["name"]): str(given.get("value") or "") for given in inputs}


class WebSeat:
    """A web process, in this process, on a port of its own."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.partition = parts.partition
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        app = create_app(self.parts)
        beside = next(one for one in app.user_middleware if one.cls is Beside)
        self.console: Console = beside.kwargs["console"].state.parts
        config = uvicorn.Config(app, log_level="error", proxy_headers=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()
        until = time.monotonic() + 30
        while not self._server.started:
            assert time.monotonic() < until and self._thread.is_alive()
            time.sleep(0.02)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.parts.watching.leave()  # as a signal does: open streams end
        self._server.should_exit = True
        self._thread.join(20)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- requests -----------------------------------------------------------------------------------------------------

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, {"Host": f"127.0.0.1:{self.port}", **_spelt(headers)})

    def post(self, path: str, form: Mapping[str, Any] | None = None, **headers: str) -> Answer:
        """A form of the console's own page, as a browser sends it."""
        usual = {
            "Host": f"127.0.0.1:{self.port}",
            "Origin": self.base,
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        given = {name: value for name, value in (usual | _spelt(headers)).items() if value}
        return self.ask("POST", path, urlencode(form or {}).encode(), given)

    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders(body)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()


def seat_of(system: System) -> WebSeat:
    """The web process of a system whose jobs are taken and ended by the test itself."""
    partition = Partition(system.client, system.broker.keys, system.broker.scripts)
    return WebSeat(Parts(system.settings, partition, system.broker.accept, system.redactor))


class Seat(WebSeat):
    """The web process of a bench."""

    def __init__(self, redis_url: str, folder: Path, **settings: str) -> None:
        self.sandbox = Sandbox().__enter__()
        self.bench = Bench(redis_url, self.sandbox, folder, **settings).start()
        scripts = Scripts(self.bench.store, self.bench.key)
        partition = Partition(self.bench.store, self.bench.key, scripts)
        enqueuer = Enqueuer(self.bench.settings, self.bench.store, scripts)
        super().__init__(Parts(self.bench.settings, partition, enqueuer, self.bench.system.redactor))

    def close(self) -> None:
        super().close()
        self.bench.close()
        self.sandbox.__exit__(None, None, None)

    def not_found(self) -> str:
        """A dead letter that may be sent again."""
        return self.bench.run("hub.get_location", params=NOWHERE).job_id

    def unknown(self) -> str:
        """A dead letter that may have been carried out."""
        return self.bench.run("hub.start_session", fault={"action": "reset", "times": 1}).job_id

    def waiting(self) -> str:
        """A job that waits behind a hold."""
        facts = {"scope": "lane:hub:IN-ABC|hub.list_locations", "by": "test", "reason": "so that it waits"}
        self.partition.decide("hold", facts)
        return self.bench.send("hub.list_locations")


def _spelt(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}
