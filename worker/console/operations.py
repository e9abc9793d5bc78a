"""Console: operations on many letters: a plan with counts, a confirmation with a reason, progress, cancel, a report.

Promise: a plan changes nothing, and fixes its letters: whoever dies after it is not touched by its run; many letters
ask for their number to be typed. A run belongs to the store and its workers, not to a page: it goes on when the page is
closed, can be stopped from any, and its report stays. Scope: the pages; `fail/bulk.py` orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.accept.jobs import read_jobs
from worker.console.acting import on_its_pile, person_of, verb_of
from worker.console.query import Query, read_query
from worker.console.rendering import parts_of, render
from worker.errors import Conflict, Refused
from worker.fail.bulk import BulkAction
from worker.fail.bulk_plan import LEFT, BulkOrder
from worker.fail.dead_letter import Filter

TYPED_ABOVE = 100
LISTED = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an operation is, in hundred parts of all its letters."""

    done: float
    failed: float
    left: float

    @classmethod
    def of(cls, action: BulkAction) -> Progress:
        whole = max(action.total, action.done + action.left_alone, 1)
        failed = min(action.ends["dead"], action.done)
        return cls(*(round(100 * part / whole, 2) for part in (action.done - failed, failed, action.left_alone)))


def plan(request: Request) -> Response:
    """Says what would be done; nothing is changed."""
    parts = parts_of(request)
    verb = verb_of(request.query_params.get("verb", ""))
    query = on_its_pile(verb, read_query(request.query_params))
    now_us = parts.partition.now_us()
    made = parts.bulk.plan(BulkOrder(verb, query.wanted(now_us), ""))
    return render(
        request,
        "plan.html",
        verb=verb,
        query=query,
        plan=made,
        until_us=now_us,
        examples=list(read_jobs(parts.partition, made.examples)),
        left_words=LEFT,
        typed_above=TYPED_ABOVE,
    )


def make(request: Request) -> Response:
    """The plan is confirmed: from now on worker processes carry it out."""
    parts, form = parts_of(request), request.state.form
    verb = verb_of(form.get("verb", ""))
    query = on_its_pile(verb, read_query(form))
    by, reason = person_of(request)
    _check_typed(form)
    frozen = _number(form, "as_of")
    order = BulkOrder(
        kind=verb,
        wanted=query.wanted(frozen),
        by=by,
        reason=reason,
        pace=_pace(form.get("pace", "")),
        keep_priority=form.get("keep_priority") == "yes",
        even_if_unknown=form.get("even_if_unknown") == "yes",
        again=form.get("again") == "yes",
    )
    planned = parts.bulk.plan(order)
    if not planned.letters:
        raise Conflict("no letter of the plan is left: somebody else has dealt with them.")
    started = parts.bulk.start(parts.bulk.make(order, planned).id, by)
    return RedirectResponse(f"/operations/{started.id}", 303)


def operations(request: Request) -> Response:
    """All that are kept, last planned first."""
    parts = parts_of(request)
    now_us = parts.partition.now_us()
    found = list(parts.bulk.find(LISTED + 1))
    shown = [(one, Progress.of(one), one.rests(now_us)) for one in found[:LISTED]]
    return render(request, "operations.html", now_us=now_us, found=shown, more=len(found) > LISTED, live="auto")


def operation(request: Request) -> Response:
    """One: its plan, how far it is, what was left alone, what failed again, what is new since."""
    parts = parts_of(request)
    action = parts.bulk.read(request.path_params["bulk_id"])
    now_us = parts.partition.now_us()
    fresh, all_fresh = parts.bulk.fresh(action)
    return render(
        request,
        "operation.html",
        now_us=now_us,
        action=action,
        query=query_of(action.wanted),
        progress=Progress.of(action),
        rests=action.rests(now_us),
        fresh=fresh,
        all_fresh=all_fresh,
        left_words=LEFT,
        live="" if action.ended and not action.under_way else "auto",
    )


def start(request: Request) -> Response:
    """Somebody confirms what another planned, over HTTP for instance."""
    parts = parts_of(request)
    action = parts.bulk.start(request.path_params["bulk_id"], *person_of(request))
    return RedirectResponse(f"/operations/{action.id}", 303)


def cancel(request: Request) -> Response:
    """It stops where it is."""
    parts = parts_of(request)
    action = parts.bulk.cancel(request.path_params["bulk_id"], *person_of(request))
    return RedirectResponse(f"/operations/{action.id}", 303)


def query_of(wanted: Filter) -> Query:
    """The filter as the list of letters has it, without its times."""
    return Query(
        account=wanted.account or "", operation=wanted.operation or "", error_class=wanted.error_class or "",
        problem=wanted.problem or "", pile=wanted.which,
    )  # fmt: skip


def _check_typed(form: Mapping[str, str]) -> None:
    """Above a number, the number has to be typed."""
    total = _number(form, "total")
    typed = "".join(one for one in form.get("typed", "") if one.isdigit())
    if total > TYPED_ABOVE and typed != str(total):
        raise Refused(f"typed: expected the number of letters, {total}, typed as a confirmation; nothing was done.")


def _pace(text: str) -> float | None:
    if not text:
        return None
    try:
        if len(text) > 20:
            raise ValueError
        return float(text)
    except ValueError:
        raise Refused(f"pace: expected a number of letters per second, got {text[:20]!r}; correct it.") from None


def _number(form: Mapping[str, Any], name: str) -> int:
    text = str(form.get(name) or "0")
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise Refused(f"{name}: expected a whole number, got something else.")
    return int(text)
