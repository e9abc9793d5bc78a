"""Observe: what an alert says to a person: a title, an explanation, what to do.

Promise: every kind of alert has a title and an advice; a title is made of names from the settings and the catalogue, of
our own words and of a code, never of text that came from outside, so it holds no personal data. Scope: words; the facts
come from the scripts and from `fail/choosing.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from worker.accept.envelope import PRIORITIES
from worker.fail.explaining import UNKNOWN, advice_for, cause_of
from worker.fail.policy import ROWS
from worker.fail.row import Row
from worker.limiter.quota import RAISE, figures, length_words

Facts = Mapping[str, Any]
Level = Literal["error", "warning"]

# HTTP status, vendor code, or one of our own words. Anything else a vendor calls a code may be a VIN or a phone number.
_CODE = re.compile(r"[0-9]{1,6}|[a-z][a-z_]{0,39}")
_DAY = re.compile(r":\d{4}-\d\d-\d\d$")

_CAUSES = {
    "empty": "it is empty",
    "restart": "its server was restarted and may have lost its last writes",
    "clock": "its clock stepped forward",
}
_SUSPECT = (
    "Nothing needs to be done for the pace: calls go out with care until the windows are known again. Find out why the "
    "store restarted, was emptied or changed its clock, and whether jobs are missing."
)
_UNKNOWN_OPERATION = (
    "A job waits for an operation that no running worker knows. Deploy the version that knows it, then send the dead "
    "letters again; or set them aside if it is gone for good."
)
_QUOTA = (
    "If this is what is needed every day, {}. Until then: see with `lanes list` who uses and who waits, and send what "
    "can wait as bulk."
)
_SHARES = {
    "access_refused": "Many cars at once have become out of reach: look at some of the letters, then ask whether "
    "consents or the contract have changed; send the letters again when that is mended.",
    "no_data": "Many cars at once have no such data: compare some of their answers with the vendor's documents and "
    "status page; the API or the cars' consents may have changed.",
}
_LOOK = "Look at the problem and its dead letters, mend the cause, then send them again."


def title_of(key: str, facts: Facts) -> str:
    """One line that names what happened, and to what."""
    if word := _NOTICES.get(key.partition(":")[0]):
        return word(facts)
    return _TITLES.get(str(facts.get("kind")), _plain)(facts)


def advice_of(facts: Facts) -> str:
    """What to do: the facts' own advice, else the table's for this class."""
    if facts.get("advice"):
        return str(facts["advice"])
    if facts.get("kind") == "suspect":
        return _SUSPECT
    if facts.get("kind") == "quota":
        return _QUOTA.format(RAISE.get(str(facts.get("api")), "ask the vendor whether the limit can be raised"))
    if facts.get("kind") == "share":
        return _SHARES.get(str(facts.get("class")), _LOOK)
    if facts.get("code") == "unknown_operation":
        return _UNKNOWN_OPERATION
    unsure = facts.get("kind", "problem") == "problem" and facts.get("class") == UNKNOWN
    return advice_for(_row(facts), str(facts.get("operation") or ""), unsure=unsure) or _LOOK


def explanation_of(facts: Facts) -> str:
    """What it means, from the facts, else from the table."""
    if facts.get("explanation"):
        return str(facts["explanation"])
    row = _row(facts)
    return row.explanation if row is not None else ""


def level_of(facts: Facts) -> Level:
    """An error means: jobs have died or are stopped. A warning: something needs a look, and work goes on."""
    return "warning" if facts.get("kind") in ("notice", "suspect", "quota", "share") else "error"


def grouping_of(key: str, facts: Facts) -> str:
    """What tells one matter from another, the same in the console and in Sentry: a problem's own fingerprint, else the
    alert's key without the day it may carry.
    """
    if facts.get("kind", "problem") == "problem" and facts.get("problem"):
        return str(facts["problem"])
    return _DAY.sub("", key)


def _row(facts: Facts) -> Row | None:
    """The table's row that decided: one with advice before one without, that of the API before the one for both."""
    api, error_class, code = (str(facts.get(name) or "") for name in ("api", "class", "code"))
    name = "brake" if facts.get("kind") == "brake" else cause_of(api, error_class, code)
    fits = [row for row in ROWS if row.error_class == name and row.api in (api, "both")]
    return min(fits, key=lambda row: (not row.alert, row.api == "both", row.when != ""), default=None)


def _problem(facts: Facts) -> str:
    if facts.get("class") == "undelivered":
        what = {"session": "a session", "cdr": "a CDR", "command_result": "a command's result"}
        return f"Not delivered to {facts.get('account', 'an account')}: {what.get(str(facts.get('code')), 'a push')}"
    return f"Dead letters of {facts.get('operation', 'an unknown operation')}: {_class_and_code(facts)}"


def _hold(facts: Facts) -> str:
    return f"{_place(facts)} is held: {_class_and_code(facts)}"


def _brake(facts: Facts) -> str:
    return f"{_place(facts)} is held: {facts.get('count', 'too many')} dead letters of one problem in a short time"


def _trouble(facts: Facts) -> str:
    return f"{_place(facts)} fails call after call{_code(facts)}: a trickle goes out until one succeeds"


def _suspect(facts: Facts) -> str:
    cause = str(facts.get("cause", ""))
    return f"The store may have forgotten something: {_CAUSES.get(cause, cause)}"


def _refusal(facts: Facts) -> str:
    operation = f" in {facts['operation']}" if facts.get("operation") else ""
    return f"{facts.get('account', 'An account')} was refused for its rate{_code(facts)}{operation}"


def _no_routing(facts: Facts) -> str:
    return f"{facts.get('account', 'An account')} gets no locations: its routing is missing"


def _offline(facts: Facts) -> str:
    return f"{facts.get('account', 'An account')} is OFFLINE for the hub: what it should push to us does not come"


def _plain(facts: Facts) -> str:
    """For a kind without words of its own."""
    where = facts.get("operation") or facts.get("account") or ""
    said = _class_and_code(facts) if facts.get("class") else str(facts.get("cause") or facts.get("kind") or "a problem")
    return f"{where}: {said}" if where else said[:1].upper() + said[1:]


def _quota(facts: Facts) -> str:
    said = _figures(facts)
    if facts.get("full"):
        return f"{facts.get('account')} is near its limit: {said}"
    named = list(PRIORITIES)[int(facts.get("priority") or 0)]
    return f"{facts.get('account')} is behind: its oldest {named} job has waited {_oldest(facts)}; {said}"


def _share(facts: Facts) -> str:
    share, before = float(facts.get("share") or 0), float(facts.get("before") or 0)
    return (
        f"{facts.get('account')}: {share:.0%} of the answers of {length_words(float(facts.get('period_s') or 0))} are "
        f"{_class_and_code(facts)}, {before:.0%} before"
    )


def _figures(facts: Facts) -> str:
    return figures(
        int(facts.get("used") or 0), int(facts.get("limit") or 0), facts.get("length_s"), int(facts.get("waiting") or 0)
    )


def _oldest(facts: Facts) -> str:
    return length_words(float(facts.get("oldest_s") or 0))


_TITLES: dict[str, Callable[[Facts], str]] = {
    "problem": _problem,
    "hold": _hold,
    "brake": _brake,
    "suspect": _suspect,
    "trouble": _trouble,
    "quota": _quota,
    "share": _share,
}
_NOTICES: dict[str, Callable[[Facts], str]] = {"refusal": _refusal, "no routing": _no_routing, "offline": _offline}
"""By the first word of the alert's key: a notice has no class of its own."""


def _place(facts: Facts) -> str:
    """`lane:hub:IN-ABC|hub.start_session` in words."""
    kind, _, rest = str(facts.get("scope") or "").partition(":")
    account, _, name = rest.partition("|")
    if kind in ("lane", "budget"):
        return f"{kind.capitalize()} {name} of {account}"
    return f"Account {rest}" if kind == "account" else str(facts.get("account") or "Something")


def _class_and_code(facts: Facts) -> str:
    return f"{str(facts.get('class') or 'unknown').replace('_', ' ')}{_code(facts)}"


def _code(facts: Facts) -> str:
    code = str(facts.get("code") or "")
    return f" ({code})" if code != facts.get("class") and _CODE.fullmatch(code) else ""
