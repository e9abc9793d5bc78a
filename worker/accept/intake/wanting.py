"""Accept, over HTTP: what a caller asks for, from a JSON object and headers to a `Wanted` call.

Promise: what is unknown or of the wrong kind is refused by name, with what was expected; a call that must not be made
twice needs an idempotency key (settable). Scope: form; `accept/enqueue.py` checks the call itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request

from worker.accept.enqueue import Wanted
from worker.accept.intake.callers import Caller
from worker.accept.intake.trouble import Trouble
from worker.accept.operation import operations
from worker.accept.refusal import did_you_mean, near, together
from worker.errors import Refused

Members = Mapping[str, tuple[str, tuple[type, ...]]]
MEMBERS: Members = {
    "operation": ("the name of an operation, such as hub.start_session", (str,)),
    "account": ("the name of an account, such as hub:IN-ABC", (str,)),
    "params": ("an object", (dict,)),
    "body": ("an object or null", (dict, type(None))),
    "priority": ("one of urgent, normal, bulk", (str, type(None))),
    "key": ("text", (str, type(None))),
    "deadline_s": ("a number of seconds", (int, float, type(None))),
    "callback_url": ("an https address at a host that may be called back, or null", (str, type(None))),
}
"""What a call is made of: the words for each member, and the types it may have."""
REQUIRED = ("operation", "account")
LONGEST_KEY = 255
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[!-~]+(?: [!-~]+)*")


def wanted_from(
    said: Mapping[str, Any], key: str | None, caller: Caller, require_key: str, trace: str | None = None
) -> Wanted:
    """The call that `said` asks for. `key` is the header's. Raises `Trouble` and `Refused`."""
    check_members(said, MEMBERS, REQUIRED, "a call")
    own = said.get("key")
    if own is not None:
        own = _usable(own, "key")
    if key is not None and own is not None and own != key:
        raise Trouble(
            "key-malformed", "expected one idempotency key, got one in the header and another in `key`; leave one out."
        )
    chosen = own if own is not None else key
    row = operations.get(said["operation"])
    if chosen is None and row is not None and _needs_key(row.repeatable, require_key):
        raise Trouble(
            "key-missing",
            f"{row.name}: expected the header Idempotency-Key, got none; send a value of your own with every call and "
            f"the same one when you repeat it ({row.why}).",
        )
    return Wanted(
        operation=said["operation"],
        account=said["account"],
        params=said.get("params") or {},
        body=said.get("body"),
        priority=said.get("priority"),
        key=chosen,
        deadline_s=said.get("deadline_s"),
        caller=caller.name or "",
        trace=trace,
        callback_url=said.get("callback_url"),
    )


def key_from(request: Request) -> str | None:
    """The header Idempotency-Key: a structured field's string, or bare. Raises `Trouble`."""
    found: Sequence[str] = request.headers.getlist("idempotency-key")
    if not found:
        return None
    if len(found) > 1:
        raise Trouble("key-malformed", f"expected one Idempotency-Key, got {len(found)}; send one.")
    text = found[0].strip()
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        return _usable(re.sub(r"\\(.)", r"\1", quoted[1]), "Idempotency-Key")
    if text.startswith('"') or not _BARE.fullmatch(text):
        raise Trouble(
            "key-malformed",
            'expected visible ASCII characters as Idempotency-Key, bare or in "…", got something else; correct it.',
        )
    return _usable(text, "Idempotency-Key")



def _usable(key: str, where: str) -> str:
    if not 1 <= len(key) <= LONGEST_KEY:
        raise Trouble(
            "key-malformed", f"{where}: expected 1 to {LONGEST_KEY} characters, got {len(key)}; choose another."
        )
    return key


def _needs_key(repeatable: bool, require_key: str) -> bool:
    return require_key == "always" or (require_key == "unrepeatable" and not repeatable)


def check_members(said: Mapping[str, Any], members: Members, required: Sequence[str], what: str) -> None:
    """Raises `Refused` with the members that are unknown, of the wrong kind, or not there."""
    if wrong := list(_wrong_members(said, members, required, what)):
        raise Refused(together(wrong))


def _wrong_members(
    said: Mapping[str, Any], members: Members, required: Sequence[str], what: str
) -> Iterator[str]:
    meant: list[str] = []
    for name, value in said.items():
        if name not in members:
            meant += near(name, members)
            yield (
                f"{name[:40]!r} is not known; {did_you_mean(name, members)}{what} has {', '.join(members)}; rename it "
                "or leave it out."
            )
            continue
        words, types = members[name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            yield f"expected {name} to be {words}, got {_kind(value)}; correct it."
    for name in required:
        if name not in said and name not in meant:
            yield f"expected {name} ({members[name][0]}), got nothing; add it."


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
