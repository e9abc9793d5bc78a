"""Sandbox, world: both APIs with their limits, log, faults and foreign users, and everything that can be asked of them.

Every public method here is a control call of the same name, over HTTP (control.py) and in Python (controls.py). It
promises that they run in the sandbox's one loop, so none of them sees half a request. Its scope ends at state;
listeners are in server.py.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict
from typing import Any

from worker.sandbox.faults import ACTIONS, Faults
from worker.sandbox.foreign import Foreign
from worker.sandbox.hub import Hub
from worker.sandbox.hub_routes import Desk
from worker.sandbox.judge import judge
from worker.sandbox.latency import Latency
from worker.sandbox.options import Options, Party, Subscription, change
from worker.sandbox.post import Poster
from worker.sandbox.reception import Front
from worker.sandbox.stellantis import Stellantis
from worker.sandbox.stellantis_routes import Garage
from worker.sandbox.windows import SECOND, Window

CHANGEABLE = ("hub", "stellantis", "count_refused")
HUB_LIMITS = {"tokens": (100, 60.0), "commands": (50, 60.0), "locations": (200, 60.0)}
CONTROLS = (
    "reset", "config", "limits", "latency", "fault", "faults", "clear_faults", "revoke", "renew", "rotate", "suspend",
    "resume", "foreign", "stop_foreign", "prefill", "log", "count", "judge", "state", "commands", "results", "records",
)  # fmt: skip


class World:
    """One sandbox's state."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.front = Front(options, rng=random.Random(options.seed))
        self.poster = Poster()
        self.users = Foreign(self.front)
        self._build()

    def _build(self) -> None:
        front, options = self.front, self.options
        front.faults = Faults(options.seed)
        self.hub = Hub(options.hub, options.parties)
        self.desk = Desk(self.hub, self.poster.post)
        self.stellantis = Stellantis(options.stellantis, options.subscriptions)
        self.garage = Garage(self.stellantis)
        for party in options.parties:
            self._declare_party(party)
        for subscription in options.subscriptions:
            self._declare_subscription(subscription)
        for name, value in options.limits.items():
            account, _, window = name.rpartition("/")
            limit, window_s = _limit(value)
            self.limits(window, limit, window_s, account or None)
        for api, values in options.latency.items():
            self.latency(api, **values)

    def _declare_party(self, party: Party) -> None:
        for budget, usual in HUB_LIMITS.items():
            limit, window_s = _limit(party.limits.get(budget, usual))
            self.front.windows.add(party.account, budget, [Window(budget, limit, round(window_s * SECOND))])

    def _declare_subscription(self, one: Subscription) -> None:
        day = Window("calls.day", one.limit_per_day, round(one.day_window_s * SECOND), "1")
        burst = Window("calls.second", one.limit_per_second, round(one.second_window_s * SECOND), "2")
        self.front.windows.add(one.account, "calls", [day, burst])

    def _account(self, account: str) -> Hub | Stellantis:
        if account in self.hub.parties:
            return self.hub
        if account in self.stellantis.subscriptions:
            return self.stellantis
        known = [*self.hub.parties, *self.stellantis.subscriptions]
        raise ValueError(f"there is no account '{account}'; the accounts are {', '.join(known)}")

    # -- behaviour ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget log, windows, faults, foreign users and what was stored; restore credentials. Options stay."""
        self.users.stop()
        self.poster.clear()
        self.front.faults.clear()
        self.front.log.clear()
        self.front.windows.clear()
        for party in self.options.parties:
            self.hub.accept(party.account, {token for token in (party.token, party.next_token) if token})
        for subscription in self.options.subscriptions:
            self.stellantis.accept(subscription.account, {subscription.password})
        self.hub.suspended.clear()
        self.stellantis.suspended.clear()
        self.desk.clear()
        self.garage.clear()

    def config(self, changes: dict[str, Any] | None = None) -> dict[str, Any]:
        """Change options by dotted name; answers with all of them, without secrets."""
        fixed = [name for name in changes or {} if name.partition(".")[0] not in CHANGEABLE]
        if fixed:
            raise ValueError(f"{', '.join(fixed)} cannot change while running; {', '.join(CHANGEABLE)} can")
        change(self.options, changes or {})
        shown = asdict(self.options)
        del shown["parties"], shown["subscriptions"]
        return {**shown, "accounts": [*self.hub.parties, *self.stellantis.subscriptions]}

    def limits(
        self, window: str, limit: int | None = None, window_s: float | None = None, account: str | None = None
    ) -> int:
        """Set a window's limit, length or both, for one account or for all; says how many windows changed."""
        if account:
            self._account(account)
        if (limit is not None and limit < 1) or (window_s is not None and window_s <= 0):
            raise ValueError("a limit is at least 1 and a window longer than 0 seconds")
        changed = self.front.windows.change(account, window, limit, window_s)
        if not changed:
            names = sorted({one.name for _, one in self.front.windows.each()})
            raise ValueError(f"there is no window '{window}'; the windows are {', '.join(names)}")
        return changed

    def latency(self, api: str, **milliseconds: float) -> None:
        """Set all delays of an API at once; what is not named is 0."""
        if api not in self.front.latency:
            raise ValueError(f"there is no API '{api}'; the APIs are hub, stellantis")
        self.front.latency[api] = Latency(**milliseconds)

    def fault(
        self,
        action: str,
        match: dict[str, str] | None = None,
        times: int | None = None,
        seconds: float | None = None,
        probability: float = 1.0,
        **details: Any,
    ) -> int:
        """Script a fault: the next `times` matching calls, or all within `seconds`, or until cleared."""
        return self.front.faults.add(action, match, times, seconds, probability, details)

    def faults(self) -> dict[str, Any]:
        """The faults in force, and the actions that exist."""
        return {"active": self.front.faults.listed(), "actions": list(ACTIONS)}

    def clear_faults(self, number: int | None = None) -> None:
        """Remove one fault, or all."""
        self.front.faults.clear(number)

    # -- credentials ----------------------------------------------------------------------------------------------

    def revoke(self, account: str) -> None:
        """No token or password of this account is accepted any more."""
        self._account(account).accept(account, set())

    def renew(self, account: str, secret: str | None = None) -> None:
        """Accept exactly this token or password; without one, those the sandbox was started with."""
        api = self._account(account)
        if secret is None:
            one = self.options.parties if api is self.hub else self.options.subscriptions
            found = next(entry for entry in one if entry.account == account)
            secret = found.token if isinstance(found, Party) else found.password
        api.accept(account, {secret})

    def rotate(self, account: str, secret: str, overlap: bool = True) -> None:
        """Accept a new token or password, beside the old one or instead of it."""
        api = self._account(account)
        api.accept(account, {secret, *(api.accepted[account] if overlap else ())})

    def suspend(self, account: str) -> None:
        """Turn the account away, whatever it shows."""
        self._account(account).suspended.add(account)

    def resume(self, account: str) -> None:
        """End a suspension."""
        self._account(account).suspended.discard(account)

    # -- foreign users --------------------------------------------------------------------------------------------

    def foreign(
        self, account: str, rate: float, pattern: str = "steady", budget: str | None = None, polite: bool = False
    ) -> None:
        """Let somebody else use the account at `rate` calls a second; rate 0 ends it."""
        chosen = budget or ("calls" if self._account(account) is self.stellantis else "tokens")
        if rate == 0:
            self.users.stop(account, chosen)
        else:
            self.users.start(account, chosen, rate, pattern, polite)

    def stop_foreign(self, account: str | None = None) -> None:
        """End the foreign users of one account, or all."""
        self.users.stop(account)

    def prefill(self, account: str, window: str, count: int, age_s: float) -> None:
        """As if somebody else had made `count` calls within the last `age_s` seconds, seen by this window only."""
        self._account(account)
        self.users.past(account, window, count, age_s)

    # -- what happened --------------------------------------------------------------------------------------------

    def log(self, since: int = 0, limit: int = 10_000, **equal: Any) -> list[dict[str, Any]]:
        """Arrivals from number `since` on whose fields (account, operation, job, status …) equal the given ones."""
        return self.front.log.select(int(since), int(limit), **equal)

    def count(self, **equal: Any) -> int:
        """How many arrivals of ours have the given fields."""
        wanted = {"foreign": False, **equal}
        return sum(all(getattr(one, k) == v for k, v in wanted.items()) for one in self.front.log.arrivals)

    def judge(self, account: str | None = None) -> dict[str, Any]:
        """The verdict over everything since the last reset."""
        return judge(self.front.log.arrivals, account)

    def state(self) -> dict[str, Any]:
        """The windows as they stand, cheap enough to ask for once a second."""
        rows = [
            {"account": account, "window": one.name, "limit": one.limit, "window_s": one.length_ns / SECOND,
             "max": one.max_arrived, "total": one.total, "remaining": one.remaining()}
            for account, one in self.front.windows.each()
        ]  # fmt: skip
        return {"windows": rows, "arrivals": len(self.front.log.arrivals)}

    def commands(self) -> list[dict[str, Any]]:
        """Commands the hub took, with the response it gave."""
        return self.desk.commands

    def results(self) -> list[dict[str, Any]]:
        """Command results that were posted, with the receiver's status."""
        return self.poster.delivered

    def records(self) -> dict[str, Any]:
        """What was stored: sessions, CDRs, remote actions, and how often each kind."""
        kept = {"sessions": self.desk.sessions, "cdrs": self.desk.cdrs}
        actions = [remote["action"] for remote in self.garage.remotes]
        kinds = dict(Counter(action["type"] for action in actions))
        return {**kept, "remotes": actions, "remotes_by_type": kinds}


def _limit(value: Any) -> tuple[int, float]:
    """A limit as a pair (limit, seconds) or a table with limit and window_s, as the settings write it."""
    limit, window_s = (value["limit"], value["window_s"]) if isinstance(value, dict) else value
    return int(limit), float(window_s)
