"""Commands: waiting for calls to end.

Promise: looking costs one round trip per hundred calls that still run, at most a few times a second; every end is
printed when it is seen; whoever waits long is told once what for. Scope: waiting; nothing is changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from worker.accept.jobs import ENDED, Chain
from worker.commands.answers import one_line, reasons, summary
from worker.commands.output import Exit, emit, line, many, say
from worker.commands.session import Session
from worker.store.partition import chunks

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.5
PATIENCE_S = 5.0


class Watch:
    """Watches calls, and prints how each of them ends."""

    def __init__(self, session: Session, as_json: bool) -> None:
        self._session = session
        self._as_json = as_json

    def until_ended(self, ids: Iterable[str], timeout_s: float | None) -> int:
        """The exit code that says how all of them ended. Raises `NotFound` for an unknown id."""
        left = list(dict.fromkeys(ids))
        until = None if timeout_s is None else time.monotonic() + timeout_s
        explain = time.monotonic() + PATIENCE_S
        states: list[str] = []
        pause_s = FIRST_PAUSE_S
        while left:
            ended = self._ended(left)
            for chain in ended.values():
                states.append(chain.state)
                self._tell(chain)
            left = [one for one in left if one not in ended]
            if left and until is not None and time.monotonic() >= until:
                return self._out_of_time(left, states, timeout_s or 0)
            if left and time.monotonic() >= explain:
                explain = float("inf")
                self._explain(self._session.jobs.chain(left[0]), len(left))
            if left:
                time.sleep(pause_s)
            pause_s = FIRST_PAUSE_S if ended else min(pause_s * 1.5, LONGEST_PAUSE_S)
        return _code(states)

    def _ended(self, ids: list[str]) -> dict[str, Chain]:
        """Those of them that have ended, with all their pages."""
        key = self._session.partition.key
        found: dict[str, Chain] = {}
        for some in chunks(ids):
            states = self._session.partition.ask(*(("hget", key("job", one), "state") for one in some))
            for one, state in zip(some, states, strict=True):
                if state is not None and state not in ENDED:
                    continue
                chain = self._session.jobs.chain(one)
                if all(job.ended for job in chain.jobs):
                    found[one] = chain
        return found

    def _tell(self, chain: Chain) -> None:
        if self._as_json:
            emit(summary(self._session, chain, masked=False))
        else:
            line(one_line(self._session, chain))

    def _explain(self, chain: Chain, left: int) -> None:
        if why := reasons(self._session, chain):
            say(f"{chain.id} waits for: {'; '.join(why)}" + (f" ({left - 1} more wait)" if left > 1 else ""))

    def _out_of_time(self, left: list[str], states: list[str], timeout_s: float) -> int:
        chains = [self._session.jobs.chain(one) for one in left]
        for chain in chains:
            self._tell(chain)
        whole = many(len(left) + len(states), "call")
        say(f"after {timeout_s:g} s {len(left)} of {whole} {'has' if len(left) == 1 else 'have'} not ended; waiting "
            "for them can be taken up again by `jobs wait`.")  # fmt: skip
        self._explain(chains[0], len(left))
        partly = any(chain.done for chain in chains) or "done" in states
        return Exit.PARTLY if partly else Exit.FAILED


def _code(states: list[str]) -> int:
    done = states.count("done")
    if done == len(states):
        return Exit.DONE
    return Exit.PARTLY if done else Exit.FAILED
