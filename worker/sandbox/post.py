"""Sandbox, hub: posts command results to the address a command named.

One bare `{result, message}` per delivery, tried once, as OCPI neither asks for retries nor allows them. It promises a
record of each delivery with the receiver's status. Its scope ends there: what to post and when is decided in
hub_routes.py.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 10.0


class Poster:
    """Sends results later, from the sandbox's own loop."""

    def __init__(self) -> None:
        self.delivered: list[dict[str, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def post(self, url: str, body: dict[str, Any], job: str, delay_s: float) -> None:
        """Post the body after the delay."""
        task = asyncio.get_running_loop().create_task(self._run(url, body, job, delay_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, url: str, body: dict[str, Any], job: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        record: dict[str, Any] = {"url": url, "result": body["result"], "job": job, "status": None, "error": None}
        self.delivered.append(record)
        try:
            record["status"] = await asyncio.wait_for(self._send(url, body, job), TIMEOUT_S)
        except (OSError, ValueError, IndexError, TimeoutError) as error:
            record["error"] = f"{type(error).__name__}: {error}"

    async def _send(self, url: str, body: dict[str, Any], job: str) -> int:
        parts = urlsplit(url)
        secure = ssl.create_default_context() if parts.scheme == "https" else None
        port = parts.port or (443 if secure else 80)
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
        try:
            payload = json.dumps(body).encode()
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            head = (
                f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(payload)}\r\nX-Request-ID: {uuid.uuid4()}\r\nX-Correlation-ID: {job}\r\n"
                "Connection: close\r\n\r\n"
            )
            writer.write(head.encode() + payload)
            await writer.drain()
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()

    def clear(self) -> None:
        """Forget deliveries and drop those still due."""
        for task in self._tasks:
            task.cancel()
        self.delivered = []
