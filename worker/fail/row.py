"""Fail: what a row of the table is made of.

Promise: values only; a row cannot be changed and an action says in words what it does. Scope: the form of the
table; its content is in the `rows_` modules.
"""

from dataclasses import dataclass
from typing import Literal

Api = Literal["hub", "stellantis", "callback", "both"]
When = Literal["", "not executed", "absurd wait", "no routing", "offline", "no data is an error"]
"""Tells rows of one class apart; "" fits whenever no other does."""

Kind = Literal[
    "done",  # ends well, with the outcome's result
    "retry",  # counts an attempt, waits by backoff, ends as a dead letter
    "quick",  # a few retries within seconds, then a dead letter: the caller is waiting
    "park",  # no attempt counted; again at the time the remote side named
    "close",  # closes the budget until that time and parks there; no attempt counted
    "hold",  # stops what `scope` names until somebody or a probe releases it; the job waits there, no attempt counted
    "refund_park",  # nothing was written: the permit is given back; no attempt counted
    "dead",  # a dead letter now
    "unknown",  # a dead letter that says: nobody knows whether it was carried out
    "expired",  # past its deadline, never sent
    "refuse",  # not even accepted
]

_WORDS: dict[Kind, str] = {
    "done": "done",
    "retry": "retry",
    "quick": "quick bounded retries",
    "park": "park until the named time, else by backoff",
    "close": "close the budget, park",
    "hold": "hold, park",
    "refund_park": "again without an attempt, permit refunded",
    "dead": "dead letter",
    "unknown": "dead letter outcome_unknown",
    "expired": "expired",
    "refuse": "refused when enqueued",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One fate. `alert` tells a person; `last_alert` does so only when the retries are used up."""

    kind: Kind
    alert: bool = False
    last_alert: bool = False
    scope: Literal["", "account", "budget", "lane"] = ""

    @property
    def quick(self) -> bool:
        """Whether the waits between attempts are seconds."""
        return self.kind == "quick"

    @property
    def counts(self) -> bool:
        """Whether it uses up one of the job's attempts."""
        return self.kind in ("retry", "quick")

    @property
    def sends_again(self) -> bool:
        """Whether the same call goes out another time because of it."""
        return self.counts or self.kind in ("park", "hold", "close", "refund_park")

    @property
    def tells(self) -> bool:
        """Whether a person hears of it, sooner or later."""
        return self.alert or self.last_alert

    def words(self) -> str:
        """The fate in a few words."""
        said = _WORDS[self.kind]
        if self.kind == "hold":
            said = f"hold the {self.scope}, park"
        if self.counts:
            said += ", then dead letter + alert" if self.last_alert else ", then dead letter"
        return f"{said} + alert" if self.alert else said


@dataclass(frozen=True, slots=True)
class Row:
    """One sign, what it means, and its fate. `alert` is what to do, for the person who is told."""

    api: Api
    sign: str
    error_class: str
    explanation: str
    link: str
    repeatable: Action
    unrepeatable: Action
    alert: str | None = None
    when: When = ""
    futile: bool = False
    """Whether the same call, sent again before anything has changed, ends the same way."""

    @property
    def advice(self) -> str | None:
        """What to do, for a reader who has no one operation in mind."""
        unsure = "Of a call that must not be repeated find out first what became of it."
        said = (self.alert, unsure if self.unrepeatable.kind == "unknown" else None)
        return " ".join(text for text in said if text) or None


DONE = Action("done")
DONE_TELL = Action("done", alert=True)
RETRY = Action("retry", last_alert=True)
RETRY_QUIETLY = Action("retry")
QUICK = Action("quick", last_alert=True)
PARK = Action("park")
CLOSE = Action("close", alert=True)
CLOSE_QUIETLY = Action("close")
HOLD_ACCOUNT = Action("hold", alert=True, scope="account")
HOLD_BUDGET = Action("hold", alert=True, scope="budget")
HOLD_LANE = Action("hold", alert=True, scope="lane")
REFUND = Action("refund_park")
DEAD = Action("dead")
DEAD_TELL = Action("dead", alert=True)
UNKNOWN = Action("unknown", alert=True)
EXPIRED = Action("expired")
REFUSE = Action("refuse")
