"""Accept, over HTTP: one call as its callers see it: where it stands, when it will be sent, what came of it.

Promise: the pages of a list are one answer; a result is given as it came to those who may ask for calls, and masked to
everybody else; evidence and parameters are always masked. Scope: from records to members of a JSON object.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from worker.accept.intake.parts import Parts
from worker.accept.jobs import Chain, Job, merged
from worker.accept.waiting import waiting_for
from worker.fail.dead_letter import advise

WHERE = "/v1/jobs/"
SHOWN = ("operation", "account", "api", "budget", "priority", "repeatable", "discarded")
SUMMED = ("attempts", "runs", "crashes", "redrives")


def utc(us: int) -> str | None:
    """A time of the store as RFC 3339; None where nothing has happened yet."""
    if not us:
        return None
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seen(parts: Parts, chain: Chain, *, masked: bool, evidence: bool = False) -> dict[str, Any]:
    """The call, whole."""
    job = chain.current
    result = merged(parts.jobs.results(chain, masked=masked)) if chain.done else None
    whole: dict[str, Any] = {"id": chain.id, "state": chain.state}
    whole |= {name: getattr(job, name) for name in SHOWN}
    whole |= {
        "created": utc(chain.jobs[0].created_us),
        "deadline": utc(job.deadline_us),
        "ended": utc(job.ended_us) if job.ended else None,
    }
    whole |= {name: sum(getattr(page, name) for page in chain.jobs) for name in SUMMED}
    whole |= {
        "pages": len(chain.jobs) + chain.gone,
        "pages_done": chain.done,
        "callbacks": chain.callbacks,
        "waiting": _waiting(parts, job),
        "result": result,
        "command_result": parts.jobs.heard(job, masked=masked),
        "problem": _problem(parts, job),
    }
    if evidence:
        whole |= parts.jobs.params(chain.jobs[0])
        whole["evidence"] = [{"job": page.id} | record for page in chain.jobs for record in parts.jobs.evidence(page)]
    return whole


def _waiting(parts: Parts, job: Job) -> dict[str, Any] | None:
    """Its place and what it waits for; None when it does not."""
    found = waiting_for(job, parts.partition, parts.limiter, parts.holds)
    if found is None:
        return None
    expected_at = None
    if found.expected_s is not None:
        expected_at = utc(parts.partition.now_us() + int(found.expected_s * 1e6))
    return {
        "place": None if found.ahead is None else found.ahead + 1,
        "of": None if found.ahead is None else found.ahead + 1 + found.behind,
        "expected_send_at": expected_at,
        "waits_for": list(found.reasons),
    }


def _problem(parts: Parts, job: Job) -> dict[str, Any] | None:
    """What went wrong last: of a dead letter with what is known of its call and what can be done."""
    if not job.error_class and job.state not in ("dead", "expired"):
        return None
    said: dict[str, Any] = {
        "class": job.error_class or job.state,
        "code": job.code or None,
        "message": job.why or None,
        "problem": job.problem or None,
    }
    if job.state in ("dead", "expired"):
        said |= asdict(advise(job, parts.jobs.evidence(job)))
    return said


def summed_up(job: Job) -> dict[str, Any]:
    """A job as one of many, whatever its state."""
    return listed(job) | {
        "class": job.error_class or None,
        "deadline": utc(job.deadline_us),
        "due": utc(job.due_us) if job.state == "waiting" else None,
    }


def listed(job: Job) -> dict[str, Any]:
    """A dead letter as one of many."""
    return {
        "id": job.id,
        "state": job.state,
        **{name: getattr(job, name) for name in SHOWN},
        "class": job.error_class or job.state,
        "code": job.code or None,
        "message": job.why or None,
        "problem": job.problem or None,
        "created": utc(job.created_us),
        "ended": utc(job.ended_us),
        **{name: getattr(job, name) for name in SUMMED},
        "call": WHERE + job.chain,
    }
