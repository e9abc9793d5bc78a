"""Console: the lanes as a table, and stopping and releasing them, forgetting what was learned of limits.

Promise: a hold names its reason and its person wherever it is shown; a scope that does not exist is refused. Scope: the
page; `limiter/holds.py` acts.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.accept.operation import account_for
from worker.console.acting import person_of
from worker.console.query import read_query
from worker.console.rendering import parts_of, render
from worker.limiter.holds import scope_of
from worker.limiter.lanes import Lane
from worker.limiter.relearning import relearn


def lanes(request: Request) -> Response:
    """Every lane, in order, and every hold."""
    parts = parts_of(request)
    query = read_query(request.query_params)
    found = parts.lanes.all(query.account or None, query.operation or None)
    return render(
        request,
        "lanes.html",
        lanes=found,
        holds=list(parts.holds.all().values()),
        query=query,
        accounts=sorted(parts.accounts),
        scopes=sorted({scope for lane in found for scope in _scopes(lane.account, lane.operation, lane.budget)}),
        did=request.query_params.get("did", ""),
        taught=sorted({lane.account for lane in found if _taught(lane)}),
        live="auto",
    )


def _scopes(account: str, operation: str, budget: str) -> tuple[str, str, str]:
    return (f"account:{account}", f"budget:{account}|{budget}", f"lane:{account}|{operation}")


def hold(request: Request) -> Response:
    """Stops a scope, for all workers at once."""
    parts, form = parts_of(request), request.state.form
    parts.holds.hold(scope_of([form.get("scope", "").strip()], parts.accounts), *person_of(request))
    return RedirectResponse("/lanes?did=hold#holds", 303)


def release(request: Request) -> Response:
    """Ends a hold; one of a refused credential is tried by one job first."""
    parts, form = parts_of(request), request.state.form
    rest = parts.holds.release(form.get("scope", "").strip()[:300], *person_of(request))
    return RedirectResponse(f"/lanes?did={'probe' if rest else 'release'}#holds", 303)


def forget(request: Request) -> Response:
    """Forgets what answers have taught about an account's limits; one call goes first."""
    parts, form = parts_of(request), request.state.form
    account = account_for(parts.accounts, form.get("account", "").strip())
    relearn(parts.partition, account.name, *person_of(request))
    return RedirectResponse("/lanes?did=relearn#holds", 303)


def _taught(lane: Lane) -> bool:
    """Whether something stands that answers have taught, and could have been wrong about."""
    return any(one.limit < one.ceiling or one.foreign or one.shut_s > 0 for one in lane.state.windows)
