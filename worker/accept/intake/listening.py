"""Accept, over HTTP: the web process's own server, and how it leaves.

Promise: on SIGTERM nothing new is taken in, what is under way ends within `DRAIN_S`, and whoever waits for a job is
answered at once with how it stands. Whoever stands before us may not say who asks, and no access log is written: the
addresses of results carry secrets. Scope: listening; the routes are in `app.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from worker.errors import Refused

DRAIN_S = 8


class Server(uvicorn.Server):
    """uvicorn's, which tells us first when it is asked to leave."""

    def __init__(self, config: uvicorn.Config, leaving: Callable[[], None]) -> None:
        super().__init__(config)
        self._leaving = leaving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """In a signal handler."""
        self._leaving()
        super().handle_exit(sig, frame)


def check_address(host: str, port: int) -> None:
    """Raises `Refused` where nobody could listen: the server itself would say so in the middle of its start."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        why = str(error.strerror or error).partition(" (")[0].lower()
        raise Refused(
            f"expected an address to listen on, got {host}, port {port} ({why}); choose another with --port or --host."
        ) from None


def listen(app: FastAPI, host: str, port: int, leaving: Callable[[], None]) -> None:
    """Serves until a signal comes."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="info",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    Server(config, leaving).run()
