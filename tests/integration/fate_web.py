"""The web process in a thread, on a port that is known before the settings are made."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.integration.fate_bench import Bench
from worker.accept.intake.app import create_app
from worker.accept.intake.parts import Parts
from worker.store.partition import Partition


@contextmanager
def listening() -> Iterator[tuple[str, Callable[[Bench], Any]]]:
    """The address, and what to call with the bench whose jobs it serves."""
    listener = socket.create_server(("127.0.0.1", 0))
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(bench: Bench) -> None:
        partition = Partition(bench.broker.client, bench.key, bench.broker.scripts)
        app = create_app(Parts(bench.settings, partition, bench.broker.accept, bench.system.redactor))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))

    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", serve
    finally:
        for server, thread in running:
            server.should_exit = True
            thread.join(10)
        listener.close()


def tell(bench: Bench, job: str, result: str, door: str = "") -> int:
    """Posts a command's result to the address that the command named, as the hub does; the answer's HTTP status."""
    secret = door or bench.record(job)["door"]
    url = f"{bench.settings.public_url}/v1/command-results/{job}/{secret}"
    body = json.dumps({"result": result, "message": [{"language": "en", "text": "as the station says"}]}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except urllib.error.URLError:  # it has not begun to listen yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
