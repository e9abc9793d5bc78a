"""Console: doing something about one dead letter, at once; and what every change of the console asks for.

Promise: whoever changes something is named with a reason; a letter that is better left alone is, and the page says why.
Scope: one letter; many at once are `operations.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.accept.envelope import PRIORITIES
from worker.console.query import Query, pile_of
from worker.console.rendering import parts_of
from worker.errors import Conflict, Refused
from worker.fail.dead_letter import require_letter
from worker.fail.redrive import Order, Report, Verb

LONGEST_REASON = 500


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


def on_its_pile(verb: Verb, query: Query) -> Query:
    """Only what was set aside can be taken back, and only from there."""
    if verb == "restore":
        return query.in_pile(pile_of("discarded"))
    if query.pile == "discarded" or (verb == "discard" and query.pile == "expired"):
        raise Refused(f"{verb}: expected dead letters, got those of the pile {query.pile}; choose another pile.")
    return query
