"""Accept: what a link to the next page may ask for.

Promise: a page link can only ever lead to the same resource of the same account, and always forward: another host or
path is refused (our credentials would go there), and so is the page just read (it would be read for ever).
Scope: from a link to parameters; finding the link in a response is the deliver stage's work.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urljoin, urlsplit

from worker.errors import ForeignOrigin, Refused

Paging = Literal["link", "hal"]
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class PageLink:
    """The address of the next page as the vendor gave it, absolute or relative."""

    href: str


def successor(
    operation: str,
    paging: Paging,
    url: str,
    query_names: Collection[str],
    list_names: Collection[str],
    params: Mapping[str, Any],
    link: PageLink,
) -> dict[str, Any]:
    """The parameters of the page behind `link`, before they are validated like any others."""
    target = _target(operation, url, link.href)
    asked = _query(target, query_names, list_names)
    if paging == "link":
        # A hub should repeat the filters in its link; where it forgets one, ours still holds.
        following = {**params, **asked}
        _forward(operation, params, following)
    else:
        # HAL: the link is the whole question; `pageToken` stands for the filters of the first page.
        following = {name: value for name, value in params.items() if name not in query_names} | asked
        _another(operation, params, following)
    return following


def _target(operation: str, url: str, href: str) -> SplitResult:
    here, there = urlsplit(url), _split(operation, url, href)
    if _origin(there) != _origin(here) or there.username is not None:
        raise ForeignOrigin(
            f"{operation}: the link to the next page leads to another host: expected {here.scheme}://{here.netloc}, "
            f"got {there.scheme}://{there.hostname}; ask the vendor, or correct the base URL if the API has moved."
        )
    if _segments(there.path) != _segments(here.path):
        raise ForeignOrigin(
            f"{operation}: the link to the next page leads to another path: expected the path of the page just read, "
            "got a different one; ask the vendor, or correct the base URL if the API has moved."
        )
    return there


def _split(operation: str, url: str, href: str) -> SplitResult:
    try:
        parts = urlsplit(urljoin(url, href))
        _ = parts.port, parts.hostname
    except ValueError:
        raise ForeignOrigin(
            f"{operation}: the link to the next page cannot be read: expected a URL; ask the vendor."
        ) from None
    return parts


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, (parts.hostname or ""), parts.port or DEFAULT_PORTS.get(parts.scheme)


def _segments(path: str) -> list[str]:
    return [unquote(segment) for segment in path.rstrip("/").split("/")]


def _query(target: SplitResult, known: Collection[str], lists: Collection[str]) -> dict[str, Any]:
    """Only parameters the operation has: a link may carry `client_id`, which is a credential and added at send time."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(target.query):
        if name in lists:
            found.setdefault(name, []).append(value)
        elif name in known:
            found[name] = value
    return found


def _forward(operation: str, params: Mapping[str, Any], following: Mapping[str, Any]) -> None:
    now, then = _offset(params), _offset(following)
    if then is None or (now is not None and then <= now):
        raise Refused(
            f"{operation}: the link to the next page does not lead forward: expected an offset above {now}, got "
            f"{then if then is not None else 'no number'}; the listing ends here, tell the vendor."
        )


def _offset(params: Mapping[str, Any]) -> int | None:
    try:
        return int(params.get("offset") or 0)
    except (TypeError, ValueError):
        return None


def _another(operation: str, params: Mapping[str, Any], following: Mapping[str, Any]) -> None:
    same_token = "pageToken" in following and following["pageToken"] == params.get("pageToken")
    if same_token or dict(following) == dict(params):
        raise Refused(
            f"{operation}: the link to the next page leads back to the page just read: expected another pageToken, "
            "got the same; the listing ends here, tell the vendor."
        )
