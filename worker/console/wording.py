"""Console: how values are worded on pages: times, lengths, counts, JSON, and the parts of a bar.

Promise: the words are those of the command line; every time can be read as UTC too; nothing returned here is markup, so
autoescape has the last word. Scope: values to text and numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.accept.jobs import Job
from worker.commands.output import many, span, utc
from worker.limiter.window import BudgetState, WindowState

__all__ = ["FILTERS"]
SHORT_ID = 8
WARM, HOT, LONG_S = 0.75, 0.9, 3600.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A window as a bar of a hundred parts. `others` is what somebody else used."""

    settled: float
    flying: float
    others: float
    heat: str


def bar(window: WindowState) -> Bar:
    """How much of a window is taken, and by whom; never wider than the bar.

    A short window that is full is as it should be; a long one that nearly is will stop an account for hours.
    """
    if not window.limit:
        return Bar(0, 0, 0, "shut")
    settled = _share(window.used - window.in_flight, window.limit, 100)
    flying = _share(window.in_flight, window.limit, 100 - settled)
    others = _share(window.foreign, window.limit, 100 - settled - flying)
    share = window.share if window.length_s >= LONG_S else 0.0
    heat = "shut" if window.shut_s > 0 else "hot" if share >= HOT else "warm" if share >= WARM else "calm"
    return Bar(settled, flying, others, heat)


def _share(part: int, whole: int, most: float) -> float:
    return round(min(most, max(0.0, 100 * part / whole)), 2)


def next_words(state: BudgetState) -> str:
    """When the next permit frees, short."""
    if not state.known:
        return "never: no running worker has this account"
    return "now" if not state.windows and state.next_s == 0 else state.next_words()


def ago(us: int, now_us: int) -> str:
    """How long ago a time of the store was, or how long it is until then."""
    seconds = (now_us - us) / 1e6
    return f"{span(abs(seconds))} ago" if seconds >= 0 else f"in {span(-seconds)}"


def clock(us: int, now_us: int) -> str:
    """Hours and minutes in UTC, with the day where it is not today's."""
    at, today = (datetime.fromtimestamp(one / 1e6, UTC) for one in (us, now_us))
    return f"{at:%H:%M}" if at.date() == today.date() else f"{at:%b} {at.day}, {at:%H:%M}"


def number(value: int) -> str:
    """With thin gaps between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def short(job_id: str) -> str:
    """The end of an id: its beginning is a time, which neighbours share."""
    root, dot, rest = job_id.partition(".")
    return f"…{root[-SHORT_ID:]}{dot}{rest}"


def died_of(job: Job) -> str:
    """Class and code, without saying the same twice."""
    return cause_words(job.error_class or job.state, job.code)


def cause_words(error_class: str, code: str) -> str:
    words = plain(error_class)
    return words if code in (error_class, "") else f"{words} ({plain(code)})"


def plain(word: str) -> str:
    """`outcome_unknown` as a person says it."""
    return word.replace("_", " ")


def pretty(value: Any) -> str:
    """JSON on several lines; text that is JSON too."""
    read: Any = value
    if isinstance(value, str):
        try:
            read = json.loads(value)
        except ValueError:
            return str(value)
    return json.dumps(read, indent=2, ensure_ascii=False, default=str)


def sentence(text: str) -> str:
    """Begun with a capital."""
    return text[:1].upper() + text[1:]


FILTERS = {
    "bar": bar, "next_words": next_words, "ago": ago, "number": number, "short": short, "died_of": died_of,
    "cause": cause_words, "plain": plain, "pretty": pretty, "span": span, "utc": utc, "many": many,
    "sentence": sentence, "clock": clock,
}  # fmt: skip
