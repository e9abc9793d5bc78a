"""Demo: the story, in acts. Each says what happens and what is expected, does it, and notes whether it came about.

Promise: nothing is arranged behind the curtain: accidents happen to real processes, troubles on the sandbox's sockets,
and what follows is the workers' doing. What is awaited is a state, never a time, so that a slow machine only takes
longer. Scope: cause and expectation; the verdict over the whole is `claims.py`'s.
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
from worker.demo.scenery import EMSP, FLEET, LIMITS, OTHER_FLEET
from worker.demo.stage import Stage
from worker.demo.supervisor import Process

HOLD = f"account:{EMSP}"
NEW_TOKEN = "sandbox-token-abc-renewed"
OUTAGE_S = 3.0
LONG_S = 3.0
"""How long the other side takes over a call whose worker is to be caught with it in hand."""
PATIENCE_S = 45.0
TRIES = 5
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
        self._spoilt: list[str] = []

    def play(self) -> None:
        """All acts. They overlap on purpose: nobody waits for a quiet moment to have trouble."""
        acts = [
            self.demand, self.urgent, self.foreign_user, self.revoked_token, self.no_answer, self.poison, self.outage,
            self.late_answer, self.killed_worker, self.redrive, self.curtain,
        ]  # fmt: skip
        for number, act in enumerate(acts, 1):
            self._title(f"{number}/{len(acts)} {act.__doc__}")
            act()

    def expect(self, what: str, came_about: bool, figure: str = "") -> None:
        """Something announced that did or did not come about."""
        self.noted["expected"].append({"what": what, "ok": came_about, "figure": figure})
        self._say(f"{'✓' if came_about else '✗'} {what}{': ' if figure else ''}{figure}")

    # -- the acts ------------------------------------------------------------------------------------------------------

    def demand(self) -> None:
        """More demand than the limits allow, at both APIs"""
        ids = self.stage.enqueue(load.mixed())
        at_once = len(self._of(FLEET))
        limit, _ = LIMITS["calls.second"]
        self._say(f"{len(ids)} calls to both APIs at once; fleet-1 alone gets {at_once} and may make {limit} a second")
        self._say("expected: they wait in the store and go out as the windows allow, in any number of processes")
        time.sleep(2.0)

    def urgent(self) -> None:
        """Urgent calls arrive behind a long line"""
        ahead = self.stage.waiting(list(self._of(FLEET, "bulk")))
        urgent = self.stage.enqueue(load.reads(12, kind="URGENT", priority="urgent"))
        begun = time.monotonic()
        self.noted["urgent"] = {"jobs": urgent, "ahead": ahead, "asked_at": begun}
        self._say(f"{len(urgent)} urgent reads come behind {len(ahead)} that wait; expected: they go first")
        passed = self._becomes(lambda: self._all(urgent, "done"))
        took = f"done {time.monotonic() - begun:.1f} s later, {len(self.stage.waiting(ahead))} of the others still wait"
        self.expect("urgent calls overtook", passed, took)

    def foreign_user(self) -> None:
        """Somebody else uses our subscription"""
        self.sandbox.foreign(FLEET, rate=8, pattern="random")
        self._say("8 calls a second on fleet-1 are not ours; expected: the headers tell, and we leave them their share")
        windows = [self.stage.keys("window", f"{FLEET}|{name}") for name in ("calls.second", "calls.day")]
        self.expect("the limiter noticed them", self._becomes(lambda: any(map(self._foreign, windows))))
        time.sleep(2.0)

    def revoked_token(self) -> None:
        """The hub revokes our token, then gives us a new one"""
        self.sandbox.revoke(EMSP)
        self.stage.enqueue(load.authorizations(30, "LATER"))
        self._say("the token is refused from now on; expected: one hold, one alert, no job dies of it")
        self.expect("the account is on hold", self._becomes(lambda: self._held(HOLD)))
        impatient = self.stage.enqueue(load.authorizations(4, "BRIEF", deadline_s=1.2))
        unwanted = self.stage.enqueue(load.authorizations(3, "UNWANTED"))
        for job in unwanted:
            self.stage.scripts("cancel", {"id": job, "by": "demo", "reason": "not wanted any more"})
        self._say(f"{len(impatient)} calls with 1.2 s to live and {len(unwanted)} that are cancelled join the line")
        time.sleep(1.5)
        self.sandbox.stop_foreign(FLEET)
        begun = time.monotonic()
        self.sandbox.renew(EMSP, NEW_TOKEN)
        self.stage.write_token(NEW_TOKEN)
        self._say("the new token is written into the token's file; expected: no restart, one probe, then all goes on")
        free = self._becomes(lambda: not self._held(HOLD))
        self.expect("the account is free again", free, f"{time.monotonic() - begun:.1f} s after the file changed")
        too_late = self._becomes(lambda: self._all(impatient, "expired") and self._all(unwanted, "cancelled"))
        self.expect("what was too late or not wanted was never sent", too_late and not self._arrived(impatient))
        told = self.stage.text("alert", f"hold:{HOLD}", field="gen")
        died: Any = self.stage.client.zcard(self.stage.keys("dead_by", "class", "credential_refused"))
        self.expect("one alert told it, and no job died of it", (told, died) == ("1", 0))

    def no_answer(self) -> None:
        """A command is never answered"""
        self._hung = self._new_id()
        self.sandbox.fault("hang", {"job": self._hung}, times=1)
        self.stage.enqueue([self._start(self._hung)])
        self._say("START_SESSION hangs at the hub; expected: it is not sent again, but ends `outcome_unknown`, alerted")
        self.stage.wait(lambda: self.sandbox.count(job=self._hung) > 0, PATIENCE_S, "the command has arrived")

    def poison(self) -> None:
        """Poison: calls that cannot succeed, torn answers, a garbled message"""
        self.sandbox.fault("invalid_json", {"path": "/vehicles/SPOILT-"})
        bad = load.reads(6, kind="CONSENT", priority="normal") + load.reads(5, kind="BADID", priority="normal")
        self._spoilt = self.stage.enqueue(load.reads(4, kind="SPOILT", priority="normal"))
        ids = [*self.stage.enqueue(bad), *self._spoilt, self._garbled()]
        self._say("6 cars need a new consent, 5 have a bad id, 4 answers are torn, 1 message is garbled;")
        self._say("expected: dead letters with evidence, 4 problems, and no worker falls over any of it")
        dead = self._becomes(lambda: self._all(ids, "dead"))
        problems = {self.stage.text("job", job, field="fp") for job in ids}
        self.expect(f"{len(ids)} dead letters in {len(problems)} problems", dead and len(problems) == 4)

    def outage(self) -> None:
        """Stellantis is down for three seconds"""
        self.stage.enqueue(load.reads(40, OTHER_FLEET))
        before = self.sandbox.count(status=503)
        self.sandbox.outage("stellantis", seconds=OUTAGE_S, mode="503")
        self._say("every call is answered with 503; expected: reads are tried again later, none is lost")
        time.sleep(OUTAGE_S)
        refused = self.sandbox.count(status=503) - before
        self.expect("calls ran into the outage and wait for their next attempt", refused > 0, f"{refused}")
        dead = self._becomes(lambda: self._all([self._hung], "dead"))
        unknown = dead and self.stage.text("job", self._hung, field="err") == "outcome_unknown"
        self.expect("the command that hung ended `outcome_unknown`", unknown and self._arrived([self._hung]) == 1)

    def late_answer(self) -> None:
        """A worker freezes while a remote action is on its way"""
        job = self._new_id()
        self.sandbox.fault("delay", {"job": job}, times=1, delay_s=LONG_S)
        self.stage.enqueue([load.remote("VEH", 7, job)])
        process, child = self._caught(job)
        os.kill(child, signal.SIGSTOP)
        process.state = "frozen"
        self._say(f"{process.name} freezes before the answer comes; expected: its claim lapses, the outcome is unknown")
        unknown = self._becomes(lambda: self._all([job], "dead"))
        self.expect("nobody sent the action again", unknown and self._arrived([job]) == 1)
        os.kill(child, signal.SIGCONT)
        process.state = "running"
        self._say(f"{process.name} wakes up and finds the answer; expected: the truth settles the job, however late")
        self.expect("the late answer settled its job", self._becomes(lambda: self._all([job], "done")))

    def killed_worker(self) -> None:
        """A worker is killed in the middle of its calls"""
        fault = self.sandbox.fault("delay", {"path": "/vehicles/SLOW-"}, delay_s=LONG_S)
        slow = self.stage.enqueue(load.slow_reads())
        self._becomes(lambda: "waiting" not in self.stage.states(slow))
        job, process, child = self._stopped_with_a_remote_action()
        os.kill(child, signal.SIGKILL)
        process.state = "killed"
        self.sandbox.clear_faults(fault)
        self._say(
            f"{process.name} gets kill -9 with calls in hand; expected: reads go again, the remote action does not"
        )
        code = process.await_end(PATIENCE_S)
        process.restart()
        self._say(f"its master left with code {code}; the supervisor started the Procfile's line again")
        answered = self._becomes(lambda: self._all(slow, "done"))
        again = f"{self._arrived(slow) - len(slow)} of {len(slow)} had to be sent a second time"
        self.expect("every read was answered in the end", answered, again)
        lost = self._becomes(lambda: self._all([job], "dead")) and self.stage.text("job", job, field="err")
        once = self._arrived([job]) == 1
        self.expect("the remote action says that its outcome is unknown", lost == "outcome_unknown" and once)

    def redrive(self) -> None:
        """The cause is mended, the dead letters are sent again"""
        self.sandbox.clear_faults()
        alert = f"problem:{self.stage.text('job', self._spoilt[0], field='fp')}"
        said = [self._redrive(job) for job in self._spoilt]
        self._say(f"the {len(said)} torn answers go through their lane again; expected: done, and their alert resolves")
        self.expect("all of them are done", self._becomes(lambda: self._all(self._spoilt, "done")))
        self.expect("their alert is resolved", self.stage.text("alert", alert, field="state") == "resolved")
        refused = self._redrive(self._hung) == "unknown"
        self.expect("the command that hung is not sent again unless a person insists", refused)

    def curtain(self) -> None:
        """What is left is done"""
        self._say("expected: no job waits or runs any more, and no command awaits its result")
        self.expect("the store is quiet", self._becomes(self._is_quiet))
        commands = [job for job, one in self.stage.jobs.items() if load.is_command(one.operation)]
        accepted = [job for job, state in zip(commands, self.stage.states(commands), strict=True) if state == "done"]
        heard = [job for job in accepted if self.stage.text("job", job, field="heard")]
        figure = f"{len(heard)} of {len(accepted)}"
        self.expect("each accepted command was settled by its result, at our door", heard == accepted != [], figure)
        self.expect("every alert has been handed over", self._becomes(lambda: self.stage.outbox() == 0))

    # -- what the acts share -------------------------------------------------------------------------------------------

    def _becomes(self, true: Callable[[], bool]) -> bool:
        return self.stage.becomes(true, PATIENCE_S)

    def _all(self, jobs: list[str], state: str) -> bool:
        return set(self.stage.states(jobs)) == {state}

    def _of(self, account: str, priority: str | None = None) -> list[str]:
        jobs = self.stage.jobs.items()
        return [job for job, one in jobs if one.account == account and priority in (None, one.priority)]

    def _arrived(self, jobs: list[str]) -> int:
        return sum(self.sandbox.count(job=job) for job in jobs)

    def _foreign(self, window: str) -> bool:
        told: Any = self.stage.client.hget(window, "fgn")
        return float(told or 0) > 0

    def _held(self, scope: str) -> bool:
        return bool(self.stage.client.hexists(self.stage.keys("holds"), scope))

    def _new_id(self) -> str:
        return envelope.new_job_id(self.stage.settings.partition)

    def _start(self, job: str) -> Wanted:
        """A command whose result will not come either."""
        return load.call(load.START, EMSP, body={"location_id": "DROP-1"}, job_id_=job)

    def _garbled(self) -> str:
        """A job whose message is overwritten while its lane is held, so that no worker has it in hand."""
        lane = {"scope": f"lane:{OTHER_FLEET}|{load.STATUS}", "by": "demo", "reason": "to garble a message"}
        self.stage.scripts("hold", lane)
        (job,) = self.stage.enqueue(load.reads(1, OTHER_FLEET))
        self.stage.client.set(self.stage.keys("message", job), b"\x00not a message\xff")
        self.stage.scripts("release", lane)
        return job

    def _caught(self, job: str) -> tuple[Process, int]:
        """Who has this job in hand, once its call has arrived at the other side."""
        self.stage.wait(lambda: self.sandbox.count(job=job) > 0, PATIENCE_S, f"the call of job {job} has arrived")
        holder = self.stage.holder(job)
        if holder is None:
            raise RuntimeError(f"job {job} was answered before its worker could be caught")
        return holder

    def _stopped_with_a_remote_action(self) -> tuple[str, Process, int]:
        """A worker that stands still with a remote action on its way, and with no alert it has told but not ticked off.

        A worker that is killed between the two leaves the alert to another one, which tells it again: at least once is
        the promise, and the claim counted here is stricter.
        """
        for number in range(TRIES):
            job = self._new_id()
            self.stage.enqueue([load.remote("SLOW", 90 + number, job)])
            process, child = self._caught(job)
            os.kill(child, signal.SIGSTOP)
            if self.stage.becomes(lambda: self.stage.outbox() == 0, 1.0):
                return job, process, child
            os.kill(child, signal.SIGCONT)
        raise RuntimeError(f"there was an alert to hand over {TRIES} times in a row")

    def _redrive(self, job: str) -> str:
        said: bytes = self.stage.scripts("redrive", {"id": job, "by": "demo", "reason": "the cause is mended"})
        return said.decode()

    def _is_quiet(self) -> bool:
        counts = {name: int(count) for name, count in self.stage.hash("counts").items()}
        return counts["accepted"] == sum(counts.get(end, 0) for end in ("done", "dead", "cancelled", "expired"))
