"""Demo: the story, in acts. Each says what happens and what is expected, does it, and notes whether it came about.

Promise: nothing is arranged behind the curtain: accidents happen to real processes, troubles on the sandbox's sockets,
and what follows is the workers' doing. Scope: cause and expectation; the verdict over the whole is `claims.py`'s.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from worker.accept import envelope
from worker.accept.enqueue import Wanted
from worker.demo import load
from worker.demo.scenery import EMSP, FLEET, OTHER_FLEET
from worker.demo.stage import Stage
from worker.demo.supervisor import Process

HOLD = f"account:{EMSP}"
NEW_TOKEN = "sandbox-token-abc-renewed"
OUTAGE_S = 3.0
Say = Callable[[str], None]


class Story:
    """Plays the acts on a stage. `noted` is what the claims need to know of it."""

    def __init__(self, stage: Stage, say: Say, title: Say) -> None:
        self.stage = stage
        self.sandbox = stage.sandbox
        self._say = say
        self._title = title
        self.noted: dict[str, Any] = {"expected": []}
        self._hung = ""

    def play(self) -> None:
        """All acts. They overlap on purpose: nobody waits for a quiet moment to have trouble."""
        for number, act in enumerate(
            [
                self.demand, self.urgent, self.foreign_user, self.revoked_token, self.poison, self.outage,
                self.unknown_outcome, self.late_answer, self.killed_worker, self.redrive, self.curtain,
            ], 1,
        ):  # fmt: skip
            self._title(f"{number}. {act.__doc__}")
            act()

    def expect(self, what: str, came_about: bool, figure: str = "") -> None:
        """Something announced that did or did not come about."""
        self.noted["expected"].append({"what": what, "ok": came_about, "figure": figure})
        self._say(f"{'✓' if came_about else '✗'} {what}{': ' if figure else ''}{figure}")

    # -- the acts ------------------------------------------------------------------------------------------------------

    def demand(self) -> None:
        """More demand than the limits allow, at both APIs"""
        ids = self.stage.enqueue(load.mixed())
        self._say(f"{len(ids)} calls are asked for at once; expected: they wait in the store, none is refused for its rate")
        time.sleep(2.0)

    def urgent(self) -> None:
        """Urgent calls arrive behind a long line"""
        states = {job: self.stage.state(job) for job, wanted in self._of(FLEET, "bulk").items()}
        ahead = [job for job, state in states.items() if state == "waiting"]
        urgent = self.stage.enqueue(load.reads(12, kind="URGENT", priority="urgent"))
        self.noted["urgent"] = {"jobs": urgent, "ahead": ahead}
        begun = time.monotonic()
        self._say(f"{len(urgent)} urgent reads come behind {len(ahead)} waiting ones; expected: they go first")
        passed = self.stage.becomes(lambda: all(self.stage.state(job) == "done" for job in urgent), 10.0)
        waiting = sum(self.stage.state(job) == "waiting" for job in ahead)
        took = f"done {time.monotonic() - begun:.1f} s later, while {waiting} of the others still wait"
        self.expect("urgent calls overtook", passed, took)

    def foreign_user(self) -> None:
        """Somebody else uses our subscription"""
        self.sandbox.foreign(FLEET, rate=8, pattern="random")
        self._say("8 calls a second on fleet-1 are not ours; expected: we leave them their share, as the headers tell it")
        window = self.stage.keys("window", f"{FLEET}|calls.second")
        seen = self.stage.becomes(lambda: int(self.stage.client.hget(window, "fgn") or 0) > 0, 5.0)  # type: ignore[arg-type]
        self.expect("the limiter noticed them in the rate headers", seen)
        time.sleep(2.0)

    def revoked_token(self) -> None:
        """The hub revokes our token, then gives us a new one"""
        self.sandbox.revoke(EMSP)
        self.stage.enqueue(load.authorizations(30, "LATER"))
        self._say("the token is refused from now on; expected: one hold, one alert, no job dies of it")
        held = self.stage.becomes(lambda: self._held(HOLD), 8.0)
        self.expect("the account is on hold", held)
        impatient = self.stage.enqueue(load.authorizations(4, "BRIEF", deadline_s=1.2))
        unwanted = self.stage.enqueue(load.authorizations(3, "UNWANTED"))
        for job in unwanted:
            self.stage.scripts("cancel", {"id": job, "by": "demo", "reason": "not wanted any more"})
        self._say(f"{len(impatient)} calls with 1.2 s to live and {len(unwanted)} that are cancelled join the line")
        time.sleep(1.5)
        self.sandbox.stop_foreign(FLEET)
        begun = time.monotonic()
        self.sandbox.renew(EMSP, NEW_TOKEN)
        renewed = self.stage.token_file.with_suffix(".new")
        renewed.write_text(NEW_TOKEN, encoding="ascii")
        renewed.replace(self.stage.token_file)
        self._say("the new token is written into the token's file; expected: no restart, one probe, then everything goes on")
        free = self.stage.becomes(lambda: not self._held(HOLD), 8.0)
        self.expect("the account is free again", free, f"{time.monotonic() - begun:.1f} s after the file changed")
        ends = [self.stage.state(job) for job in (*impatient, *unwanted)]
        self.expect("what was too late was never sent", ends == ["expired"] * 4 + ["cancelled"] * 3)

    def poison(self) -> None:
        """Calls that cannot succeed, and answers that cannot be understood"""
        self.sandbox.fault("invalid_json", {"path": "/vehicles/SPOILT-"})
        bad = load.reads(6, kind="CONSENT", priority="normal") + load.reads(5, kind="BADID", priority="normal")
        self._poisoned = self.stage.enqueue(bad)
        self._spoilt = self.stage.enqueue(load.reads(4, kind="SPOILT", priority="normal"))
        self._say("6 cars need a new consent, 5 have a bad id, 4 answers are torn; expected: dead letters, three problems")
        ids = [*self._poisoned, *self._spoilt]
        dead = self.stage.becomes(lambda: all(self.stage.state(job) == "dead" for job in ids), 15.0)
        problems = {self.stage.text("job", job, field="fp") for job in ids}
        self.expect(f"{len(ids)} dead letters in {len(problems)} problems", dead and len(problems) == 3)

    def outage(self) -> None:
        """Stellantis is down for three seconds"""
        self.stage.enqueue(load.reads(40, OTHER_FLEET))
        before = self.sandbox.count(status=503)
        self.sandbox.outage("stellantis", seconds=OUTAGE_S, mode="503")
        self._say("every call is answered with 503; expected: reads are tried again later, none is lost")
        time.sleep(OUTAGE_S)
        refused = self.sandbox.count(status=503) - before
        self.expect("calls ran into the outage and wait for their next attempt", refused > 0, f"{refused}")

    def unknown_outcome(self) -> None:
        """A command is never answered"""
        self._hung = self._new_id()
        self.sandbox.fault("hang", {"job": self._hung}, times=1)
        self.stage.enqueue([self._start(self._hung)])
        self._say("START_SESSION hangs after it was sent; expected: not sent again, but `outcome_unknown` and an alert")
        self.stage.wait(lambda: self.sandbox.count(job=self._hung) > 0, 15.0, "the command has arrived")

    def late_answer(self) -> None:
        """A worker freezes while a command is on its way"""
        job = self._new_id()
        self.sandbox.fault("delay", {"job": job}, times=1, delay_s=0.8)
        self.stage.enqueue([self._start(job)])
        process, child = self._caught(job)
        os.kill(child, signal.SIGSTOP)
        process.state = "frozen"
        self._say(f"{process.name} is frozen before the answer comes; expected: its claim lapses, the outcome is unknown")
        unknown = self.stage.becomes(lambda: self.stage.state(job) == "dead", 8.0)
        self.expect("nobody sent the command again", unknown and self.sandbox.count(job=job) == 1)
        os.kill(child, signal.SIGCONT)
        process.state = "running"
        self._say(f"{process.name} wakes up with the answer in its socket; expected: the truth settles the job")
        self.expect("the late answer settled its job", self.stage.becomes(lambda: self.stage.state(job) == "done", 5.0))

    def killed_worker(self) -> None:
        """A worker is killed in the middle of its calls"""
        job = self._new_id()
        self.sandbox.fault("delay", {"path": "/vehicles/SLOW-"}, seconds=2.0, delay_s=2.0)
        self.stage.wait(lambda: self.stage.outbox() == 0, 10.0, "all alerts have been handed over")
        reads = self.stage.enqueue([*load.reads(6, kind="SLOW", priority="urgent"), load.remote("SLOW", 99, job)])[:-1]
        process, child = self._caught(job)
        os.kill(child, signal.SIGKILL)
        process.state = "killed"
        self._say(f"{process.name} gets kill -9 with calls in hand; expected: reads go again, the remote action does not")
        code = process.await_end(10.0)
        process.restart()
        self._say(f"its master left with code {code}; the supervisor started the Procfile's line again")
        again = self.stage.becomes(lambda: all(self.stage.state(read) == "done" for read in reads), 15.0)
        self.expect("every read was answered in the end", again)
        lost = (self.stage.text("job", job, field="err"), self.sandbox.count(job=job))
        self.expect("the remote action says that its outcome is unknown", lost == ("outcome_unknown", 1))

    def redrive(self) -> None:
        """The cause is mended, the dead letters are sent again"""
        self.sandbox.clear_faults()
        said = [self._redrive(job) for job in self._spoilt]
        self._say(f"the {len(said)} torn answers go through their lane again; expected: done, and their alert resolves")
        done = self.stage.becomes(lambda: all(self.stage.state(job) == "done" for job in self._spoilt), 15.0)
        self.expect("all of them are done", done)
        ended = self.stage.becomes(lambda: self.stage.state(self._hung) == "dead", 15.0)
        error = self.stage.text("job", self._hung, field="err")
        self.expect("the command that hung is a dead letter `outcome_unknown`", ended and error == "outcome_unknown")
        self.expect("it is not sent again unless a person says so", self._redrive(self._hung) == "unknown")

    def curtain(self) -> None:
        """What is left is done"""
        self._say("expected: no job waits or runs any more")
        self.expect("the store is quiet", self.stage.becomes(self._is_quiet, 40.0))
        told = self.stage.becomes(lambda: self.stage.outbox() == 0, 10.0)
        self.expect("every alert has been handed over", told)

    # -- what the acts share -------------------------------------------------------------------------------------------

    def _of(self, account: str, priority: str) -> dict[str, Wanted]:
        jobs = self.stage.jobs.items()
        return {job: wanted for job, wanted in jobs if (wanted.account, wanted.priority) == (account, priority)}

    def _held(self, scope: str) -> bool:
        return bool(self.stage.client.hexists(self.stage.keys("holds"), scope))

    def _new_id(self) -> str:
        return envelope.new_job_id(self.stage.settings.partition)

    def _start(self, job: str) -> Wanted:
        return load.call(load.START, EMSP, job_id_=job)

    def _caught(self, job: str) -> tuple[Process, int]:
        """Who has this job in hand, once its call has arrived at the other side."""
        self.stage.wait(lambda: self.sandbox.count(job=job) > 0, 15.0, f"the call of job {job} has arrived")
        holder = self.stage.holder(job)
        if holder is None:
            raise RuntimeError(f"job {job} was answered before its worker could be caught")
        return holder

    def _redrive(self, job: str) -> str:
        said: bytes = self.stage.scripts("redrive", {"id": job, "by": "demo", "reason": "the cause is mended"})
        return said.decode()

    def _is_quiet(self) -> bool:
        counts = {name: int(count) for name, count in self.stage.hash("counts").items()}
        return counts["accepted"] == sum(counts.get(end, 0) for end in ("done", "dead", "cancelled", "expired"))
