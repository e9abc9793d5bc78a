"""Accept: the only way in. Checks a call against the catalogue and the account, then hands it to the store, once.

Promise: what is accepted is complete, allowed and stored as safely as the store is configured for; what is refused says
in one sentence why, and nothing of it is stored. The same key with the same content is the same job. The actor's
`send`, the command line and HTTP all end here. Scope ends when the job waits in its lane.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from dramatiq import Message

from settings import Account, Settings
from worker.accept import callback, envelope
from worker.accept.operation import Operation, account_for, find
from worker.errors import Conflict, Refused, StoreUnavailable
from worker.store.connection import is_outage
from worker.store.scripts import Scripts

BATCH = 100
FULL_SHARE = 0.9
MEMORY_ASKED_EVERY_S = 1.0
RETRIES = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call as somebody asks for it. `deadline_s` counts from acceptance; `key` makes repeats harmless.

    Keys belong to the account; with a `caller` they belong to that caller, and stand for everything that was asked.
    `callback_url` is told how the job ended.
    """

    operation: str
    account: str
    params: Mapping[str, Any]
    body: Mapping[str, Any] | None = None
    priority: str | None = None
    key: str | None = None
    deadline_s: float | None = None
    job_id: str | None = None
    caller: str | None = None
    trace: str | None = None
    callback_url: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job that now stands for the call; `duplicate` when it was there already."""

    job_id: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked call, ready for the store: the script's facts and the encoded message."""

    facts: dict[str, Any]
    message: Message[Any]


class Enqueuer:
    """Checks and stores calls. One per process; safe to use from any thread."""

    def __init__(self, settings: Settings, client: redis.Redis, scripts: Scripts) -> None:
        self._settings = settings
        self._accounts: dict[str, Account] = settings.accounts()
        self._client = client
        self._scripts = scripts
        self._memory_asked = 0.0
        self.published: Callable[[list[tuple[str, str, int]], float], None] | None = None
        """Hears of what was put in, where somebody watches: operation, id and size of each, and when it began."""

    def enqueue(self, wanted: Wanted) -> Accepted:
        """Accepts one call.

        Raises `Refused` for bad input, `Conflict` for a key that stands for another call, `StoreUnavailable`
        when the store is away or nearly full. After `StoreUnavailable` the call may be asked for again with the
        same key.
        """
        return self.enqueue_many([wanted])[0]

    def enqueue_many(self, wanted: Iterable[Wanted]) -> list[Accepted]:
        """Accepts calls in order, 100 at a time; every call is checked before the first is stored."""
        prepared = [self.prepare(each) for each in wanted]
        accepted: list[Accepted] = []
        for start in range(0, len(prepared), BATCH):
            accepted += self.store(prepared[start : start + BATCH])
        return accepted

    def prepare(self, wanted: Wanted) -> Prepared:
        """Checks a call and builds its job, without storing it. Raises `Refused`."""
        operation = find(wanted.operation)
        if operation.ours:
            raise Refused(
                f"expected an operation that can be asked for, got {operation.name}, which Paceline makes itself when "
                "a job has ended; give callback_url with the call that is to be told of."
            )
        account = account_for(self._accounts, wanted.account, operation.api)
        params, body = operation.check(account, wanted.params, wanted.body)
        self._check_result_address(operation, body)
        job_id = wanted.job_id or envelope.new_job_id(self._settings.partition)
        priority = _priority(operation, wanted.priority)
        told = self._callback(operation, wanted, priority)
        message = envelope.build(
            job_id, operation.name, account.name, params, body, trace=wanted.trace, callback=told
        )
        facts = facts_of(operation, account.name, job_id, priority, self._deadline(operation, wanted), callback=told)
        if wanted.key is not None:
            facts |= _key_facts(wanted, operation.name, account.name, params, body)
        return Prepared(facts, message)

    def store(self, prepared: list[Prepared]) -> list[Accepted]:
        """Stores prepared jobs in one step; raises the first `Conflict`."""
        accepted = []
        for one in self.store_each(prepared):
            if isinstance(one, Conflict):
                raise one
            accepted.append(one)
        return accepted

    def store_each(self, prepared: list[Prepared]) -> list[Accepted | Conflict]:
        """Stores prepared jobs in one step; a conflict of one is no matter of the others. A lost reply is asked for
        again: the same ids make that harmless.
        """
        started_s = 0.0 if self.published is None else time.time()
        self._check_room()
        blobs = [each.message.encode() for each in prepared]
        reply = self._call({"jobs": [each.facts for each in prepared]}, blobs)
        answers: list[Accepted | Conflict] = []
        for status, job_id in zip(reply[0::2], reply[1::2], strict=True):
            if status == b"conflict":
                answers.append(
                    Conflict(
                        f"this idempotency key already stands for job {job_id.decode()} with other content; "
                        "use a new key, or send the same content."
                    )
                )
            else:
                answers.append(Accepted(job_id.decode(), status == b"duplicate"))
        if self.published is not None:
            born = zip(prepared, blobs, answers, strict=True)
            self.published(
                [
                    (each.facts["op"], answer.job_id, len(blob))
                    for each, blob, answer in born
                    if isinstance(answer, Accepted) and not answer.duplicate
                ],
                started_s,
            )
        return answers

    def _call(self, facts: dict[str, Any], blobs: list[bytes]) -> list[bytes]:
        for attempt in range(RETRIES + 1):
            try:
                reply: list[bytes] = self._scripts("enqueue", facts, *blobs)
                return reply
            except redis.RedisError as error:
                full = isinstance(error, redis.exceptions.OutOfMemoryError) or str(error).startswith("OOM")
                if full:
                    raise StoreUnavailable("the store is full; the call was not accepted: try again later.") from None
                if not is_outage(error) or attempt == RETRIES:
                    raise StoreUnavailable(
                        f"the store did not answer ({type(error).__name__}); it is not known whether the call was "
                        "accepted: ask again with the same key."
                    ) from error
        raise AssertionError("unreachable")

    def _check_room(self) -> None:
        """Refuses before the store's own limit, so that running work keeps its head-room."""
        now = time.monotonic()
        if now - self._memory_asked < MEMORY_ASKED_EVERY_S:
            return
        self._memory_asked = now
        try:
            memory: dict[str, Any] = self._client.info("memory")
        except redis.RedisError:
            return  # the enqueue itself will say what is wrong
        limit = int(memory.get("maxmemory", 0))
        if limit and int(memory.get("used_memory", 0)) > limit * FULL_SHARE:
            self._memory_asked = 0.0
            raise StoreUnavailable("the store is nearly full; the call was not accepted: try again later.")

    def _deadline(self, operation: Operation, wanted: Wanted) -> float:
        chosen = wanted.deadline_s
        if chosen is None:
            chosen = self._settings.fail.deadlines.get(operation.name, operation.deadline_s)
        if isinstance(chosen, bool) or not isinstance(chosen, int | float) or not 0 < chosen <= 30 * 86400:
            raise Refused(
                f"{operation.name}: expected a deadline in seconds, above 0 and at most 30 days, "
                f"got {str(chosen)[:40]!r}; correct it or leave it out."
            )
        return float(chosen)

    def _callback(self, operation: Operation, wanted: Wanted, priority: int) -> str | None:
        """The job that will tell the end, where somebody wants to be told."""
        if wanted.callback_url is None:
            return None
        return callback.prepared(
            operation.name, wanted.callback_url, self._settings, key=wanted.key, priority=priority, trace=wanted.trace
        )

    def _check_result_address(self, operation: Operation, body: Mapping[str, Any] | None) -> None:
        if operation.wants_response_url and not (body or {}).get("response_url") and not self._settings.public_url:
            said = f"{operation.name}: expected an address for the result, got none;"
            raise Refused(
                f"{said} set PACELINE_PUBLIC_URL, or give body.response_url.",
                over_http=f"{said} give body.response_url (whoever runs this service can name one for all calls).",
            )


def facts_of(
    operation: Operation,
    account: str,
    job_id: str,
    priority: int,
    deadline_s: float,
    page: int = 1,
    callback: str | None = None,
) -> dict[str, Any]:
    """What the store keeps about a job, apart from its message (`lua/parts/accept.lua`)."""
    return {
        "id": job_id,
        "op": operation.name,
        "acct": account,
        "api": operation.api,
        "budget": operation.budget,
        "prio": priority,
        "rep": 1 if operation.repeatable else 0,
        "dl": int(deadline_s * 1_000_000),
        "chain": job_id.partition(".p")[0],
        "page": page,
    } | ({"callback": callback} if callback else {})


def _priority(operation: Operation, wanted: str | None) -> int:
    chosen = wanted or operation.priority
    if chosen not in envelope.PRIORITIES:
        raise Refused(
            f"{operation.name}: expected a priority of urgent, normal or bulk, got {str(chosen)[:40]!r}; correct it."
        )
    return envelope.PRIORITIES[chosen]


def _key_facts(wanted: Wanted, operation: str, account: str, params: Any, body: Any) -> dict[str, str]:
    key = wanted.key
    if not isinstance(key, str) or not 1 <= len(key) <= 255:
        raise Refused(
            f"{operation}: expected an idempotency key of 1 to 255 characters, got {len(str(key))}; shorten it."
        )
    whose, what = account, [operation, params, body]
    if wanted.caller is not None:
        whose, what = f"caller:{wanted.caller}", [*what, account, wanted.priority, wanted.deadline_s]
    if wanted.callback_url is not None:
        what = [*what, wanted.callback_url]
    content = json.dumps(what, sort_keys=True, separators=(",", ":"))
    return {
        "key": hashlib.sha1(f"{whose}|{key}".encode(), usedforsecurity=False).hexdigest(),
        "psha": hashlib.sha256(content.encode()).hexdigest()[:32],
    }
