"""Console: signing in with a key, and out.

Promise: the key is neither kept nor shown again; after signing in one is where one wanted to go, on these pages and
nowhere else. Signing out always ends the visit in this process and makes the browser forget its cookie; whoever must
still fear a copy of it elsewhere, since the store could not be told, is told so. Scope: the two forms.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.console.rendering import bare, parts_of
from worker.console.visitor import COOKIE, HOLDS_S, cookie_for, end_visit, holder


def form(request: Request) -> Response:
    return bare(request, "sign_in.html", next=_own(request.query_params.get("next", "/")), wrong="")


def sign_in(request: Request) -> Response:
    parts, given = parts_of(request), request.state.form
    callers = parts.callers
    key, to = given.get("key", "").strip(), _own(given.get("next", "/"))
    if callers.none:
        return RedirectResponse("/", 303)
    whose = holder(callers, key)
    if whose is None:
        return bare(request, "sign_in.html", 401, next=to, wrong="This key is not known, or was taken away.")
    if not whose.may_look:
        sorry = f"The key {whose.name} may enqueue, and look at nothing."
        return bare(request, "sign_in.html", 403, next=to, wrong=sorry)
    answer = RedirectResponse(to, 303)
    console_url = parts.settings.observe.console_url or ""
    behind_tls = request.scope["scheme"] == "https" or console_url.startswith("https:")
    answer.set_cookie(
        COOKIE, cookie_for(key), max_age=HOLDS_S, httponly=True, samesite="strict",
        secure=behind_tls, path="/",
    )  # fmt: skip
    return answer


def sign_out(request: Request) -> Response:
    everywhere = end_visit(parts_of(request).callers, request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/sign-in", 303) if everywhere else _signed_out_here(request)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/")
    return answer


def _signed_out_here(request: Request) -> Response:
    request.state.visitor = None
    return bare(request, "trouble.html", 503, title="You are signed out here", sorry=_NOT_TOLD)


_NOT_TOLD = (
    "This browser has forgotten your visit, and this web process lets it in no more. But the store did not answer, so "
    "the others have not heard of it, and still let in whoever has a copy of your cookie. They are told as soon as it "
    "answers, unless this process ends before. If there may be a copy, revoke the key then, by python -m worker keys "
    "revoke."
)


def _own(path: str) -> str:
    """A path of this console. `//host` and `/\\host` are addresses of others to a browser."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain and not path.startswith("/sign-") else "/"
