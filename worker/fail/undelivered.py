"""Fail: what the hub owed us and did not deliver, as a service or a person reports it.

Promise: a report is kept like a dead letter: one line among the problems, one alert, a bundle for support; the same
thing reported again is the same letter. Scope: taking the report. Nobody but its receiver knows that a push is
missing, so nothing here looks for it; delivering again is the hub's support's. Source: the hub's page on asynchronous
delivery.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from settings import Account
from worker.deliver.outcome import Undelivered
from worker.errors import Refused
from worker.fail.policy import TABLE
from worker.observe.redact import Redactor
from worker.store.partition import Partition

OPERATION = "hub.push"
OWED: dict[str, str] = {
    "session": "PUT sessions/{country_code}/{party_id}/{session_id}",
    "cdr": "POST cdrs",
    "command_result": "POST to the response_url of the command",
    "other": "",
}
"""What the hub pushes, and to which endpoint of ours."""
LONGEST_ID, LONGEST_NOTE = 64, 500


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that did not come. `identifier` is its session id, CDR id or command's job id."""

    account: str
    what: str
    identifier: str
    by: str
    expected_at: datetime | None = None
    correlation_id: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """The letter that stands for it, and whether it is new: `reported`, `noted` (open already) or `again`."""

    job_id: str
    status: str


def report(partition: Partition, redactor: Redactor, account: Account, missing: Missing) -> Reported:
    """Keeps the report. Raises `Refused`."""
    _check(account, missing)
    # OCPI compares ids without case.
    known = f"{missing.account}|{missing.what}|{missing.identifier.casefold()}"
    job_id = f"{partition.key.partition}-u{hashlib.sha1(known.encode(), usedforsecurity=False).hexdigest()[:16]}"
    identifier = redactor.redact_text(missing.identifier)
    params = {"what": missing.what, "id": identifier}
    row, action = TABLE.decide(Undelivered(missing.what), _Push())
    said = f"a {missing.what.replace('_', ' ')} has not come: {identifier}"
    why = {"class": row.error_class, "code": missing.what, "message": said, "alert": action.alert}
    facts = {"id": job_id, "op": OPERATION, "acct": account.name, "api": account.api, "why": why}
    message = json.dumps({"kwargs": {"params": params, "body": None}})
    status = partition.decide("undelivered", facts, json.dumps(_record(redactor, missing, params)), message)
    return Reported(job_id, status)


def _check(account: Account, missing: Missing) -> None:
    if account.api != "hub":
        raise Refused(f"expected an account of the hub, got {account.name}; nothing else pushes to us.")
    if missing.what not in OWED:
        raise Refused(f"expected one of {', '.join(OWED)}, got {missing.what[:40]!r}; choose one.")
    if not missing.identifier.isprintable() or not 0 < len(missing.identifier) <= LONGEST_ID:
        raise Refused(f"expected an id of 1 to {LONGEST_ID} characters, got {len(missing.identifier)}; correct it.")


def _record(redactor: Redactor, missing: Missing, params: dict[str, str]) -> dict[str, str]:
    expected = missing.expected_at
    record = {
        "event": "not_delivered",
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **params,
        "endpoint": OWED[missing.what],
        "expected_at": expected.astimezone(UTC).isoformat(timespec="seconds") if expected else "",
        "correlation_id": redactor.redact_text(missing.correlation_id[:LONGEST_ID]),
        "note": redactor.redact_text(missing.note[:LONGEST_NOTE]),
        "by": missing.by,
    }
    return {name: value for name, value in record.items() if value}


@dataclass(frozen=True, slots=True)
class _Push:
    """All that the table asks about it."""

    name: str = OPERATION
    api: str = "hub"
    budget: str = "other"
    repeatable: bool = False
    meaning: str = "plain"
