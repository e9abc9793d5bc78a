"""Console: doing something about dead letters: a plan with counts, a confirmation with a reason, a run, a report.

Promise: a plan fixes its letters: whoever dies after it is not touched by its run. A run works for a few seconds, says
how far it came and goes on when asked (which a browser with scripts does by itself), so it can be stopped at any time
and needs no place to be remembered in; each step is in the audit. Scope: the pages; `fail/redrive.py` acts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.accept.envelope import PRIORITIES
from worker.accept.jobs import Job
from worker.console.finding import Finding
from worker.console.parts import Parts
from worker.console.query import Query, pile_of, read_query
from worker.console.rendering import parts_of, render
from worker.errors import Conflict, Refused
from worker.fail.dead_letter import needs_care, require_letter
from worker.fail.redrive import ROUNDS, Order, Report, Verb

COUNTED = 5_000
STEP_S = 2.0
TYPED_ABOVE = 100
LONGEST_REASON = 500
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `objections` are by reason; `lanes` say how long the limits make it take."""

    verb: Verb
    query: Query
    until_us: int
    counted: int
    complete: bool
    total: int | None
    careful: int
    circling: int
    objections: dict[str, int]
    lanes: list[tuple[str, int, float | None]]
    examples: list[Job]

    @property
    def fitting(self) -> int:
        return self.counted if self.total is None else self.total

    @property
    def longest_s(self) -> float | None:
        """The slowest lane's time, if everything else stood still."""
        return max((seconds for _, _, seconds in self.lanes if seconds is not None), default=None)


def plan(request: Request) -> Response:
    """Says what would be done; nothing is changed."""
    parts = parts_of(request)
    verb = verb_of(request.query_params.get("verb", ""))
    made = plan_of(parts, verb, _on_its_pile(verb, read_query(request.query_params)))
    return render(request, "plan.html", plan=made, typed_above=TYPED_ABOVE, priorities=list(PRIORITIES))


def plan_of(parts: Parts, verb: Verb, query: Query) -> Plan:
    now_us = parts.partition.now_us()
    wanted = query.wanted(now_us)
    found = list(islice(parts.letters.find(wanted, newest_first=False), COUNTED + 1))
    complete = len(found) <= COUNTED
    found = found[:COUNTED]
    order = Order(verb, "", "")
    against = Counter(refusal for job in found if (refusal := parts.redrive.objection(order, job)))
    share = Counter((job.account, job.operation, job.budget) for job in found)
    return Plan(
        verb=verb,
        query=query,
        until_us=now_us,
        counted=len(found),
        complete=complete,
        total=len(found) if complete else Finding(parts.partition).count(wanted),
        careful=sum(needs_care(job) for job in found) if verb == "redrive" else 0,
        circling=sum(job.redrives >= ROUNDS for job in found) if verb == "redrive" else 0,
        objections=dict(against),
        lanes=[(f"{one} {two}", count, _takes_s(parts, one, three, count))
               for (one, two, three), count in share.most_common()],
        examples=found[:EXAMPLES],
    )  # fmt: skip


def _takes_s(parts: Parts, account: str, budget: str, count: int) -> float | None:
    """How long the limits alone make `count` calls take; None without a limit."""
    windows = parts.limiter.budget(account, budget, PRIORITIES["bulk"]).windows
    return max((count // w.limit * w.length_s for w in windows if w.limit), default=None)


def run(request: Request) -> Response:
    """One step of a run; the answer is its report so far."""
    parts, form = parts_of(request), request.state.form
    verb = verb_of(form.get("verb", ""))
    query = _on_its_pile(verb, read_query(form))
    order = order_of(verb, request, form)
    frozen, start_us = _number(form, "until"), _number(form, "from")
    done, left = _number(form, "done"), _number(form, "left")
    if not done and not left and not start_us:
        _check_typed(form)
    wanted = replace(query.wanted(frozen), until_us=frozen, since_us=_since(form, query, frozen, start_us))
    step = Step(STEP_S)
    report = parts.redrive.carry_out(order, step.of(parts.letters.find(wanted, newest_first=False)), query.words)
    more = step.stopped and (report.done > 0 or verb != "restore")
    return render(
        request,
        "run.html",
        verb=verb,
        query=query,
        order=order,
        report=report,
        until_us=frozen,
        from_us=step.last_us + 1 if verb != "restore" else 0,
        total=_number(form, "total"),
        done=done + report.done,
        left=left + report.left_count,
        more=more,
        fresh=_fresh(parts, query, frozen),
    )


def _since(form: Mapping[str, str], query: Query, frozen: int, start_us: int) -> int | None:
    """Where the step begins: what was dealt with is behind it."""
    return start_us or query.wanted(frozen).since_us


def _fresh(parts: Parts, query: Query, frozen: int) -> int | None:
    """How many such letters died since the plan was made."""
    if query.pile != "dead":
        return None
    now_us = parts.partition.now_us()
    return Finding(parts.partition).count(replace(query.wanted(now_us), since_us=frozen + 1))


class Step:
    """Lets letters through for a few seconds, one moment of death at least; never stops within one."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self.last_us = 0
        self.stopped = False

    def of(self, letters: Iterator[Job]) -> Iterator[Job]:
        for job in letters:
            if self.last_us not in (0, job.ended_us) and time.monotonic() > self._until:
                self.stopped = True
                return
            self.last_us = job.ended_us
            yield job


def act(request: Request) -> Response:
    """One letter, at once."""
    parts, form = parts_of(request), request.state.form
    job = require_letter(parts.jobs.read(request.path_params["job_id"]))
    order = order_of(verb_of(request.path_params["verb"]), request, form)
    report = parts.redrive.carry_out(order, [job])
    if report.left_count:
        raise Conflict(f"{job.id} was left alone: {words_for_people(report)}.")
    return RedirectResponse(f"/dead-letters/{job.id}?did={order.verb}", 303)


def words_for_people(report: Report) -> str:
    """The first reason, without the command line's options."""
    return report.left[0][1].partition("; ")[0]


def order_of(verb: Verb, request: Request, form: Mapping[str, str]) -> Order:
    """What the form orders. Raises `Refused` where it lacks what the order needs."""
    by, reason = person_of(request)
    even = form.get("even_if_unknown") == "yes"
    priority = form.get("priority") or None
    if priority not in (None, *PRIORITIES):
        raise Refused(f"priority: expected one of {', '.join(PRIORITIES)}.")
    return Order(verb, by, reason, even, form.get("again") == "yes", priority)


def person_of(request: Request) -> tuple[str, str]:
    """Who changes something, and why. Raises `Refused` without a reason."""
    reason = " ".join(request.state.form.get("reason", "").split())
    if not reason:
        raise Refused("reason: expected a few words for the next person, got none; go back and say why.")
    if len(reason) > LONGEST_REASON:
        raise Refused(f"reason: expected at most {LONGEST_REASON} characters, got {len(reason)}; shorten it.")
    return request.state.visitor.name, reason


def verb_of(word: str) -> Verb:
    verbs: dict[str, Verb] = {one: one for one in get_args(Verb)}
    if word not in verbs:
        raise Refused(f"verb: expected one of {', '.join(verbs)}, got {word[:40]!r}.")
    return verbs[word]


def _on_its_pile(verb: Verb, query: Query) -> Query:
    """Only what was set aside can be taken back, and only from there."""
    if verb == "restore":
        return query.in_pile(pile_of("discarded"))
    if query.pile == "discarded" or (verb == "discard" and query.pile == "expired"):
        raise Refused(f"{verb}: expected dead letters, got those of the pile {query.pile}; choose another pile.")
    return query


def _check_typed(form: Mapping[str, str]) -> None:
    """Above a number, the number has to be typed."""
    total = _number(form, "total")
    typed = "".join(one for one in form.get("typed", "") if one.isdigit())
    if total > TYPED_ABOVE and typed != str(total):
        raise Refused(f"typed: expected the number of letters, {total}, typed as a confirmation; nothing was done.")


def _number(form: Mapping[str, Any], name: str) -> int:
    text = str(form.get(name) or "0")
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise Refused(f"{name}: expected a whole number, got something else.")
    return int(text)
