"""Accept, over HTTP: `/v1/operations`: operations on many letters, planned, confirmed, looked at, cancelled.

Promise: to plan changes nothing, and its answer says how many letters of which causes a run would do, which it would
leave alone and why, and how long it takes at least; only what was planned can be confirmed, and what dies later is not
touched by it. To confirm or cancel again changes nothing. Scope: requests and answers; `worker.fail.bulk` orders.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from worker.accept.intake.bodies import JSON, as_object, media_type, whole
from worker.accept.intake.callers import Caller
from worker.accept.intake.filtering import cursor, in_range, known_names, limit, moment_from, page
from worker.accept.intake.listing import PAGED, PILES
from worker.accept.intake.parts import Parts
from worker.accept.intake.reading import tagged
from worker.accept.intake.representing import utc
from worker.accept.intake.trouble import Trouble
from worker.accept.intake.wanting import Members, check_members
from worker.accept.operation import operations
from worker.errors import Refused
from worker.fail.bulk import BulkAction
from worker.fail.bulk_plan import LEFT, BulkOrder
from worker.fail.dead_letter import Filter, Which
from worker.fail.redrive import Verb

WHERE = "/v1/operations/"
LONGEST, LONGEST_REASON = 200, 500
VERBS: dict[str, Verb] = {one: one for one in get_args(Verb)}
TEXT_OR_NONE = (str, type(None))
MEMBERS: Members = {
    "kind": (f"one of {', '.join(VERBS)}", (str,)),
    "filter": ("an object; an empty one means every dead letter", (dict,)),
    "reason": ("a few words for the next person", (str,)),
    "pace": ("letters per second", (int, float, type(None))),
    "limit": ("a number of letters", (int, type(None))),
    "keep_priority": ("true or false", (bool,)),
    "even_if_unknown": ("true or false", (bool,)),
    "again": ("true or false", (bool,)),
}
"""What an order is made of: the words for each member, and the types it may have."""
REQUIRED = ("kind", "filter", "reason")
FILTER: Members = {
    **dict.fromkeys(("account", "operation", "class", "problem"), ("text", TEXT_OR_NONE)),
    "pile": (f"one of {', '.join(PILES)}", TEXT_OR_NONE),
    **dict.fromkeys(("since", "until"), ("a time, or a length such as 2h", TEXT_OR_NONE)),
}
Change = Callable[[str, str, str], BulkAction]
"""By id, person and reason."""
SAID: Members = {"reason": ("a few words for the next person", (str,))}


class Operating:
    """Takes orders for many letters, and tells of them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def post(self, request: Request, caller: Caller) -> Response:
        """A plan, kept until somebody confirms it."""
        known_names(request, ())
        said = await self._object(request)
        check_members(said, MEMBERS, REQUIRED, "an operation")
        order = order_from(said, caller.name or "this machine")
        await run_in_threadpool(self._parts.words.check_filter, order.wanted)
        made = await run_in_threadpool(lambda: self._shown(self._parts.bulk.make(order)))
        headers = {"Location": WHERE + made["id"], "Cache-Control": "no-store"}
        return Response(json.dumps(made).encode(), 201, headers, JSON[0])

    async def confirm(self, request: Request, caller: Caller) -> Response:
        """What was planned is carried out from now on."""
        return await self._change(request, caller, self._parts.bulk.start)

    async def cancel(self, request: Request, caller: Caller) -> Response:
        """It stops where it is."""
        return await self._change(request, caller, self._parts.bulk.cancel)

    async def get(self, request: Request, _: Caller) -> Response:
        """One, with its plan, progress and report."""
        known_names(request, ())
        bulk_id = self._id(request)
        return tagged(request, await run_in_threadpool(lambda: self._shown(self._parts.bulk.read(bulk_id))))

    def list(self, parts: Parts, request: Request) -> Any:
        """Last planned first."""
        known_names(request, PAGED)
        most = limit(request)
        found = list(parts.bulk.find(most + 1, cursor(request)))
        shown, now_us = found[:most], parts.partition.now_us()
        place = (shown[-1].created_us, shown[-1].id) if len(found) > most else None
        return page(request, [represented(one, None, now_us) for one in shown], place)

    async def _change(self, request: Request, caller: Caller, change: Change) -> Response:
        known_names(request, ())
        bulk_id = self._id(request)
        said = await self._object(request) if await _has_body(request) else {}
        check_members(said, SAID, (), "the body")
        reason = reason_from(said.get("reason", ""))
        by = caller.name or "this machine"
        body = await run_in_threadpool(lambda: self._shown(change(bulk_id, by, reason)))
        return Response(json.dumps(body).encode(), 200, {"Cache-Control": "no-store"}, JSON[0])

    def _shown(self, action: BulkAction) -> dict[str, Any]:
        return represented(action, self._parts.bulk.fresh(action), self._parts.partition.now_us())

    async def _object(self, request: Request) -> dict[str, Any]:
        if (kind := media_type(request)) not in JSON:
            raise Trouble(
                "unsupported",
                f"expected the content type {JSON[0]}, got {kind[:60] or 'none'!r}.",
                headers={"Accept-Post": JSON[0]},
            )
        return as_object(await whole(request, self._parts.intake.max_body_bytes))

    def _id(self, request: Request) -> str:
        name = str(request.path_params["operation_id"])
        if name in operations:
            raise Trouble("not-found", f"expected an operation on letters, got a call; see /v1/catalogue/{name}.")
        return name


async def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def order_from(said: Mapping[str, Any], by: str) -> BulkOrder:
    """The order behind a body whose members are of the right kinds. Raises `Refused` and `Trouble`."""
    if said["kind"] not in VERBS:
        raise Refused(f"expected kind to be {MEMBERS['kind'][0]}, got {said['kind'][:40]!r}; correct it.")
    reason = reason_from(said["reason"])
    if not reason:
        raise Refused("expected reason to be a few words for the next person, got none; say why.")
    pace = said.get("pace")
    if isinstance(pace, float) and not math.isfinite(pace):
        raise Refused("expected pace to be a number, got none; correct it.")
    if isinstance(pace, int) and pace > 10**6:
        raise Refused("expected pace to be at most 1000 letters per second, got more; correct it.")
    return BulkOrder(
        kind=VERBS[said["kind"]],
        wanted=filter_from(said["filter"], "discarded" if said["kind"] == "restore" else "dead"),
        by=by,
        reason=reason,
        pace=None if pace is None else float(pace),
        keep_priority=said.get("keep_priority", False),
        even_if_unknown=said.get("even_if_unknown", False),
        again=said.get("again", False),
        limit=said.get("limit"),
    )


def filter_from(said: Mapping[str, Any], usual: Which) -> Filter:
    """The filter, in the words of every list; of the `usual` pile where it names none."""
    check_members(said, FILTER, (), "the filter")
    for name, value in said.items():
        if value is not None and not 1 <= len(value) <= LONGEST:
            raise Refused(f"expected {name} to be 1 to {LONGEST} characters, got {len(value)}; correct it.")
    pile = next((one for one in PILES if one == (said.get("pile") or usual)), None)
    if pile is None:
        raise Refused(f"expected pile to be {FILTER['pile'][0]}, got {said['pile'][:40]!r}; correct it.")
    times = {name: moment_from(name, said[name]) for name in ("since", "until") if said.get(name) is not None}
    in_range("since", times.get("since"), "until", times.get("until"))
    if any(at < 0 for at in times.values()):
        raise Refused("expected since and until to be times of this store, got one before 1970; correct it.")
    return Filter(
        account=said.get("account"),
        operation=said.get("operation"),
        error_class=said.get("class"),
        problem=said.get("problem"),
        since_us=times.get("since"),
        until_us=times.get("until"),
        which=pile,
    )


def reason_from(text: str) -> str:
    """Words on one line. Raises `Refused`."""
    reason = " ".join(text.split())
    if len(reason) > LONGEST_REASON:
        raise Refused(f"expected reason to be at most {LONGEST_REASON} characters, got {len(reason)}; shorten it.")
    return reason


def represented(action: BulkAction, fresh: tuple[int, bool] | None, now_us: int) -> dict[str, Any]:
    """One as programs see it. `new_since` is counted for one alone."""
    wanted = action.wanted
    said = {"account": wanted.account, "operation": wanted.operation, "class": wanted.error_class,
            "problem": wanted.problem, "pile": wanted.which}  # fmt: skip
    plan = action.plan
    return {
        "id": action.id, "kind": action.kind, "state": action.state, "reason": action.reason, "by": action.by,
        "filter": said | {"since": utc(wanted.since_us or 0), "until": utc(wanted.until_us or 0)},
        "pace": action.pace, "limit": action.limit, "keep_priority": action.keep_priority,
        "even_if_unknown": action.even_if_unknown, "again": action.again,
        "plan": {
            "letters": plan.letters, "complete": plan.complete, "to_do": plan.to_do, "least_s": plan.least_s,
            "problems": [_renamed(asdict(one)) for one in plan.problems], "lanes": [asdict(one) for one in plan.lanes],
            "left_alone": _left(plan.left),
        },
        "done": action.done, "left_alone": _left(action.left),
        "left": [{"job": job_id, "why": LEFT.get(word, word)} for job_id, word in action.some],
        "remaining": action.remaining, "gone": action.gone, "under_way": action.under_way,
        "ends": dict(action.ends),
        "failed_again": [{"problem": one, "count": count} for one, count in action.failed.items()],
        "new_since": None if fresh is None else {"count": fresh[0], "complete": fresh[1]},
        "rests": action.rests(now_us) or None,
        "planned": utc(action.created_us), "started": utc(action.started_us), "started_by": action.started_by or None,
        "ended": utc(action.ended_us), "ended_by": action.ended_by or None, "ended_why": action.ended_why or None,
    }  # fmt: skip


def _renamed(problem: dict[str, Any]) -> dict[str, Any]:
    return {"class" if name == "error_class" else name: value for name, value in problem.items()}


def _left(left: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"why": LEFT.get(word, word), "count": count} for word, count in left.items()]
