"""Console: the overview: is it flowing, and if not, what stands in the way.

Promise: the first line says whether a person is needed; accounts, budgets and lanes keep their places from one look to
the next; looking costs the number of lanes and budgets. Scope: putting together what `limiter` and `fail` say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from worker.commands.output import many, span
from worker.console.crew import Worker, workers_of
from worker.console.flow import RANGES, USUAL, flow_of
from worker.console.parts import Parts
from worker.console.problems import alerts_of
from worker.console.rendering import parts_of, render
from worker.console.wording import cause_words
from worker.limiter.holds import Hold
from worker.limiter.lanes import Lane
from worker.limiter.quota import RAISE, quotas
from worker.limiter.window import BudgetState, WindowState

ENDS = ("done", "dead", "expired", "cancelled")
RECENT_US = 3_600_000_000
NAMED = 3
COUNTED = 50


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know. `level` is bad, warn or info."""

    level: str
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Share:
    """A budget, and those of its windows that no budget before it in its account has."""

    state: BudgetState
    windows: list[WindowState]
    hold: Hold | None
    busy: bool

    @property
    def active(self) -> bool:
        """Whether there is anything to see: something used, waiting or stopped."""
        used = any(window.used or window.foreign or window.shut_s > 0 for window in self.windows)
        return used or self.busy or self.hold is not None or self.state.next_s != 0


@dataclass(frozen=True, slots=True)
class Desk:
    """One account, with its budgets and lanes in a fixed order."""

    name: str
    hold: Hold | None
    shares: list[Share]
    lanes: list[Lane]

    @property
    def lively(self) -> list[Lane]:
        """Lanes with something in them, or held by themselves; a hold of the whole account is said once, above."""
        return [lane for lane in self.lanes if _full(lane) or (lane.hold and lane.hold.scope.startswith("lane:"))]

    @property
    def idle(self) -> list[Lane]:
        lively = self.lively
        return [lane for lane in self.lanes if lane not in lively]


@dataclass(frozen=True, slots=True)
class Sums:
    """What the tiles show."""

    waiting: int
    later: int
    in_flight: int
    oldest_s: float | None
    done: int
    dead: int
    discarded: int
    expired: int
    cancelled: int
    accepted: int


def _full(lane: Lane) -> bool:
    return bool(lane.in_flight or any(lane.waiting.values()) or any(lane.due.values()))


def overview(request: Request) -> Response:
    parts = parts_of(request)
    now_us = parts.partition.now_us()
    lanes, holds = parts.lanes.all(), parts.holds.all()
    crew = workers_of(parts, now_us)
    desks = desks_of(parts, lanes, holds)
    sums = sums_of(parts, lanes)
    notices = [*_store(parts, now_us), *_crew(crew, sums), *_holds(holds), *_quota(parts), *_died(parts, now_us)]
    flow = flow_of(parts, request.query_params.get("hours", USUAL), now_us)
    values: dict[str, Any] = {"desks": desks, "sums": sums, "crew": crew, "notices": notices, "flow": flow}
    return render(request, "overview.html", now_us=now_us, live="auto", ranges=list(RANGES), **values)


def desks_of(parts: Parts, lanes: list[Lane], holds: dict[str, Hold]) -> list[Desk]:
    """Every account of the settings, and those that only the store knows."""
    states = {(lane.account, lane.budget): lane.state for lane in lanes}
    desks = []
    for name in sorted({*parts.accounts, *(lane.account for lane in lanes)}):
        account = parts.accounts.get(name)
        own = [lane for lane in lanes if lane.account == name]
        limited = [budget for budget, windows in account.budgets.items() if windows] if account else []
        shares: list[Share] = []
        seen: set[tuple[str, float]] = set()
        for budget in dict.fromkeys([*limited, *sorted(lane.budget for lane in own)]):
            state = states.get((name, budget)) or parts.limiter.budget(name, budget)
            windows = [window for window in state.windows if (window.name, window.length_s) not in seen]
            seen |= {(window.name, window.length_s) for window in windows}
            busy = any(_full(lane) for lane in own if lane.budget == budget)
            shares.append(Share(state, windows, holds.get(f"budget:{name}|{budget}"), busy))
        desks.append(Desk(name, holds.get(f"account:{name}"), shares, own))
    return desks


def sums_of(parts: Parts, lanes: list[Lane]) -> Sums:
    counts, dead, marked = parts.partition.ask(
        ("hgetall", parts.partition.key("counts")),
        ("zcard", parts.partition.key("dead")),
        ("zcard", parts.partition.key("discarded")),
    )
    number = {name: int(float(counts.get(name) or 0)) for name in (*ENDS, "accepted")}
    return Sums(
        waiting=sum(sum(lane.waiting.values()) for lane in lanes),
        later=sum(sum(lane.due.values()) for lane in lanes),
        in_flight=sum(lane.in_flight for lane in lanes),
        oldest_s=max((lane.oldest_s for lane in lanes if lane.oldest_s is not None), default=None),
        dead=int(dead) - int(marked),
        discarded=int(marked),
        **{name: number[name] for name in ("done", "expired", "cancelled", "accepted")},
    )


def _store(parts: Parts, now_us: int) -> Iterator[Notice]:
    quiet, suspect = parts.partition.one("hmget", parts.partition.key("meta"), "quiet", "suspect")
    if int(float(quiet or 0)) > now_us:
        text = "The store may have forgotten something: nothing is sent until all claims have been renewed"
        yield Notice("warn", f"{text} ({suspect})." if suspect else f"{text}.", "/workers")


def _crew(crew: list[Worker], sums: Sums) -> Iterator[Notice]:
    silent = [worker for worker in crew if worker.silent]
    waiting = sums.waiting + sums.later
    nobody = f"{many(waiting, 'job waits', 'jobs wait')}, and nobody takes jobs" if waiting else "Nobody takes jobs"
    if not crew:
        yield Notice("bad" if waiting else "warn", f"No worker is running. {nobody}.", "/workers")
    elif silent:
        names = ", ".join(worker.name for worker in silent[:NAMED])
        text = f"{many(len(silent), 'worker')} of {len(crew)} silent for longer than a lease: {names}."
        text += f" {nobody}." if len(silent) == len(crew) else ""
        yield Notice("bad" if len(silent) == len(crew) else "warn", text, "/workers")


def _holds(holds: dict[str, Hold]) -> Iterator[Notice]:
    """What a person stopped on purpose needs nobody; what stopped by itself does."""
    for hold in holds.values():
        reason = f": {hold.reason}" if hold.reason else ""
        level = "warn" if hold.cause == "operator" else "bad"
        yield Notice(level, f"{hold.scope.partition(':')[2].replace('|', ' ')} is held ({hold.cause}, by {hold.by})"
                     f"{reason}.", "/lanes#holds")  # fmt: skip


def _quota(parts: Parts) -> Iterator[Notice]:
    """The figure that `doctor`, `lanes list` and the alert say too."""
    for quota in quotas(parts.partition).values():
        if reasons := quota.reasons(parts.settings.limiter):
            raised = RAISE[quota.account.partition(":")[0]]
            text = f"{quota.account}: {' and '.join(reasons)} ({quota.words()}); {raised}."
            yield Notice("warn", text, f"/lanes?account={quote(quota.account)}")


def _died(parts: Parts, now_us: int) -> Iterator[Notice]:
    """What asks for somebody first, then what was told to nobody, last what somebody knows of, which is no warning.
    What is ignored or called mended is not named.
    """
    alerts = alerts_of(parts)
    known_by = {one: alert.acked_by for one, alert in alerts.items() if alert.state == "acknowledged"}
    told = [one for one in alerts if one not in known_by]
    since_us = now_us - RECENT_US
    newest = list(parts.problems.find(since_us=since_us, limit=COUNTED))
    found = {problem.fingerprint for problem in newest}
    missed = [one for one in told[:COUNTED] if one not in found]
    older = [problem for problem in parts.problems.named(missed) if problem.last_us >= since_us]
    recent = [problem for problem in [*newest, *older] if problem.open and problem.state in ("open", "acknowledged")]
    known_by |= {one.fingerprint: one.said.by for one in recent if one.state == "acknowledged"}
    recent.sort(key=lambda one: 2 if one.fingerprint in known_by else 1 if one.fingerprint not in alerts else 0)
    for problem in recent[:NAMED]:
        seen = span((now_us - problem.last_us) / 1e6)
        what = f"{problem.operation}: {cause_words(problem.error_class, problem.code)}"
        text = f"{what}. {many(problem.open, 'dead letter')}, the last {seen} ago."
        known = known_by.get(problem.fingerprint)
        yield Notice("info" if known else "warn", f"{text} {known} knows." if known else text,
                     f"/problems/{problem.fingerprint}")  # fmt: skip
    left = len(recent) - NAMED
    if left > 0:
        more = f"{left} or more" if len(newest) == COUNTED else str(left)
        text = f"{more} other {'problem was' if left == 1 else 'problems were'} seen within the last hour."
        yield Notice("warn", text, "/problems?since=1h")
