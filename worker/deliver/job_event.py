"""Deliver: what a callback says: how a job ended, as the store knows it when it is sent, and signed.

Promise: the same end is always told under the same `webhook-id`; what is told besides the end itself (result, problem)
is of that very end, or it is left out and `omitted` says why: the record is gone, the job has been started again since,
or the result is too large. No secret of ours is in it. Scope: one request; where it may go was decided when the call
was accepted, and is checked once more against the settings of today.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import redis

from settings import Account, Settings
from worker.accept.callback import checked_url
from worker.accept.jobs import Chain, Job, Jobs, merged
from worker.accept.operation import CallSpec
from worker.broker.card import Card
from worker.deliver import http_call
from worker.deliver.credentials import Credentials
from worker.deliver.signing import signed
from worker.errors import NotFound, Refused, StoreUnavailable
from worker.observe.redact import Redactor
from worker.store.partition import Partition

PROBLEMS = ("dead", "expired")


class JobEvents:
    """Makes the requests that tell ends, for one process."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        partition: Partition,
        redactor: Redactor,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._partition = partition
        self._jobs = Jobs(partition, redactor)
        self._redactor = redactor
        self._now_s = now_s

    def request(self, card: Card, account: Account, params: Mapping[str, Any]) -> CallSpec:
        """The signed request. Raises `Refused` for an address that may not be called any more, and
        `StoreUnavailable` when the store does not say what became of the job.
        """
        where, url = checked_url(card.operation, params.get("callback_url"), self._settings)
        if where != account.name:
            raise Refused(f"{card.operation}: expected an address of {account.name}, got one of {where}.")
        try:
            message = self.message(params["ended"], params.get("key"))
        except redis.RedisError as error:
            raise StoreUnavailable(f"the store did not say how the job ended ({type(error).__name__})") from None
        secrets = self._credentials.signing_secrets("callback")
        headers = signed(http_call.encoded(message), card.job_id, int(self._now_s()), secrets)
        return CallSpec("POST", url, [], message, headers)

    def message(self, ended: Mapping[str, Any], key: str | None) -> dict[str, Any]:
        """What is told: type, time and data, as Standard Webhooks advises."""
        told, omitted = self._of_this_end(ended)
        data = {
            "id": ended["chain"],
            "location": f"/v1/jobs/{ended['chain']}",
            "operation": ended["operation"],
            "account": ended["account"],
            "state": ended["state"],
            "end": int(ended["number"]),
            "key": key,
            "created": _utc(ended["created_us"]),
            "ended": _utc(ended["at_us"]),
            **told,
            "omitted": omitted,
        }
        message = {"type": f"job.{ended['state']}", "timestamp": _utc(ended["at_us"]), "data": data}
        found: dict[str, Any] = self._redactor.without_secrets(message)
        return found

    def _of_this_end(self, ended: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
        """Result and problem, and why they are not there."""
        told: dict[str, Any] = {"result": None, "command_result": None, "problem": None}
        try:
            chain = self._jobs.chain(ended["job"])
        except NotFound:
            return told, "gone"
        job = next((page for page in chain.jobs if page.id == ended["job"]), None)
        if job is None:
            return told, "gone"
        if (job.state, job.ended_us) != (ended["state"], int(ended["at_us"])):
            return told, "started_again"
        told["problem"] = _problem(job)
        told["command_result"] = self._jobs.heard(job, masked=False)
        if ended["state"] != "done":
            return told, None
        if chain.gone:
            return told, "gone"
        if self._size(chain) > self._settings.callbacks.max_result_bytes:
            return told, "too_large"
        told["result"] = merged(self._jobs.results(chain, masked=False))
        return told, None

    def _size(self, chain: Chain) -> int:
        """Of all results, without reading one."""
        keys = [self._partition.key("result", page.id) for page in chain.jobs]
        return sum(self._partition.ask(*(("strlen", key) for key in keys)))


def origin_of(url: str) -> str:
    """As much of a receiver's address as may be shown: what comes after the host often is its key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"


def _problem(job: Job) -> dict[str, Any] | None:
    if job.state not in PROBLEMS:
        return None
    said = {"class": job.error_class or job.state, "code": job.code or None, "message": job.why or None}
    return said | {"problem": job.problem or None}


def _utc(us: object) -> str:
    moment = datetime.fromtimestamp(int(float(str(us))) / 1e6, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
