"""Accept, over HTTP: a client for other services: one file to copy, with nothing but the standard library.

    client = Client("https://paceline.example.com", key="pace_…")
    job = client.enqueue("stellantis.b2b.get_vehicle_status", "stellantis:fleet-1", {"fid": "F", "vid": "V"}, key="k-1")
    result = client.wait(job, timeout_s=60)

Promise: a call is asked for again after a lost answer or a 503, always with its own idempotency key, so it is never
queued twice; a wait ends with the result or with `Failed`, which has the problem. What is not accepted is
`PacelineRefused`, and nobody there `PacelineUnreachable`. `AsyncClient` has the same methods as coroutines.
`paceline_calls.py`, copied beside it, has a typed function for every call. Scope: asking and waiting; everything else
is in `/openapi.json`.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote

POLL_S = 20.0
QUICK_S = 1.0
ENDED = ("done", "dead", "cancelled", "expired")
Call = Mapping[str, Any]
T = TypeVar("T")


class PacelineRefused(Exception):
    """Paceline did not accept the request. `problem` says what was expected and how to mend it (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or f"HTTP {status}"))
        self.status = status
        self.problem = dict(problem)


class PacelineUnreachable(ConnectionError):
    """Nobody answered at `url`. Whether a call was taken in is not known: one with a `key` of your own can be asked for
    again.
    """

    def __init__(self, url: str, why: object) -> None:
        super().__init__(f"{url} could not be reached ({why})")
        self.url = url


class Failed(Exception):
    """The call ended without a result. `job` is all that Paceline tells of it."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        problem = job.get("problem") or {}
        words = f"{problem.get('class', job['state'])}: {problem.get('message') or 'no message'}"
        super().__init__(f"job {job['id']} is {job['state']} ({words})")
        self.job = dict(job)


class Client:
    """Asks one Paceline. Safe to use from any thread; `patience_s` bounds how long it goes on asking for one thing."""

    def __init__(self, url: str, key: str | None = None, *, patience_s: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._patience_s = patience_s

    def enqueue(
        self,
        operation: str,
        account: str,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        priority: str | None = None,
        deadline_s: float | None = None,
        callback_url: str | None = None,
    ) -> str:
        """Asks for a call; the id of its job. Give a `key` of your own when you may ask for the same thing again; at
        `callback_url` you are told how it ended.
        """
        call = {"operation": operation, "account": account, "params": dict(params or {}), "body": body, "key": key}
        more = {"priority": priority, "deadline_s": deadline_s, "callback_url": callback_url}
        return self.ask(call | {name: value for name, value in more.items() if value is not None})

    def ask(self, call: Call) -> str:
        """The same for a call as a whole, such as a function of `paceline_calls.py` makes it."""
        key = call.get("key") or uuid.uuid4().hex
        headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{_quoted(str(key))}"'}
        return str(json.loads(self._ask("POST", "/v1/jobs", json.dumps(call).encode(), headers))["id"])

    def enqueue_many(self, calls: Iterable[Call], *, key: str | None = None) -> Iterator[dict[str, Any]]:
        """Asks for many calls in one request; what became of each, in order: `status`, and `id` or `error`."""
        text = b"\n".join(json.dumps(call).encode() for call in calls)
        headers = {"Content-Type": "application/jsonl", "Idempotency-Key": f'"{_quoted(key or uuid.uuid4().hex)}"'}
        return (json.loads(line) for line in self._ask("POST", "/v1/jobs", text, headers).splitlines())

    def job(self, job_id: str, wait_s: float = 0) -> dict[str, Any]:
        """All that is known of a job; with `wait_s`, when it has ended or the time is over."""
        found = json.loads(self._ask("GET", f"/v1/jobs/{quote(job_id, safe='')}?wait={wait_s:.3f}"))
        assert isinstance(found, dict)
        return found

    def wait(self, job_id: str, timeout_s: float = 60.0) -> Any:
        """The result. Raises `Failed`, and `TimeoutError` when it has not ended in time: it goes on without you."""
        until = time.monotonic() + timeout_s
        while True:
            asked_at = time.monotonic()
            job = self.job(job_id, max(0.0, min(POLL_S, until - time.monotonic())))
            if job["state"] == "done":
                return job["result"]
            if job["state"] in ENDED:
                raise Failed(job)
            if time.monotonic() >= until:
                raise TimeoutError(f"job {job_id} is still {job['state']} after {timeout_s:g} s")
            if time.monotonic() - asked_at < QUICK_S:  # too many wait there already
                time.sleep(min(QUICK_S, max(0.0, until - time.monotonic())))

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Takes it back while it waits. Raises `PacelineRefused` (409) when it is too late."""
        found = json.loads(self._ask("POST", f"/v1/jobs/{quote(job_id, safe='')}/cancel", b""))
        assert isinstance(found, dict)
        return found

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """One request, and again while the other side is away, full or asks for patience."""
        until = time.monotonic() + self._patience_s
        given = {**(headers or {}), **({"Authorization": f"Bearer {self._key}"} if self._key else {})}
        for attempt in range(1_000_000):
            request = urllib.request.Request(self._url + path, body, given, method=method)
            try:
                with urllib.request.urlopen(request, timeout=POLL_S + 15) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    refused = PacelineRefused(error.code, _problem(error.read()))
                    after_s = _seconds(error.headers.get("Retry-After"), attempt)
                if error.code not in (429, 503) or time.monotonic() + after_s > until:
                    raise refused from None
            except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
                after_s = _seconds(None, attempt)
                if time.monotonic() + after_s > until:
                    why = getattr(error, "reason", None) or str(error) or type(error).__name__
                    raise PacelineUnreachable(self._url, why) from error
            time.sleep(after_s)
        raise AssertionError("unreachable")


class AsyncClient:
    """The same for asyncio. Requests are in threads of its own, `at_once` at most: a wait holds nobody else up."""

    def __init__(self, url: str, key: str | None = None, *, patience_s: float = 30.0, at_once: int = 32) -> None:
        self._client = Client(url, key, patience_s=patience_s)
        self._threads = ThreadPoolExecutor(at_once, "paceline")

    async def enqueue(
        self,
        operation: str,
        account: str,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        priority: str | None = None,
        deadline_s: float | None = None,
        callback_url: str | None = None,
    ) -> str:
        """As `Client.enqueue`."""
        more: dict[str, Any] = {"key": key, "priority": priority, "deadline_s": deadline_s}
        return await self._done(
            lambda: self._client.enqueue(operation, account, params, body, callback_url=callback_url, **more)
        )

    async def ask(self, call: Call) -> str:
        """As `Client.ask`."""
        return await self._done(lambda: self._client.ask(call))

    async def enqueue_many(self, calls: Iterable[Call], *, key: str | None = None) -> list[dict[str, Any]]:
        """As `Client.enqueue_many`, all at once."""
        return await self._done(lambda: list(self._client.enqueue_many(calls, key=key)))

    async def job(self, job_id: str, wait_s: float = 0) -> dict[str, Any]:
        """As `Client.job`."""
        return await self._done(lambda: self._client.job(job_id, wait_s))

    async def wait(self, job_id: str, timeout_s: float = 60.0) -> Any:
        """As `Client.wait`."""
        return await self._done(lambda: self._client.wait(job_id, timeout_s))

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """As `Client.cancel`."""
        return await self._done(lambda: self._client.cancel(job_id))

    async def _done(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _quoted(key: str) -> str:
    return key.replace("\\", "\\\\").replace('"', '\\"')


def _problem(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(said: str | None, attempt: int) -> float:
    """What the other side asked for, else a growing, scattered wait."""
    if said is not None and said.isdecimal():
        return min(3600.0, float(said))
    return random.uniform(0.05, min(5.0, 0.2 * 2 ** min(attempt, 10)))
