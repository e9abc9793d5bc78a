"""Sandbox, controls: what a test, the demo or a benchmark may ask of a sandbox, however it reaches it.

One class with one method per control call; `Sandbox` carries them out in its own loop, `SandboxClient` over HTTP. It
promises the same names, arguments and JSON-able answers on both. Its scope ends at passing them on; world.py says what
they do.
"""

from __future__ import annotations

import time
from typing import Any, cast


class Controls:
    """The control calls."""

    def _call(self, name: str, **arguments: Any) -> Any:
        raise NotImplementedError

    def reset(self) -> None:
        """Forget log, windows, faults, foreign users, stored objects; restore credentials. Options and limits stay."""
        self._call("reset")

    def config(self, changes: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Change options, as `config({"hub.refusal": "200"})` or `config(hub={"refusal": "200"})`; answers with all."""
        return cast(dict[str, Any], self._call("config", changes={**(changes or {}), **more}))

    def limits(
        self, window: str, limit: int | None = None, window_s: float | None = None, account: str | None = None
    ) -> int:
        """Set a window's limit or length; windows: tokens, commands, locations, calls.day, calls.second."""
        return cast(int, self._call("limits", window=window, limit=limit, window_s=window_s, account=account))

    def latency(self, api: str, **milliseconds: float) -> None:
        """fixed_ms, jitter_ms, median_ms + p95_ms (log-normal), and inbound_ms, inbound_jitter_ms before arrival."""
        self._call("latency", api=api, **milliseconds)

    def fault(
        self,
        action: str,
        match: dict[str, str] | None = None,
        times: int | None = None,
        seconds: float | None = None,
        probability: float = 1.0,
        **details: Any,
    ) -> int:
        """Script a fault (see faults.py); its number is what `clear_faults` takes."""
        how = {"match": match, "times": times, "seconds": seconds, "probability": probability}
        return cast(int, self._call("fault", action=action, **how, **details))

    def faults(self) -> dict[str, Any]:
        """Faults in force and actions that exist."""
        return cast(dict[str, Any], self._call("faults"))

    def clear_faults(self, number: int | None = None) -> None:
        """Remove one fault, or all."""
        self._call("clear_faults", number=number)

    def outage(self, api: str, seconds: float | None = None, mode: str = "503", **details: Any) -> None:
        """The whole API is down: mode `refuse` closes its port, a number is answered with, anything else is a fault."""
        if mode == "refuse":
            self._call("refuse", api=api, seconds=seconds)
        elif mode.isdigit():
            self.fault("status", {"api": api}, seconds=seconds, status=int(mode), **details)
        else:
            self.fault(mode, {"api": api}, seconds=seconds, **details)

    def end_outage(self, api: str) -> None:
        """Open the port again and remove all faults."""
        self._call("accept", api=api)
        self.clear_faults()

    def revoke(self, account: str) -> None:
        """No credential of this account is accepted any more."""
        self._call("revoke", account=account)

    def renew(self, account: str, secret: str | None = None) -> None:
        """Accept exactly this token or password, or the one of the start."""
        self._call("renew", account=account, secret=secret)

    def rotate(self, account: str, secret: str, overlap: bool = True) -> None:
        """Accept a new token or password, beside the old one or instead of it."""
        self._call("rotate", account=account, secret=secret, overlap=overlap)

    def suspend(self, account: str) -> None:
        """Turn the account away, whatever it shows."""
        self._call("suspend", account=account)

    def resume(self, account: str) -> None:
        """End a suspension."""
        self._call("resume", account=account)

    def foreign(
        self, account: str, rate: float, pattern: str = "steady", budget: str | None = None, polite: bool = False
    ) -> None:
        """Somebody else uses the account at `rate` calls a second (steady, random, bursts); 0 ends it."""
        self._call("foreign", account=account, rate=rate, pattern=pattern, budget=budget, polite=polite)

    def stop_foreign(self, account: str | None = None) -> None:
        """End the foreign users of one account, or all."""
        self._call("stop_foreign", account=account)

    def prefill(self, account: str, window: str, count: int, age_s: float) -> None:
        """As if somebody else had made `count` calls within the last `age_s` seconds."""
        self._call("prefill", account=account, window=window, count=count, age_s=age_s)

    def log(self, since: int = 0, limit: int = 10_000, **equal: Any) -> list[dict[str, Any]]:
        """Arrivals from number `since` on whose fields equal the given ones."""
        return cast(list[dict[str, Any]], self._call("log", since=since, limit=limit, **equal))

    def count(self, **equal: Any) -> int:
        """How many arrivals of ours have the given fields."""
        return cast(int, self._call("count", **equal))

    def wait_for(self, count: int, timeout_s: float = 30.0, **equal: Any) -> int:
        """Wait until that many arrivals of ours have the given fields; answers how many there are then."""
        deadline = time.monotonic() + timeout_s
        while (seen := self.count(**equal)) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return seen

    def judge(self, account: str | None = None) -> dict[str, Any]:
        """The verdict over everything since the last reset."""
        return cast(dict[str, Any], self._call("judge", account=account))

    def state(self) -> dict[str, Any]:
        """The windows as they stand."""
        return cast(dict[str, Any], self._call("state"))

    def commands(self) -> list[dict[str, Any]]:
        """Commands the hub took."""
        return cast(list[dict[str, Any]], self._call("commands"))

    def results(self) -> list[dict[str, Any]]:
        """Command results that were posted."""
        return cast(list[dict[str, Any]], self._call("results"))

    def records(self) -> dict[str, Any]:
        """Stored sessions, CDRs and remote actions."""
        return cast(dict[str, Any], self._call("records"))
