"""Sandbox, server: a whole sandbox in a thread of this process, and its command line.

    with Sandbox(limits={"tokens": (10, 1.0)}, hub={"refusal": "200"}) as sandbox:
        ... sandbox.hub_url, sandbox.stellantis_url, sandbox.fault("hang", {"api": "hub"}, times=1), sandbox.judge()

It promises three ports on 127.0.0.1 that are open when `start` returns and gone when `stop` does. Its scope ends at
life and death; the same in a process of its own is process.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import ssl
import sys
import threading
from typing import Any

from worker.sandbox.arguments import parse
from worker.sandbox.controls import Controls
from worker.sandbox.environment import environment
from worker.sandbox.hub import BASE as HUB_BASE
from worker.sandbox.listeners import HOST, Listeners
from worker.sandbox.options import Options, change
from worker.sandbox.stellantis import BASE as STELLANTIS_BASE
from worker.sandbox.world import World


class Sandbox(Controls):
    """Both APIs, simulated in a background thread."""

    def __init__(
        self,
        *,
        port: int = 0,
        stellantis_port: int = 0,
        control_port: int = 0,
        tls_cert: str | None = None,
        tls_key: str | None = None,
        tls_ca: str | None = None,
        **options: Any,
    ) -> None:
        self.options = Options()
        change(self.options, options)
        self.ports = {"hub": port, "stellantis": stellantis_port, "control": control_port}
        self.tls = server_context(tls_cert, tls_key, tls_ca) if tls_cert else None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: Listeners | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def start(self) -> Sandbox:
        """Open the ports; they accept when this returns."""
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Close the ports, cut all connections, end the thread."""
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        loop = self._loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._open())
            self._ready.set()
            loop.run_forever()
            loop.run_until_complete(self._close())
        except BaseException as failure:
            self._failure = failure
            self._ready.set()
        finally:
            loop.close()

    async def _open(self) -> None:
        self._listeners = Listeners(World(self.options), self.ports, self.tls)
        for name in self.ports:
            self._listeners.open(name)
        self.ports = self._listeners.ports

    async def _close(self) -> None:
        assert self._listeners is not None
        for name in self.ports:
            self._listeners.close(name)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _call(self, name: str, **arguments: Any) -> Any:
        loop, listeners = self._loop, self._listeners
        if loop is None or listeners is None:
            raise RuntimeError("the sandbox is not started")

        async def carried_out() -> Any:
            return listeners.call(name, **arguments)

        return asyncio.run_coroutine_threadsafe(carried_out(), loop).result(120)

    @property
    def hub_url(self) -> str:
        """Base URL of the hub's version 2.2.1."""
        return f"http://{HOST}:{self.ports['hub']}{HUB_BASE}"

    @property
    def stellantis_url(self) -> str:
        """Base URL of the B2B Web API v3."""
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.ports['stellantis']}{STELLANTIS_BASE}"

    @property
    def control_url(self) -> str:
        """Where the control calls are."""
        return f"http://{HOST}:{self.ports['control']}/_control"

    @property
    def urls(self) -> dict[str, str]:
        """All three, by name."""
        return {"hub": self.hub_url, "stellantis": self.stellantis_url, "control": self.control_url}

    def environment(self) -> dict[str, str]:
        """The settings that make the project talk to this sandbox."""
        return environment(self.urls, self.options)


def server_context(cert: str, key: str | None, authority: str | None) -> ssl.SSLContext:
    """TLS for the Stellantis listener; with an authority, a client certificate is required."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def main(argv: list[str] | None = None) -> int:
    """Run a sandbox until it is told to stop; prints where it is."""
    arguments = parse(argv)
    sandbox = Sandbox(**arguments.options)
    try:
        sandbox.start()
    except OSError as error:
        print(f"the sandbox cannot listen: {error}", file=sys.stderr)
        return 1
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    if arguments.json:
        print(json.dumps(sandbox.urls), flush=True)
    else:
        print("\n".join(said(sandbox)), flush=True)
    if arguments.with_stdin:
        threading.Thread(target=_until_closed, args=(stopped,), daemon=True).start()
    stopped.wait()
    sandbox.stop()
    return 0


def said(sandbox: Sandbox) -> list[str]:
    """Where it is, and what to give the shell that Paceline is started in."""
    urls = [f"{name:<11}{url}" for name, url in sandbox.urls.items()]
    told = {**sandbox.environment(), "PACELINE_ON_EMPTY_STORE": "fresh"}  # nobody has called it before
    settings = [f"export {name}={shlex.quote(value)}" for name, value in told.items()]
    return [*urls, "", "# For the shell that starts Paceline; Ctrl-C here ends the sandbox.", *settings]


def _until_closed(stopped: threading.Event) -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would be held while the interpreter shuts down
        pass
    stopped.set()
