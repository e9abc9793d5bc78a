"""Accept: the address that a caller wants to be told the end of a job at, and the job that will tell it.

Promise: only hosts that the settings name are ever called, over TLS unless it is this very machine; what is checked is
rebuilt from its parts, so that no two readers can understand it differently. The job that tells is prepared in full
when the call is accepted: the store only adds which job has ended, and how (`parts/callback.lua`). Scope: addresses and
that job's facts; what is told is read when it is sent (`deliver/job_event.py`).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from settings import Settings
from settings.callbacks import DEFAULT_PORTS, host_name, is_loopback
from worker.accept import envelope
from worker.accept.fields import Fields
from worker.accept.operation import Operation, register
from worker.errors import Refused

API: Final = "callback"
LONGEST_URL = 2000
_VISIBLE = re.compile(r"[!-~]+")
_UNSAFE = re.compile(r"[\\\"<>^`{|}]|%(?![0-9A-Fa-f]{2})")


class PostResult(Fields):
    """What the store and we ourselves put into the job that tells an end."""

    callback_url: str
    key: str | None = None
    ended: dict[str, JsonValue]


POST_RESULT: Final = register(
    Operation(
        name="callback.post_result",
        api="callback",
        method="POST",
        path="",
        budget="other",
        priority="normal",
        repeatable=True,
        why="the receiver tells by webhook-id that it has had a message",
        deadline_s=86_400,
        params=PostResult,
        ours=True,
        doc="Standard Webhooks: Webhook delivery",
        example=({}, None),
    )
)
"""Tells a receiver how a job ended. The account is the receiver's host."""


def checked_url(asked_by: str, url: object, settings: Settings) -> tuple[str, str]:
    """The account of the host that `url` is at, and the address as it will be called. Raises `Refused`."""
    hosts = settings.callbacks.hosts
    if not hosts:
        said = f"{asked_by}: expected no callback_url, since no host may be called back"
        raise Refused(
            f"{said} (PACELINE_CALLBACKS__HOSTS is empty), got one; have its host named there, or leave it out.",
            over_http=f"{said}, got one; ask whoever runs this service to allow its host, or leave it out.",
        )
    if not isinstance(url, str) or not _VISIBLE.fullmatch(url) or len(url) > LONGEST_URL or _UNSAFE.search(url):
        raise _refused(asked_by, f"an absolute https address of at most {LONGEST_URL} visible characters", "another")
    try:
        parts = urlsplit(url)
        host, usual = host_name(parts.hostname or ""), DEFAULT_PORTS.get(parts.scheme, 0)
        name = host_name(host, parts.port if parts.port not in (None, usual) else None)
    except ValueError:
        raise _refused(asked_by, "an absolute https address with a host", "something else") from None
    if "@" in parts.netloc:
        raise _refused(asked_by, "an address without a user name or password", "one with such")
    if "#" in url:
        raise _refused(asked_by, "an address without a fragment", "one with such")
    if name not in hosts:
        said = f"{asked_by}: expected a callback_url at one of the hosts {', '.join(hosts)}, got {name[:80]!r};"
        raise Refused(
            f"{said} have it named in PACELINE_CALLBACKS__HOSTS, or correct the address.",
            over_http=f"{said} ask whoever runs this service to allow it, or correct the address.",
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(name)):
        raise _refused(asked_by, "an https address", f"{parts.scheme[:20] or 'no scheme'!r}")
    query = f"?{parts.query}" if parts.query else ""
    return f"{API}:{name}", f"{parts.scheme}://{name}{parts.path or '/'}{query}"


def prepared(
    asked_by: str, url: object, settings: Settings, *, key: str | None, priority: int, trace: str | None
) -> str:
    """The job that will tell the end, as `cb` of `parts/callback.lua`. Raises `Refused`."""
    account, address = checked_url(asked_by, url, settings)
    gap = uuid.uuid4().hex  # stands where the store puts what it alone knows; no text of a caller's can hold it
    params: dict[str, Any] = {"callback_url": address, "key": key, "ended": gap}
    message = envelope.build(gap, POST_RESULT.name, account, params, None, trace=trace).encode().decode()
    before, between, after = _pieces(message, f'"{gap}"')
    # Longer than the job's own record is kept there would be nothing to tell.
    seconds = min(settings.callbacks.deadline_s, settings.fail.result_ttl_s)
    facts: dict[str, Any] = {
        "op": POST_RESULT.name,
        "acct": account,
        "api": API,
        "budget": POST_RESULT.budget,
        # Telling is never urgent; the ends of bulk work leave the way free for others, as it does itself.
        "prio": max(priority, envelope.PRIORITIES["normal"]),
        "rep": 1,
        "dl": int(seconds * 1_000_000),
        "text": [before, f'{between}"', f'"{after}'],
    }
    return json.dumps(facts, separators=(",", ":"))


def _pieces(message: str, gap: str) -> Iterable[str]:
    pieces = message.split(gap)
    assert len(pieces) == 3, "a message has one place for what has ended and one for its id, in this order"
    return pieces


def _refused(asked_by: str, expected: str, got: str) -> Refused:
    # The address itself is not repeated: it often is the key to what is behind it.
    return Refused(f"{asked_by}: expected callback_url to be {expected}, got {got}; correct it.")
