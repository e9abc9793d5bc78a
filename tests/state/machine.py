"""Any order of anything: a state machine that drives the real decisions on a real server and compares them with a
small model after every step, while a simulated remote side counts arrivals in exact windows.

Time is the machine's own: `true_us` moves for everybody alike; the server's clock differs from it by the steps that it
has made. A call is under way from `send`: when it will arrive is drawn there and then, for the remote side's headers to
be exact, and nothing ends it sooner than its arrival allows.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar

import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.conservation import Picture, problems_of
from tests.integration.desk import (
    ANSWERED,
    BULK,
    CAR,
    LEASE_S,
    NORMAL,
    READ,
    REFUND,
    START,
    START_US,
    TRANSIT_S,
    URGENT,
    Desk,
    Slip,
    account,
    micros,
)  # fmt: skip
from tests.integration.meter import Remote
from tests.state.book import OPEN, UNKNOWN, Book, Job
from tests.state.sight import differences, orphans

OTHER, TOKENS, CHECK = "stellantis:fleet-2", "car.list", "car.check"
ACCOUNTS = (CAR, OTHER)
BUDGETS = {READ: "calls", START: "calls", TOKENS: "calls", CHECK: "control"}
WINDOWS = (
    {"minute": (12, 6.0), "second": (5, 1.0), "own": (3, 6.0)},
    {"minute": (15, 60.0), "second": (5, 1.0), "own": (4, 60.0)},
)
WHOLE_EVERY = 8
MOST_OPEN, MOST_HOLDS = 30, 2
UNANSWERED_US = micros(TRANSIT_S)
FIRST = "the first settings"
CONTROL = "control"
LATE = {"class": UNKNOWN, "code": "command_timeout", "message": "its result never came", "alert": True}
FAILED = {"done": False, "why": {"class": "command_failed", "code": "FAILED", "message": "no", "alert": False}}
TROUBLE = {"base": micros(1), "jitter": 1, "facts": "{}"}
CREDENTIAL = {"cause": "credential", "by": "paceline", "every": micros(20)}
picks = st.integers(0, 10**6)
turns = st.lists(st.sampled_from(["answer", "answer", "time out", "fail", "refuse", "stay"]), min_size=1, max_size=4)


def a_turn(name: str) -> Any:
    """The same rule by another name: Hypothesis leaves out some of the rules in each example, and this one is what
    everything else needs.
    """

    def turn(self: "AnyOrder", pick: int, want: int, ends: list[str]) -> None:
        self.turn(self.party(pick), want, ends)

    turn.__name__ = turn.__qualname__ = name
    return rule(pick=picks, want=st.integers(1, 6), ends=turns)(turn)


@dataclass(slots=True)
class Claim:
    """One job in a worker's hand. `arrives_us` is in the world's time, once it is being sent."""

    slip: Slip
    worker: str
    facts: dict[str, Any]
    asked_us: int
    until_us: int
    arrives_us: int | None = None
    door: str = ""

    @property
    def taken_us(self) -> int:
        return int(self.slip.facts["taken"])


@dataclass(slots=True)
class Check:
    """A permit in an operator's hand: a call that is no job."""

    lease: str
    acct: str
    until_us: int
    arrives_us: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings that a deploy may bring: the same windows with as many or fewer permits, as long or longer; caps."""

    windows: dict[str, tuple[int, float]]
    lane_cap: int = 5
    caps: dict[str, int] = field(default_factory=dict)

    def cap(self, op: str) -> int:
        return self.caps.get(op, self.lane_cap)


@dataclass(slots=True)
class Party:
    """A worker process. `digest` names the settings it carries."""

    name: str
    threads: int
    digest: str = FIRST
    clock: tuple[int, int] | None = None
    pending: str | None = None  # nonce of a take whose reply was lost
    hand: dict[str, Claim] = field(default_factory=dict)


class AnyOrder(RuleBasedStateMachine):
    """`client` is set by the test that runs it."""

    client: ClassVar["redis.Redis[bytes]"]
    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.desk = Desk(self.client)
        self.desk.scripts.clock_us = self.tick
        self.true_us = START_US
        self.raw_step_us = 0  # of the server's own clock
        self.offset_us = 0  # of the store's logical time
        self.run = 1
        self.losses = self.most_losses = 0
        self.stepped = False  # the server's clock has gone forward, and nobody has noticed
        self.book = Book()
        self.kept: tuple[dict[bytes, tuple[Any, int]], Book] | None = None
        self.checks: list[Check] = []
        self.versions: dict[str, Rules] = {}
        self.parties = {name: Party(name, threads) for name, threads in (("w1", 6), ("w2", 3))}
        self.judged = 0
        self.done_steps = 0

    # -- the world ----------------------------------------------------------------

    def tick(self) -> int:
        self.true_us += 1
        return self.true_us + self.raw_step_us

    def now(self) -> int:
        """The store's time, a little ago."""
        return self.true_us + self.offset_us

    def heard_now(self, now_us: int) -> None:
        self.offset_us = now_us - self.true_us

    @initialize(
        windows=st.sampled_from(WINDOWS),
        headers=st.booleans(),
        mode=st.sampled_from(["probe", "wait"]),
        losses=st.sampled_from([0, 0, 1, 2, 4]),
    )
    def open(self, windows: dict[str, tuple[int, float]], headers: bool, mode: str, losses: int) -> None:
        self.windows, self.headers, self.mode, self.most_losses = windows, headers, mode, losses
        self.versions[FIRST] = Rules(windows)
        self.remotes = {
            (acct, name): Remote([(allowed, micros(seconds))])
            for acct in ACCOUNTS
            for name, (allowed, seconds) in windows.items()
        }
        for party in self.parties.values():
            self.hire(party)
            self.take_for(party, 1, mode="fresh")

    def hire(self, party: Party) -> str:
        rules = self.versions[party.digest]
        both = account("calls=minute,second", "control=own,minute,second", windows=rules.windows, headers=self.headers)
        numbers = {"brake_count": 8, "brake_window": micros(60), "lane_cap": rules.lane_cap}
        accounts = dict.fromkeys(ACCOUNTS, both)
        return self.desk.hire(party.name, party.threads, accounts, numbers, rules.caps, party.digest)

    def in_force(self) -> Rules:
        """The settings in force, by the store's own word."""
        digest = self.client.hget(self.desk.keys("conf"), "digest")
        return self.versions[digest.decode() if digest else FIRST]

    def party(self, pick: int) -> Party:
        return list(self.parties.values())[pick % len(self.parties)]

    def hand(self, sent: bool | None = None, op: str | None = None) -> list[tuple[Party, Claim]]:
        return [
            (party, claim)
            for party in self.parties.values()
            for claim in party.hand.values()
            if (sent is None or (claim.arrives_us is not None) == sent) and (op is None or claim.facts["op"] == op)
        ]

    def one(self, pick: int, **which: Any) -> tuple[Party, Claim]:
        found = self.hand(**which)
        return found[pick % len(found)]

    def job(self, pick: int, *states: str) -> Job:
        found = self.book.having(*states)
        return found[pick % len(found)]

    # -- jobs come ----------------------------------------------------------------

    @precondition(lambda self: len(self.book.having(*OPEN)) < MOST_OPEN)
    @rule(
        n=st.integers(1, 4),
        op=st.sampled_from(list(BUDGETS)),
        acct=st.sampled_from([CAR, CAR, OTHER]),
        prio=st.sampled_from([URGENT, NORMAL, BULK]),
        seconds=st.sampled_from([4, 60, 3600]),
        key=st.sampled_from(["", "", "k1", "k2"]),
        sha=st.sampled_from("ab"),
    )
    def enqueue(self, n: int, op: str, acct: str, prio: int, seconds: int, key: str, sha: str) -> None:
        self.enqueue_jobs(n, op, acct, prio, seconds, key, sha)

    def enqueue_jobs(self, n: int, op: str, acct: str, prio: int, seconds: int, key: str = "", sha: str = "") -> None:
        more = {"key": key, "psha": sha} if key else {}
        jobs = [
            self.desk.job(op=op, acct=acct, budget=BUDGETS[op], prio=prio, dl=micros(seconds), **more,
                          rep=0 if op == START else 1)
            for _ in range(n)
        ]  # fmt: skip
        told = self.desk.put_jobs(jobs)
        for job, (status, job_id) in zip(jobs, told, strict=True):
            owner = self.book.keys.get(key) if key else None
            if owner is None:
                assert (status, job_id) == ("accepted", job["id"])
                self.accept(job)
            else:
                same = self.book.jobs[owner].facts["psha"] == sha
                assert (status, job_id) == ("duplicate" if same else "conflict", owner)

    def accept(self, facts: dict[str, Any]) -> Job:
        job = Job(facts["id"], facts, self.now() + facts["dl"])
        self.book.jobs[job.id] = job
        if facts.get("key"):
            self.book.keys[facts["key"]] = job.id
        return job

    # -- jobs go ----------------------------------------------------------------

    @rule(pick=picks, want=st.integers(1, 6), keep=st.integers(0, 1))
    def take(self, pick: int, want: int, keep: int) -> None:
        self.take_for(self.party(pick), want, keep=keep)

    @rule(pick=picks)
    def take_all(self, pick: int) -> None:
        self.take_for(self.party(pick), 6)

    @rule(pick=picks)
    def take_without_hearing_the_reply(self, pick: int) -> None:
        self.take_for(self.party(pick), 3, heard=False)

    def take_for(self, party: Party, want: int, keep: int = 0, mode: str = "", heard: bool = True) -> list[Slip]:
        asked_us = self.true_us
        self.desk._made += 1
        nonce = party.pending or f"{party.name}n{self.desk._made}"
        facts: dict[str, Any] = {"mode": mode or self.mode, "run": f"run-{self.run}", "keep": keep}
        if party.clock:
            facts["expect"] = party.clock[0] + asked_us - party.clock[1]
        first = self.in_front()
        dealt = self.desk.take(min(want, party.threads), party.name, nonce, **facts)
        self.heard_now(dealt.now_us)
        self.steps[f"take: {dealt.verdict}"] += 1
        self.steps["handed out"] += len(dealt.slips)
        party.pending = None if heard else nonce
        if dealt.verdict == "configure":
            self.hire(party)
            return []
        if dealt.verdict == "clock":
            self.desk.decide("suspect", {"cause": "clock", "lease_us": micros(LEASE_S), "mode": self.mode})
            self.stepped = False
        party.clock = (dealt.now_us, asked_us)
        if dealt.verdict == "clock":
            return []
        made = self.book.nonces.get(party.name)
        if made and made[0] == nonce:
            living = sorted(lease for lease in made[1] if self.lives(lease))
            assert sorted(slip.lease for slip in dealt.slips) == living, "a lost reply has stranded a claim"
            self.steps["asked again"] += 1
        elif dealt.verdict != "quiet":
            before = {job.id: job.state for job in self.book.jobs.values()}
            self.time_has_come(dealt.now_us)
            for slip in dealt.slips:
                job = self.book.jobs[slip.id]
                assert job.state == "waiting", f"{job.id} was handed out, and is {job.state}"
                self.assert_open(slip)
                job.take(slip.lease, dealt.now_us)
            if dealt.slips:
                self.book.nonces[party.name] = (nonce, [slip.lease for slip in dealt.slips])
            self.judge_order(dealt.slips, first, before)
            self.judge_caps(dealt.slips)
        for slip in dealt.slips:
            job = self.book.jobs[slip.id]
            job.until_us = dealt.now_us + micros(LEASE_S)
            if heard:
                party.hand[slip.lease] = Claim(slip, party.name, job.facts, asked_us, self.true_us + micros(LEASE_S))
        if dealt.slips and party.pending is None and not (made and made[0] == nonce):
            self.judge_limits({(slip.facts["account"], slip.group.rpartition("|")[2]) for slip in dealt.slips})
        return dealt.slips if heard else []

    def lives(self, lease: str) -> bool:
        return any(job.lease == lease for job in self.book.having("running"))

    def time_has_come(self, now_us: int) -> None:
        """What a take does before it hands out: claims that have lapsed, jobs that are overdue."""
        there = {lease.decode() for lease in self.client.zrange(self.desk.keys("leases"), 0, -1)}
        for job in self.book.having("running"):
            seen = self.desk.read(job.id)
            if seen.get("lease") != job.lease or job.lease not in there:
                assert job.until_us <= now_us, f"the claim on {job.id} was taken back too early"
                job.reclaim(now_us)
        for job in self.book.having("waiting"):
            if job.dl_us <= now_us:
                job.overdue(now_us)

    def assert_open(self, slip: Slip) -> None:
        facts = slip.facts
        stops = {f"account:{facts['account']}", f"budget:{slip.group}", f"lane:{facts['account']}|{facts['operation']}"}
        assert not stops & self.book.held, f"{slip.id} was handed out of {stops & self.book.held}"

    def in_front(self) -> dict[str, Any]:
        """What a take is judged by: places, times and stops, as they are before it."""
        holds = set(self.desk.hash("holds"))
        flying = {lane: int(n) for lane, n in self.desk.hash("flying").items()}
        holds |= {f"lane:{lane}" for lane in self.desk.hash("trouble")}
        due = {job.id: int(self.desk.read(job.id).get("due", 0)) for job in self.book.having("waiting")}
        # a budget that waits for an answer looks again when one has come
        blocked = {gate for acct in ACCOUNTS for gate, at in self.desk.hash("gates", acct).items() if at == "-1"}
        return {"holds": holds, "flying": flying, "due": due, "blocked": blocked, "rules": self.in_force()}

    def judge_order(self, slips: list[Slip], first: dict[str, Any], before: dict[str, str]) -> None:
        """Of one budget nothing urgent stays while something less urgent goes, unless it may not go."""
        given = Counter(f"{slip.facts['account']}|{slip.facts['operation']}" for slip in slips)
        for job in self.book.having("waiting"):
            group = f"{job.facts['acct']}|{job.facts['budget']}"
            stops = {f"account:{job.facts['acct']}", f"budget:{group}", f"lane:{job.lane}"}
            full = first["flying"].get(job.lane, 0) + given[job.lane] >= first["rules"].cap(job.facts["op"])
            stays = before[job.id] != "waiting" or first["due"].get(job.id, 1) > self.now() - 1000
            stays = stays or f"{group}|{job.facts['prio']}" in first["blocked"]
            if not (stops & first["holds"] or full or stays):
                worse = [
                    slip.id for slip in slips if slip.group == group and slip.facts["priority"] > job.facts["prio"]
                ]
                assert not worse, f"{worse} went before {job.id}"

    def judge_caps(self, slips: list[Slip]) -> None:
        """Of no lane from which something was handed out are more in flight than its cap allows."""
        rules, flying = self.in_force(), self.desk.hash("flying")
        for op, lane in {
            (slip.facts["operation"], f"{slip.facts['account']}|{slip.facts['operation']}") for slip in slips
        }:
            assert int(flying[lane]) <= rules.cap(op), f"{flying[lane]} of lane {lane} are in flight"

    def judge_limits(self, used: set[tuple[str, str]]) -> None:
        """Where permits were just handed out, all that are out and all that have arrived are within the limits in
        force now, which a deploy may have lowered a moment ago.
        """
        rules = self.in_force()
        for acct, budget in used:
            for name, (_, seconds) in self.windows.items():
                if name == "own" and budget != CONTROL:
                    continue
                out = [
                    claim
                    for _, claim in self.hand(sent=False)
                    if claim.facts["acct"] == acct and not self.too_late(claim)
                ]
                mine = [claim for claim in out if name != "own" or claim.facts["budget"] == CONTROL]
                idle = [
                    check
                    for check in self.checks
                    if check.acct == acct and check.arrives_us is None and self.true_us < check.until_us
                ]
                since = self.true_us - micros(seconds)
                arrived = sum(at > since for at in self.remotes[acct, name].arrived)
                allowed = rules.windows[name][0] + (self.losses if self.headers and self.mode == "probe" else 0)
                count = len(mine) + len(idle) + arrived
                assert count <= allowed, f"{count} permits of {name} of {acct} are out, where {allowed} may be"

    turn_by_turn = a_turn("turn_by_turn")
    turn_and_turn = a_turn("turn_and_turn")
    turn_about = a_turn("turn_about")
    turn_again = a_turn("turn_again")
    turn_once_more = a_turn("turn_once_more")
    turn_at_last = a_turn("turn_at_last")

    def turn(self, party: Party, want: int, ends: list[str]) -> None:
        """Ordinary work: some jobs come, some are taken and sent, some are answered."""
        if len(self.book.having("waiting")) < 4:
            for op, prio in ((READ, BULK), (START, NORMAL), (TOKENS, NORMAL), (CHECK, URGENT)):
                acct = OTHER if self.done_steps % 3 == 0 else CAR
                self.enqueue_jobs(1 + want % 2, op, acct, prio, 3600)
        for slip in self.take_for(party, want):
            claim = party.hand[slip.lease]
            end = ends[len(party.hand) % len(ends)]
            if end == "stay" or not self.send_one(party, claim, 1000 * want):
                continue
            if end == "answer":
                self.answer_one(party, claim)
            elif end == "time out":
                self.time_out_one(party, claim)
            elif end == "fail":
                self.fail_one(party, claim)
            else:
                self.refuse_one(party, claim, 0.5)
        self.pass_time(micros(0.2))

    # -- calls ----------------------------------------------------------------

    @precondition(lambda self: self.hand(sent=False))
    @rule(took=st.sampled_from([0, 300_000]))
    def send_all(self, took: int) -> None:
        for party, claim in self.hand(sent=False):
            self.send_one(party, claim, took)

    @precondition(lambda self: self.hand(sent=False))
    @rule(pick=picks, took=st.sampled_from([0, 0, 0, 1_000, 300_000, 2_000_000, 4_900_000, 18_000_000]))
    def send(self, pick: int, took: int) -> None:
        self.send_one(*self.one(pick, sent=False), took)

    def send_one(self, party: Party, claim: Claim, took: int) -> bool:
        if self.too_late(claim) or (claim.facts["op"] == START and not self.fence(claim)):
            self.tell(party, claim, "park", REFUND)
            return False
        claim.arrives_us = self.true_us + min(took, claim.until_us + UNANSWERED_US - 1 - self.true_us)
        acct = claim.facts["acct"]
        for name in self.windows:
            if name != "own" or claim.facts["budget"] == CONTROL:
                self.remotes[acct, name].arrived.append(claim.arrives_us)
        return True

    def too_late(self, claim: Claim) -> bool:
        return self.true_us > claim.asked_us + micros(0.9 * LEASE_S)

    def fence(self, claim: Claim) -> bool:
        job = self.book.jobs.get(claim.slip.id)
        mine = job is not None and job.state == "running" and job.lease == claim.slip.lease
        claim.door = f"door of {claim.slip.lease}"
        facts = {"id": claim.slip.id, "lease": claim.slip.lease, "door": claim.door}
        assert bool(self.desk.decide("sending", facts)) == mine
        if mine and job is not None:
            job.sending, job.door, job.heard, job.verdict = True, claim.door, "", None
        return mine

    def arrived(self, claim: Claim, early_us: int = 0) -> None:
        """Time passes until the call can have arrived."""
        assert claim.arrives_us is not None
        if self.true_us < claim.arrives_us - early_us:
            self.pass_time(claim.arrives_us - early_us - self.true_us)

    @precondition(lambda self: self.hand(sent=True))
    @rule()
    def answer_all(self) -> None:
        for party, claim in self.hand(sent=True):
            self.answer_one(party, claim)

    @precondition(lambda self: self.hand(sent=True))
    @rule(pick=picks, body=st.sampled_from([0, 0, 50_000]), pages=st.integers(0, 4))
    def answer(self, pick: int, body: int, pages: int) -> None:
        self.answer_one(*self.one(pick, sent=True), body, pages)

    def answer_one(self, party: Party, claim: Claim, body: int = 0, pages: int = 3) -> None:
        self.arrived(claim)
        self.true_us += body
        more: dict[str, Any] = {}
        if self.headers:
            more["told"] = self.told(claim)
        if claim.facts["op"] == START:
            more["awaits"] = micros(30)
        if claim.facts["op"] == TOKENS and claim.facts["page"] < pages:
            more["successors"] = [self.next_page(claim)]
        self.tell(party, claim, "finish", {"mode": "answered", "age": body}, **more)

    def next_page(self, claim: Claim) -> dict[str, Any]:
        page = claim.facts["page"] + 1
        chain = claim.facts["chain"]
        facts = {name: value for name, value in claim.facts.items() if name not in ("key", "psha")}
        return facts | {"id": f"{chain}.p{page}", "page": page}

    def told(self, claim: Claim) -> dict[str, dict[str, int]]:
        assert claim.arrives_us is not None
        found = self.told_at(claim.facts["acct"], claim.arrives_us)
        return {name: said for name, said in found.items() if name != "own" or claim.facts["budget"] == CONTROL}

    def told_at(self, acct: str, at: int) -> dict[str, dict[str, int]]:
        """What the remote side says of its windows in its answer to the call that arrived then."""
        found = {}
        for name, (allowed, seconds) in self.windows.items():
            used = sum(at - micros(seconds) < arrived <= at for arrived in self.remotes[acct, name].arrived)
            found[name] = {"limit": allowed, "remaining": max(0, allowed - used)}
        return found

    @precondition(lambda self: self.hand(sent=True))
    @rule(pick=picks, after=st.sampled_from([None, 0.5, 2.0, 10_000.0]))
    def refuse(self, pick: int, after: float | None) -> None:
        self.refuse_one(*self.one(pick, sent=True), after)

    def refuse_one(self, party: Party, claim: Claim, after: float | None) -> None:
        self.arrived(claim)
        close: dict[str, Any] = {"jitter": 1, "base": micros(1), "cap": micros(300), "reason": "429", "facts": "{}"}
        if after is not None:
            close["after"] = micros(after)
        close["every"] = micros(20)
        self.tell(party, claim, "park", ANSWERED, close=close, wait=0, attempt=0)

    @precondition(lambda self: self.hand(sent=True) and len(self.desk.hash("holds")) < MOST_HOLDS)
    @rule(pick=picks)
    def turn_away(self, pick: int) -> None:
        party, claim = self.one(pick, sent=True)
        self.arrived(claim)
        scope = f"account:{claim.facts['acct']}"
        hold = {"scope": scope, "hold": CREDENTIAL, "facts": "{}"}
        self.tell(party, claim, "park", ANSWERED, hold=hold, refused=True, wait=0, attempt=0)

    @precondition(lambda self: self.hand(sent=True))
    @rule(pick=picks)
    def time_out(self, pick: int) -> None:
        self.time_out_one(*self.one(pick, sent=True))

    def time_out_one(self, party: Party, claim: Claim) -> None:
        self.arrived(claim, early_us=UNANSWERED_US - 1000)
        settle = {"mode": "unanswered", "more": UNANSWERED_US}
        if claim.facts["rep"]:
            self.tell(party, claim, "park", settle, wait=micros(2), attempt=1, code="", trouble=TROUBLE,
                      **{"class": "timeout"})  # fmt: skip
        else:
            self.tell(party, claim, "bury", settle, why=LATE)

    @precondition(lambda self: self.hand(sent=True))
    @rule(pick=picks)
    def fail(self, pick: int) -> None:
        self.fail_one(*self.one(pick, sent=True))

    def fail_one(self, party: Party, claim: Claim) -> None:
        self.arrived(claim)
        why = {"class": "malformed", "code": "2001", "message": "no", "alert": True}
        self.tell(party, claim, "bury", ANSWERED, why=why)

    @precondition(lambda self: self.hand(sent=False))
    @rule(pick=picks, wait=st.sampled_from([0.0, 3.0, 30.0]))
    def give_back(self, pick: int, wait: float) -> None:
        party, claim = self.one(pick, sent=False)
        self.tell(party, claim, "park", REFUND, wait=micros(wait), attempt=0)

    # -- how a claim ends ----------------------------------------------------------------

    def tell(self, party: Party, claim: Claim, decision: str, settle: Any, **facts: Any) -> None:
        """As a worker does, and once more, as if the reply had been lost."""
        if self.say(claim, decision, settle, facts) in ("missing", "forgotten"):
            self.hire(party)
            self.remind(claim)
            self.say(claim, decision, settle, facts)
        party.hand.pop(claim.slip.lease, None)
        if self.done_steps % 3 == 0:
            self.say(claim, decision, settle, facts)

    def say(self, claim: Claim, decision: str, settle: Any, facts: dict[str, Any]) -> str:
        job = self.book.jobs.get(claim.slip.id)
        lease = claim.slip.lease
        status = job.status_of(lease, claim.taken_us) if job else "missing"
        blobs = ['{"event":"tried"}', "{}" if decision == "finish" else ""]
        blobs += [f"message of {one['id']}" for one in facts.get("successors", ())]
        asked = {"id": claim.slip.id, "lease": lease, "group": claim.slip.group, "settle": dict(settle)}
        reply = self.desk.scripts(decision, asked | {"taken": claim.taken_us} | facts, *blobs).decode()
        self.steps[f"{decision}: {reply}"] += 1
        assert reply == status, f"{decision} of {claim.slip.id} by {lease}: {reply}, not {status}"
        if job and status in ("own", "waiting", "truth"):
            job.open_again(lease)
            {"finish": self.finished, "park": self.parked, "bury": self.buried}[decision](job, facts)
        return status

    def finished(self, job: Job, facts: dict[str, Any]) -> None:
        job.sending, job.err, job.crashes = False, "", 0
        if "awaits" not in facts:
            job.end("done", self.now())
        elif job.verdict:
            job.settle(job.verdict, self.now())
        else:
            job.state, job.lease = "awaiting", ""
        for successor in facts.get("successors", ()):
            if successor["id"] not in self.book.jobs:
                self.accept(successor)

    def parked(self, job: Job, facts: dict[str, Any]) -> None:
        if facts.get("attempt"):
            job.attempts += 1
            job.crashes = 0
        job.err = facts.get("class", job.err)
        job.wait()

    def buried(self, job: Job, facts: dict[str, Any]) -> None:
        job.attempts += 1
        job.sending = False
        job.bury(facts["why"]["class"], self.now())

    def remind(self, claim: Claim) -> None:
        """The store has forgotten this claim: its worker says all it knows."""
        job = self.book.jobs.get(claim.slip.id)
        sent = claim.arrives_us is not None
        facts = {name: value for name, value in claim.facts.items() if name not in ("key", "psha")}
        answer = self.desk.remember(claim.slip, facts, sent=sent, worker=claim.worker)
        lost = job is not None and not (
            (job.state == "waiting" and job.acked != claim.slip.lease)
            or (job.state == "running" and claim.taken_us > job.leased_us)
        )
        assert answer == ("lost" if lost else "held"), f"{claim.slip.id}: {answer}"
        if not lost:
            job = job or self.accept(facts)
            job.sending = sent
            job.take(claim.slip.lease, self.now())
            job.leased_us = int(self.desk.read(job.id)["leased"])
            claim.until_us = self.true_us + micros(LEASE_S)

    # -- calls that are no jobs ----------------------------------------------------------------

    @precondition(lambda self: not self.stepped)
    @rule(acct=st.sampled_from(ACCOUNTS), took=st.sampled_from([None, 0, 300_000, 4_900_000]))
    def check(self, acct: str, took: int | None) -> None:
        """An operator's call begins; without `took` it is not sent yet."""
        self.desk._made += 1
        lease = f"permit.{self.desk._made}"
        facts = {"group": f"{acct}|{CONTROL}", "lease": lease, "worker": "operator", "lease_us": micros(LEASE_S),
                 "transit_us": micros(TRANSIT_S), "mode": self.mode, "run": f"run-{self.run}", "durable": False,
                 "quiet_us": micros(LEASE_S)}  # fmt: skip
        given, now_us, _ = self.desk.decide("permit", facts)
        self.heard_now(now_us)
        self.steps[f"permit: {given}"] += 1
        if not given:
            return
        made = Check(lease, acct, self.true_us + micros(LEASE_S))
        self.checks.append(made)
        self.judge_limits({(acct, CONTROL)})
        if took is not None:
            self.send_check(made, took)

    def send_check(self, check: Check, took: int) -> None:
        check.arrives_us = self.true_us + took
        for name in self.windows:
            self.remotes[check.acct, name].arrived.append(check.arrives_us)

    @precondition(lambda self: self.checks)
    @rule(pick=picks, answers=st.booleans())
    def end_check(self, pick: int, answers: bool) -> None:
        self.end_one_check(self.checks.pop(pick % len(self.checks)), answers)

    def end_one_check(self, check: Check, answers: bool = True) -> None:
        facts: dict[str, Any] = {"lease": check.lease}
        if check.arrives_us is None:
            facts["settle"] = REFUND
        elif answers:
            if self.true_us < check.arrives_us:
                self.pass_time(check.arrives_us - self.true_us)
            facts |= {"settle": ANSWERED} | (
                {"told": self.told_at(check.acct, check.arrives_us)} if self.headers else {}
            )
        else:
            if self.true_us < check.arrives_us - UNANSWERED_US:
                self.pass_time(check.arrives_us - UNANSWERED_US - self.true_us)
            facts["settle"] = {"mode": "unanswered", "more": UNANSWERED_US}
        there = bool(self.desk.decide("settle", facts))
        self.steps[f"settle: {there}"] += 1
        assert there or self.true_us >= check.until_us, "a permit lapsed before its time"

    @precondition(lambda self: self.checks)
    @rule(pick=picks, sends=st.booleans())
    def abandon_check(self, pick: int, sends: bool) -> None:
        """The operator's process is killed: its permit lapses."""
        check = self.checks.pop(pick % len(self.checks))
        if sends and check.arrives_us is None and self.true_us < check.until_us:
            self.send_check(check, 1000)

    # -- deploys ----------------------------------------------------------------

    @rule(
        pick=picks,
        less=st.sampled_from([1.0, 1.0, 0.7, 0.5]),
        longer=st.sampled_from([1.0, 1.0, 1.5]),
        lane_cap=st.sampled_from([5, 5, 2]),
        read_cap=st.sampled_from([None, None, 1]),
    )
    def deploy(self, pick: int, less: float, longer: float, lane_cap: int, read_cap: int | None) -> None:
        """A process of a new version: its settings hold at once, for everybody."""
        party = self.party(pick)
        windows = {
            name: (max(1, int(allowed * less)), seconds * longer) for name, (allowed, seconds) in self.windows.items()
        }
        party.digest = f"settings {len(self.versions)}"
        self.versions[party.digest] = Rules(windows, lane_cap, {READ: read_cap} if read_cap else {})
        assert self.hire(party) == "applied"
        assert self.in_force() is self.versions[party.digest]

    @rule(pick=picks, which=picks)
    def another_version(self, pick: int, which: int) -> None:
        """A process is replaced by one of a version that was there before: an older one changes nothing while
        somebody carries the settings in force.
        """
        party = self.party(pick)
        before = self.client.hget(self.desk.keys("conf"), "digest")
        party.digest = list(self.versions)[which % len(self.versions)]
        said = self.hire(party)
        self.steps[f"another version: {said}"] += 1
        after = self.client.hget(self.desk.keys("conf"), "digest")
        assert after == (before if said == "kept" else party.digest.encode())
        assert said == "applied" or before is not None

    # -- workers ----------------------------------------------------------------

    @rule(pick=picks)
    def renew(self, pick: int) -> None:
        self.renew_of(self.party(pick))

    def renew_of(self, party: Party) -> None:
        claims = list(party.hand.values())
        answers = self.desk.renew(*[claim.slip for claim in claims], worker=party.name, digest=party.digest)
        unknown = []
        for claim, answer in zip(claims, answers, strict=True):
            job = self.book.jobs.get(claim.slip.id)
            if job and job.state == "running" and job.lease == claim.slip.lease:
                assert answer == "held"
                job.until_us = self.now() + micros(LEASE_S)
                claim.until_us = self.true_us + micros(LEASE_S)
            else:
                known = job is not None and not (job.state == "waiting" and job.acked != claim.slip.lease)
                assert answer == ("lost" if known else "unknown"), f"{claim.slip.id}: {answer}"
                unknown += [] if known else [claim]
        if unknown:
            self.hire(party)
        for claim in unknown:
            self.remind(claim)

    @precondition(lambda self: self.hand())
    @rule(pick=picks)
    def crash(self, pick: int) -> None:
        party = self.party(pick)
        self.over(party)

    def over(self, party: Party) -> None:
        """Another process comes in its place. While a step of the clock waits to be noticed there is one that can: a
        process that has just begun has nothing to compare with.
        """
        party.hand.clear()
        party.pending = None
        if not self.stepped:
            party.clock = None

    @precondition(lambda self: self.hand())
    @rule(pick=picks)
    def leave(self, pick: int) -> None:
        party = self.party(pick)
        for claim in list(party.hand.values()):
            if claim.arrives_us is None:
                self.tell(party, claim, "park", REFUND, wait=0, attempt=0)
        if party.hand:
            return
        self.desk.decide("farewell", {"worker": party.name})
        self.book.nonces.pop(party.name, None)
        self.over(party)

    # -- people ----------------------------------------------------------------

    @precondition(lambda self: len(self.desk.hash("holds")) < MOST_HOLDS)
    @rule(kind=st.sampled_from(["account", "budget", "lane"]), acct=st.sampled_from([CAR, OTHER]), op=st.sampled_from(
        list(BUDGETS)))  # fmt: skip
    def hold(self, kind: str, acct: str, op: str) -> None:
        scope = {"account": f"account:{acct}", "budget": f"budget:{acct}|{BUDGETS[op]}", "lane": f"lane:{acct}|{op}"}
        known = scope[kind] in self.desk.hash("holds")
        assert self.desk.person("hold", scope=scope[kind]) == ("already" if known else "held")
        if not known:
            self.book.held.add(scope[kind])

    @precondition(lambda self: self.desk.hash("holds"))
    @rule(pick=picks)
    def release(self, pick: int) -> None:
        scopes = sorted(self.desk.hash("holds"))
        scope = scopes[pick % len(scopes)]
        assert self.desk.person("release", scope=scope) == "released"
        self.book.held.discard(scope)

    @precondition(lambda self: self.book.having(*OPEN))
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        job = self.job(pick, *OPEN)
        right = "cancelled" if job.state == "waiting" else job.state
        assert self.desk.person("cancel", id=job.id) == right
        if job.state == "waiting":
            job.end("cancelled", self.now())

    @precondition(lambda self: self.book.having("dead", "expired"))
    @rule(pick=picks, unknown=st.booleans(), prio=st.sampled_from([None, URGENT, BULK]))
    def redrive(self, pick: int, unknown: bool, prio: int | None) -> None:
        job = self.job(pick, "dead", "expired")
        right = "waiting"
        if job.discarded:
            right = "discarded"
        elif job.state == "dead" and job.err == UNKNOWN and not job.repeatable and not unknown:
            right = "unknown"
        more = {} if prio is None else {"prio": prio}
        assert self.desk.person("redrive", id=job.id, unknown=unknown, **more) == right
        if right == "waiting":
            job.open_again("")
            job.last = ""
            job.attempts = job.crashes = 0
            job.facts = job.facts | more
            job.dl_us = self.now() + job.facts["dl"]
            job.wait()

    @precondition(lambda self: self.book.having("dead"))
    @rule(pick=picks, undo=st.booleans())
    def discard(self, pick: int, undo: bool) -> None:
        job = self.job(pick, "dead")
        right = "already" if job.discarded != undo else ("restored" if undo else "discarded")
        assert self.desk.person("discard", id=job.id, undo=undo) == right
        job.discarded = not undo

    @rule(seconds=st.sampled_from([0.0, 60.0, 5000.0]))
    def sweep(self, seconds: float) -> None:
        self.desk.decide("sweep", {"dead_us": micros(seconds)})
        for job in self.book.having("expired"):
            if job.ended_us <= self.now() - micros(seconds):
                self.forget(job)  # its own time is shorter
        for job in self.book.having("dead"):
            if job.ended_us < self.now() - micros(seconds) - 1000:
                assert self.desk.state(job.id) == "gone"
            if self.desk.state(job.id) == "gone":
                self.forget(job)

    def forget(self, job: Job) -> None:
        """Its time, and that of its key, is over."""
        del self.book.jobs[job.id]
        for name in ("job", "message", "evidence", "result"):
            self.client.delete(self.desk.keys(name, job.id))
        if not any(other.facts["chain"] == job.facts["chain"] for other in self.book.jobs.values()):
            self.client.delete(self.desk.keys("chain", job.facts["chain"]))
        key = job.facts.get("key", "")
        if self.book.keys.get(key) == job.id:
            del self.book.keys[key]
            self.client.delete(self.desk.keys("idempotency", key))

    @precondition(lambda self: any(self.book.jobs[job].state not in OPEN for job in self.book.keys.values()))
    @rule(pick=picks)
    def a_key_has_had_its_time(self, pick: int) -> None:
        over = [key for key, job in self.book.keys.items() if self.book.jobs[job].state not in OPEN]
        key = over[pick % len(over)]
        assert self.client.ttl(self.desk.keys("idempotency", key)) > 0
        self.client.delete(self.desk.keys("idempotency", key))
        del self.book.keys[key]

    # -- results of commands ----------------------------------------------------------------

    @precondition(lambda self: [job for job in self.book.jobs.values() if job.door])
    @rule(pick=picks, verdict=st.sampled_from([{"done": True}, FAILED]), stranger=st.booleans())
    def report(self, pick: int, verdict: dict[str, Any], stranger: bool) -> None:
        asked = [job for job in self.book.jobs.values() if job.door]
        job = asked[pick % len(asked)]
        heard = json.dumps({"result": "ACCEPTED" if verdict["done"] else "FAILED"})
        facts = {"id": job.id, "door": "guess" if stranger else job.door, "heard": heard, "verdict": verdict}
        reply = self.desk.scripts("answer", facts, '{"event":"command_result"}').decode()
        self.steps[f"report: {reply}"] += 1
        assert reply == self.reported(job, heard, verdict, stranger)

    def reported(self, job: Job, heard: str, verdict: dict[str, Any], stranger: bool) -> str:
        unknown = job.state == "dead" and job.err == UNKNOWN
        if stranger:
            return "stranger"
        if job.heard == heard:
            return "already"
        if job.heard and not unknown:
            return "noted"
        job.heard = heard
        if job.state == "running":
            job.verdict = verdict
            return "early"
        if job.state == "awaiting" or unknown or (job.state == "waiting" and verdict["done"]):
            job.discarded = False
            job.settle(verdict, self.now())
            return "settled"
        return "noted"

    @precondition(lambda self: self.book.having("awaiting"))
    @rule(patient=st.booleans())
    def nobody_reports(self, patient: bool) -> None:
        if patient:
            self.pass_time(micros(31))
        self.desk.decide("unheard", {"why": LATE})
        for job in self.book.having("awaiting"):
            if self.desk.state(job.id) == "dead":
                job.bury(UNKNOWN, self.now())
            else:
                assert not patient

    # -- time, and what happens to the store ----------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.3, 1.0, 2.0, 5.0, 6.0, 16.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(micros(seconds))

    def pass_time(self, more_us: int) -> None:
        """A living system looks at the store meanwhile."""
        while more_us > 0:
            step = min(more_us, micros(LEASE_S / 3))
            self.true_us += step
            more_us -= step
            for party in self.parties.values():
                if party.clock:
                    self.desk.renew(worker=party.name, digest=party.digest)

    @rule(seconds=st.sampled_from([3.0, 20.0, 90.0]))
    def nobody_speaks_to_the_store(self, seconds: float) -> None:
        self.true_us += micros(seconds)

    @precondition(lambda self: self.losses < self.most_losses)
    @rule()
    def keep_a_copy(self) -> None:
        copied = {
            key: (self.client.dump(key), max(0, self.client.pttl(key))) for key in self.client.scan_iter(count=1000)
        }
        self.kept = (copied, self.book.copy())

    @precondition(lambda self: self.kept is not None and self.losses < self.most_losses)
    @rule()
    def the_server_restarts_without_its_tail(self) -> None:
        assert self.kept is not None
        self.end_checks()
        copied, book = self.kept
        self.client.flushall()
        for key, (value, ttl_ms) in copied.items():
            self.client.restore(key, ttl_ms, value)
        self.book = book.copy()
        self.restarted()

    @precondition(lambda self: self.losses < self.most_losses)
    @rule()
    def the_server_restarts(self) -> None:
        self.restarted()

    def end_checks(self) -> None:
        """Nobody renews the permit of an operator's call: a store that forgets it while it is under way cannot learn of
        it, so there is none then.
        """
        for check in self.checks:
            self.end_one_check(check)
        self.checks.clear()

    def restarted(self) -> None:
        self.run += 1
        self.losses += 1
        self.resynchronize()

    @precondition(lambda self: self.losses < self.most_losses)
    @rule()
    def the_store_is_emptied(self) -> None:
        self.end_checks()
        self.client.flushall()
        self.book, self.kept = Book(), None
        self.restarted()

    @precondition(lambda self: self.losses < self.most_losses and all(one.clock for one in self.parties.values()))
    @rule(seconds=st.sampled_from([1.0, 30.0, 3600.0, -0.5, -5.0, -100.0]))
    def the_clock_steps(self, seconds: float) -> None:
        self.stepped = self.stepped or seconds > 0
        self.raw_step_us += micros(seconds)
        self.losses += 1
        self.resynchronize()

    def resynchronize(self) -> None:
        reply = self.desk.scripts("renew", {"worker": "nobody", "lease_us": 10**15, "silent_us": 10**15, "leases": []})
        self.client.zrem(self.desk.keys("workers"), "nobody")
        self.heard_now(reply[0])

    # -- after each step ----------------------------------------------------------------

    @invariant()
    def nothing_is_wrong(self) -> None:
        self.steps["all"] += 1
        self.done_steps += 1
        wrong = differences(self.client, self.desk.keys, self.book)
        assert not wrong, "\n  ".join(wrong)
        self.judge_arrivals()
        if self.done_steps % WHOLE_EVERY == 0:
            self.look_at_everything()

    def judge_arrivals(self) -> None:
        total = sum(len(remote.arrived) for remote in self.remotes.values())
        if total != self.judged:
            self.judged = total
            for (acct, name), remote in self.remotes.items():
                [(allowed, _)] = remote.windows
                # a lone probe after a loss may meet a window that is full
                spare = self.losses / allowed if self.headers and self.mode == "probe" else 0
                assert remote.worst()[0] <= 1 + spare, f"window {name} of {acct} was overfull"

    def look_at_everything(self) -> None:
        picture = Picture(self.client, self.desk.keys)
        wrong = problems_of(picture) + orphans(picture, self.book)
        assert not wrong, "\n  ".join(wrong)

    def teardown(self) -> None:
        """In the end everything ends."""
        if not hasattr(self, "windows"):
            return
        for scope in self.desk.hash("holds"):
            self.desk.person("release", scope=scope)
        self.book.held.clear()
        for party in self.parties.values():
            party.hand.clear()
        self.checks.clear()
        self.deploy(0, 1.0, 1.0, 5, None)
        for _ in range(600):
            if not self.book.having(*OPEN):
                break
            self.work_off()
        left = [(job.id, job.state, job.facts["op"], job.facts["acct"]) for job in self.book.having(*OPEN)]
        assert not left, f"these never end: {left}"
        self.look_at_everything()

    def work_off(self) -> None:
        self.pass_time(micros(1))
        for slip in self.take_for(self.parties["w1"], 6):
            party = self.parties["w1"]
            claim = party.hand[slip.lease]
            if claim.facts["op"] == START:
                assert self.fence(claim)
            claim.arrives_us = self.true_us
            for name in self.windows:
                if name != "own" or claim.facts["budget"] == CONTROL:
                    self.remotes[claim.facts["acct"], name].arrived.append(self.true_us)
            self.tell(party, claim, "finish", ANSWERED, **({"told": self.told(claim)} if self.headers else {}))
        if self.book.having("awaiting"):
            self.nobody_reports(patient=True)
        self.judge_arrivals()
