"""What the limiter's tests add to the desk: accounts with the limits a test names, calls from take to answer, and the
remote side: a judge that counts arrivals in exact sliding windows.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.integration.desk import ANSWERED, CAR, Dealt, Desk, Slip, account, micros

Told = Mapping[str, Mapping[str, int]]
_digests = count(1)
NO_RESERVE = (0, 0)


def limit(
    desk: Desk,
    budget: str = "",
    *more: str,
    headers: bool = False,
    reserve: tuple[int, int] = NO_RESERVE,
    digest: str = "",
    of: Mapping[str, Any] | None = None,
    **windows: tuple[int, float],
) -> str:
    """Settings arrive that give the account these windows (`minute=(10, 60)`), all in the budget `calls` unless
    budgets are written out (`calls=day,second`). Lanes have no cap that matters.
    """
    budgets = [budget, *more] if budget else ["calls=" + ",".join(windows)]
    accounts = of or {CAR: account(*budgets, windows=windows, headers=headers, reserve=reserve)}
    return desk.hire(digest=digest or f"limits-{next(_digests)}", accounts=accounts, numbers={"lane_cap": 1_000_000})


def out(desk: Desk, n: int, **job: Any) -> list[Slip]:
    """`n` jobs are put in line and taken; every one must have got its permit."""
    desk.put(n, **job)
    slips = desk.take(n).slips
    assert len(slips) == n, f"expected {n} permits, got {len(slips)}"
    return slips


def call(desk: Desk, told: Told | None = None, **job: Any) -> None:
    """One call, answered at once."""
    [slip] = out(desk, 1, **job)
    answer(desk, slip, told)


def answer(desk: Desk, slip: Slip, told: Told | None = None, age_s: float = 0) -> None:
    """The answer's first byte came `age_s` ago, with these rate headers."""
    more: dict[str, Any] = {"told": told} if told else {}
    assert desk.finish(slip, {"mode": "answered", "age": micros(age_s)}, **more) in ("own", "waiting")


def refuse(desk: Desk, slip: Slip, after_s: float | None = None, **close: Any) -> str:
    """The call was refused (429): its budget closes, the job is parked without an attempt."""
    facts: dict[str, Any] = {
        "jitter": 1,
        "base": micros(1),
        "cap": micros(300),
        "reason": "429",
        "facts": "{}",
        **close,
    }
    if after_s is not None:
        facts["after"] = micros(after_s)
    return desk.park(slip, ANSWERED, close=facts)


def room(desk: Desk, want: int = 1000, **job: Any) -> int:
    """How many permits can be had now; they are given back."""
    ids = desk.put(want, **job)
    slips = desk.take(want).slips
    for slip in slips:
        desk.park(slip)
    for job_id in ids:
        desk.person("cancel", id=job_id)
    return len(slips)


def left(desk: Desk, budget: str = "calls") -> int:
    """What neither we nor others are known to use, in the fullest window; all of it may not be out at once."""
    rows = desk.scripts("windows", {"group": f"{CAR}|{budget}", "p": 0})[2:]
    return min(int(row[1] - row[4] - row[6]) for row in rows)  # limit, occupied, foreign


def opens_s(desk: Desk, at: Dealt | None = None) -> float:
    """In how many seconds the job in front can be taken, as take itself says; time then stands there.

    `at` is an answer to start from, where the store's clock and the desk's differ.
    """
    ahead = at.now_us - desk.now_us if at else 0
    began = desk.now_us
    while True:
        dealt = desk.take()
        if dealt.slips:
            desk.park(dealt.one)
            return (desk.now_us - began) / 1e6
        left = dealt.next_us - ahead - desk.now_us
        assert left > -100, "nothing is said about when to look again"
        desk.wait(max(0.000_001, left / 1e6))
        assert desk.now_us - began < micros(200_000), "never opens"


def told(desk: Desk) -> list[str]:
    """Changes of alerts that a person is told about, such as `hold:budget:… opened`."""
    words = [member.split("#") for member in desk.outbox()]
    return [f"{alert} {change}" for alert, *_, change in words]


@dataclass(slots=True)
class Remote:
    """The other side of the wire: counts arrivals, by their own time, in exact sliding windows."""

    windows: Sequence[tuple[int, int]]
    """(limit, length in µs)"""
    arrived: list[int] = field(default_factory=list)

    def worst(self) -> list[float]:
        """For each window the fullest it ever was, as a share of its limit. Above 1 is over the limit."""
        times = sorted(self.arrived)
        shares = []
        for allowed, length in self.windows:
            inside: deque[int] = deque()
            most = 0
            for at in times:
                inside.append(at)
                while inside[0] <= at - length:
                    inside.popleft()
                most = max(most, len(inside))
            shares.append(most / allowed)
        return shares
