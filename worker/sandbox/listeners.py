"""Sandbox, sockets: the three listeners (hub, Stellantis, control) on the loopback address.

The control listener stays open while an API refuses connections. It promises that a closed port is opened again under
the same number. Its scope ends at accepting; connection.py serves.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from worker.sandbox.connection import Connection
from worker.sandbox.control import answer
from worker.sandbox.http11 import Reply, Request
from worker.sandbox.reception import Api
from worker.sandbox.world import CONTROLS, World

HOST = "127.0.0.1"
OURS = ("refuse", "accept")
"""The control calls that are carried out here; the others are `World`'s."""


class Listeners:
    """Where the sandbox can be reached."""

    def __init__(self, world: World, ports: dict[str, int], tls: ssl.SSLContext | None) -> None:
        self.world = world
        self.ports = dict(ports)
        self.tls = tls
        self.crowds: dict[str, set[Connection]] = {name: set() for name in ports}
        self._sockets: dict[str, socket.socket] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, name: str) -> None:
        """Listen from now on; a port of 0 becomes the number the system chose."""
        if name in self._sockets:
            return
        listening = socket.create_server((HOST, self.ports[name]), backlog=1024)
        self.ports[name] = listening.getsockname()[1]
        self._sockets[name] = listening
        self._spawn(self._serve(name, listening))

    async def _serve(self, name: str, listening: socket.socket) -> None:
        apis: dict[str, Api] = {"hub": self.world.hub, "stellantis": self.world.stellantis}
        tls = self.tls if name == "stellantis" else None

        def accepted() -> Connection:
            scheme = "https" if tls else "http"
            return Connection(self.world.front, apis.get(name), self.control, self.crowds[name], scheme)

        loop = asyncio.get_running_loop()
        self._servers[name] = await loop.create_server(accepted, sock=listening, ssl=tls, backlog=1024)

    def close(self, name: str) -> None:
        """Refuse connections from now on, and cut those that exist."""
        listening, server = self._sockets.pop(name, None), self._servers.pop(name, None)
        if server is not None:
            server.close()
        elif listening is not None:
            listening.close()
        for connection in list(self.crowds[name]):
            connection.drop()

    async def _open_after(self, name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.open(name)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refuse(self, api: str, seconds: float | None = None) -> None:
        """An API refuses connections, for a while or until `accept`."""
        self.close(self._api(api))
        if seconds is not None:
            self._spawn(self._open_after(api, seconds))

    def accept(self, api: str) -> None:
        """An API can be reached again."""
        self.open(self._api(api))

    def call(self, name: str, **arguments: Any) -> Any:
        """One control call, from inside the loop."""
        if name in ("", "/_control"):
            return self._controls()
        if name in OURS:
            return getattr(self, name)(**arguments)
        if name not in CONTROLS:
            raise ValueError(f"there is no control '{name}'; the controls are {', '.join(self._controls())}")
        return getattr(self.world, name)(**arguments)

    def _controls(self) -> list[str]:
        """Every control call with its arguments, such as `revoke(account)`."""
        calls = [*(getattr(self, name) for name in OURS), *(getattr(self.world, name) for name in CONTROLS)]
        return [f"{call.__name__}({', '.join(_arguments(call))})" for call in calls]

    def _api(self, name: str) -> str:
        if name not in ("hub", "stellantis"):
            raise ValueError(f"there is no API '{name}'; the APIs are hub, stellantis")
        return name

    def control(self, request: Request) -> Reply:
        """A control call that came over HTTP."""
        return answer(self.call, request)


def _arguments(call: Callable[..., Any]) -> Iterator[str]:
    """The names, with a default where there is one; `...` for whatever else a call takes."""
    for one in inspect.signature(call).parameters.values():
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            yield "..."
        else:
            yield one.name if one.default is inspect.Parameter.empty else f"{one.name}={one.default}"
