"""A turn does what its ends would have done one after another, and the take after them.

Two partitions live through the same story. In one each end is a call of its own; in the other those of one moment
share a call with the take that follows. After every moment both hold the same, to the last field, and have been told
the same.
"""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.desk import (
    CAR,
    LEASE_S,
    READ,
    START,
    TRANSIT_S,
    UNANSWERED,
    Desk,
    Slip,
    account,
    micros,
    slip_of,
)

SEEDS, MOMENTS = 10, 8
WINDOWS = {"second": (40, 1), "hour": (400, 3600)}
ACCOUNTS = {
    CAR: account("calls=second,hour", "other", windows=WINDOWS, headers=True),
    "hub:IN-ABC": account("calls=minute", windows={"minute": (30, 60)}, api="hub"),
    "callback:hooks.example": account("other", api="callback"),
}
STILL_IN_HAND = (b"missing", b"forgotten")
UNPACK = "return cjson.encode(cmsgpack.unpack(ARGV[1]))"
CLOCK = ("now", "ahead")
CALLBACK = json.dumps(
    {
        "op": "callback.tell", "acct": "callback:hooks.example", "api": "callback", "budget": "other", "prio": 1,
        "rep": 1, "dl": micros(3600), "text": ["<", "|", ">"],
    }
)  # fmt: skip
Said = dict[str, Any]


class Story:
    """One partition that lives through it. Every step says the same to both, with ids that do not name a partition."""

    def __init__(self, client: "redis.Redis[bytes]", partition: str, folder: Path, seed: int) -> None:
        self.desk = Desk(client, folder, partition)
        self.rng = random.Random(seed)
        self.slips: list[Slip] = []
        self.made = 0
        self.desk.hire(accounts=ACCOUNTS, numbers={"brake_count": 4, "brake_probe": micros(20)}, caps={START: 3})
        if self.rng.random() < 0.3:
            self.set("trouble", {f"{CAR}|{READ}": "9 0 0 0"})

    def set(self, name: str, fields: Mapping[str, str], *parts: object) -> None:
        self.desk.client.hset(self.desk.keys(name, *parts), mapping=dict(fields))

    def put(self, n: int) -> None:
        jobs = []
        for _ in range(n):
            self.made += 1
            hub = {"acct": "hub:IN-ABC", "api": "hub"} if self.rng.random() < 0.3 else {}
            told = {"callback": CALLBACK} if self.rng.random() < 0.2 else {}
            facts = {"op": self.rng.choice([READ, READ, START]), "prio": self.rng.choice([0, 1, 1, 2]), **hub, **told}
            facts |= {"rep": self.rng.choice([0, 1]), "dl": micros(self.rng.choice([20, 3600]))}
            jobs.append(self.desk.job(f"j-{self.made:04d}", **facts))
        self.desk.put_jobs(jobs)

    def between(self) -> None:
        """What happens to jobs in hand before they end, and what people do."""
        for slip in self.slips:
            befalls = self.rng.random()
            if befalls < 0.1:
                self.desk.sending(slip)
            elif befalls < 0.15:  # its result comes first
                why = {"class": "rejected", "code": "", "message": "no", "alert": True}
                self.set("job", {"verdict": json.dumps({"done": self.rng.random() < 0.5, "why": why})}, slip.id)
            elif befalls < 0.18:  # what is to be written about it cannot be
                self.desk.client.set(self.desk.keys("evidence", slip.id), "no list")
        for job in sorted(member.decode() for member in self.desk.client.zrange(self.desk.keys("dead"), 0, 3)):
            if self.rng.random() < 0.3:
                self.desk.person("redrive", id=job, unknown=True)
        for scope in sorted(name.decode() for name in self.desk.client.hkeys(self.desk.keys("holds"))):
            if self.rng.random() < 0.3:
                self.desk.person("release", scope=scope)

    def pass_time(self) -> None:
        seconds = self.rng.choice([0.05, 0.3, 2, 6, LEASE_S + 1])
        renewed = [slip for slip in self.slips if self.rng.random() < 0.7]
        if seconds > LEASE_S:  # some claims lapse, and somebody looks: they are taken back
            self.desk.now_us += micros(seconds / 2)
            self.desk.renew(*renewed)
            self.desk.now_us += micros(seconds / 2)
        else:
            self.desk.now_us += micros(seconds)
            self.desk.renew(*renewed)

    def ends(self) -> list[tuple[str, Said, tuple[str, ...]]]:
        """Decision, facts and blobs of each end of this moment."""
        self.rng.shuffle(self.slips)
        n = self.rng.randint(0, min(len(self.slips), 10))
        ending, self.slips = self.slips[:n], self.slips[n:]
        found = []
        for slip in ending:
            decision, facts = _end(self.rng, slip)
            blobs = ['{"event":"tried"}' if self.rng.random() < 0.9 else "", self.rng.choice(["", "{}", '{"a":1}'])]
            blobs += [f"message of {job['id']}" for job in facts.get("successors", ())]
            found.append((decision, facts, tuple(blobs)))
            if self.rng.random() < 0.1:  # its reply was lost
                found.append(found[-1])
        return found

    def take_facts(self, number: int) -> Said:
        return {
            "worker": "w1", "nonce": f"n{number}", "want": self.rng.randint(0, 3), "keep": 1, "run": "run-1",
            "durable": True, "mode": "fresh", "lease_us": micros(LEASE_S), "transit_us": micros(TRANSIT_S), "most": 12,
        }  # fmt: skip

    def read_dealt(self, reply: Any) -> None:
        self.slips += [slip_of(card) for card in reply[4]]

    def contents(self) -> dict[str, Any]:
        client, prefix = self.desk.client, self.desk.keys.prefix
        return {
            key.decode().removeprefix(prefix): (client.ttl(key) > 0, _content(client, key))
            for key in client.scan_iter(match=prefix.replace("{", "[{]") + "*", count=1000)
        }


def _end(rng: random.Random, slip: Slip) -> tuple[str, Said]:
    settle = rng.choice([{"mode": "answered", "age": rng.randint(0, 300_000)}] * 3 + [UNANSWERED, {"mode": "refund"}])
    facts: Said = {"id": slip.id, "lease": slip.lease, "group": slip.group, "settle": dict(settle)}
    facts["taken"] = int(slip.facts["taken"])
    if rng.random() < 0.5:
        facts["told"] = {
            name: {"limit": limit - rng.choice([0, 0, 1]), "remaining": rng.randint(0, limit)}
            for name, (limit, _) in {**WINDOWS, "minute": (30, 60.0)}.items()
        }
    _add_odd(rng, slip, facts)
    decision = rng.choice(["finish", "finish", "park", "bury"])
    if decision == "finish":
        _add_finish(rng, slip, facts)
    elif decision == "park":
        _add_park(rng, slip, facts)
    else:
        error = rng.choice(["malformed", "outcome_unknown", "remote_trouble"])
        facts["why"] = {"class": error, "code": "", "message": "x" * rng.choice([1, 400]), "alert": rng.random() < 0.5}
    return decision, facts


def _add_odd(rng: random.Random, slip: Slip, facts: Said) -> None:
    """What any end may say, and ends that are not as they should be."""
    if rng.random() < 0.4:
        facts["trouble"] = {"base": micros(2), "jitter": rng.random(), "facts": "{}"}
    if rng.random() < 0.1:
        facts["refused"] = True
    if rng.random() < 0.2:
        facts["tally"] = "no_data"
    if rng.random() < 0.2:
        facts["notices"] = [{"key": "notice:a", "facts": "{}"}]
    odd = rng.random()
    if odd < 0.04:
        facts["lease"] += "x"
    elif odd < 0.08:
        facts["id"] = "nobody"
    elif odd < 0.12:
        facts["settle"] = {"mode": "no such mode"}
    elif odd < 0.16:
        facts["lease"], facts["taken"] = facts["lease"] + "y", facts["taken"] + micros(3600)
    elif odd < 0.2:
        del facts["group"]


def _add_finish(rng: random.Random, slip: Slip, facts: Said) -> None:
    if rng.random() < 0.2:
        facts["awaits"] = micros(30)
    if rng.random() < 0.2:
        facts["meaning"] = "accepted"
    if rng.random() < 0.3 and ".p" not in slip.id:
        budget = slip.group.rpartition("|")[2]
        facts["successors"] = [
            {
                "id": f"{slip.id}.p2", "op": slip.facts["operation"], "acct": slip.facts["account"], "api": "hub",
                "budget": budget, "prio": rng.choice([0, 1, 2]), "rep": 1, "dl": micros(3600),
                "chain": slip.id, "page": 2,
            }
        ]  # fmt: skip


def _add_park(rng: random.Random, slip: Slip, facts: Said) -> None:
    facts |= {"wait": micros(rng.choice([0, 0, 0.2, 5])), "attempt": rng.choice([0, 1])}
    if rng.random() < 0.5:
        facts |= {"class": "remote_trouble", "code": "500"}
    if rng.random() < 0.3:
        after: Said = rng.choice([{}, {"after": micros(0.5)}, {"after": micros(10**6)}, {"nonsense": True}])
        windows = rng.choice([[], ["second"], ["minute"]])
        facts["close"] = {"jitter": rng.random(), "base": micros(1), "cap": micros(300), "windows": windows, **after}
        facts["close"] |= {"reason": "told so", "every": micros(60), "facts": "{}"}
    elif rng.random() < 0.2:
        scope = rng.choice([f"account:{slip.facts['account']}", f"budget:{slip.group}"])
        held = {"cause": "credential", "by": "paceline", "reason": "refused", "every": micros(5)}
        facts["hold"] = {"scope": scope, "hold": held, "facts": "{}"}
    elif rng.random() < 0.1:
        facts |= {"patience": micros(3), "why": {"class": "internal", "code": "unknown_operation", "alert": True}}


def _content(client: "redis.Redis[bytes]", key: bytes) -> Any:
    kind, name = client.type(key), key.decode().rpartition("}:")[2]
    if kind == b"hash":
        fields = client.hgetall(key)
        if name == "lease":
            return {field: json.loads(client.eval(UNPACK, 0, value)) for field, value in fields.items()}
        if name.startswith("win:"):  # a field that is not there is 0
            return {field: value for field, value in fields.items() if value != b"0"}
        return {field: _plain(value) for field, value in fields.items() if (name, field.decode()) not in OURS}
    if kind == b"zset":
        return client.zrange(key, 0, -1, withscores=True)
    if kind == b"set":
        return client.smembers(key)
    if name.startswith("bell:"):  # rung is rung
        return True
    if kind == b"list":
        return sorted(map(str, map(_plain, client.lrange(key, 0, -1))))
    return client.get(key)


OURS = {("meta", field) for field in CLOCK}


def _plain(value: bytes) -> Any:
    """A JSON object has no order."""
    return json.loads(value) if value[:1] == b"{" else value


def one_after_another(story: Story, ends: list[tuple[str, Said, tuple[str, ...]]], take: Said) -> tuple[list[Any], Any]:
    """Each end by a call of its own, all of them at one moment."""
    desk, answers = story.desk, []
    for decision, facts, blobs in ends:
        try:
            answers.append(desk.scripts(decision, facts, *blobs))
        except redis.ResponseError:
            answers.append("an error")
        story.set("meta", {"now": str(desk.now_us - 1)})
    free = sum(isinstance(answer, bytes) and answer not in STILL_IN_HAND for answer in answers)
    return answers, desk.scripts("take", {**take, "want": min(take["want"] + free, take["most"])})


def together(story: Story, ends: list[tuple[str, Said, tuple[str, ...]]], take: Said) -> tuple[list[Any], Any]:
    said = [{**facts, "decision": name, "blobs": len(blobs), "in_hand": True} for name, facts, blobs in ends]
    blobs = (blob for _, _, blobs in ends for blob in blobs)
    answers, taken = story.desk.scripts("turn", {"ends": said, "take": take}, *blobs)
    return ["an error" if isinstance(answer, redis.ResponseError) else answer for answer in answers], taken


def moments(store: "redis.Redis[bytes]", folder: Path, seed: int) -> Iterator[tuple[Story, Story, list[str]]]:
    alone, joined = (Story(store, partition, folder, seed) for partition in ("alone", "joined"))
    for number in range(MOMENTS):
        said = []
        for story, say in ((alone, one_after_another), (joined, together)):
            story.put(story.rng.randint(0, 12))
            story.between()
            story.pass_time()
            story.desk.now_us += 1000
            ends, take = story.ends(), story.take_facts(number)
            answers, taken = say(story, ends, take)
            story.read_dealt(taken)
            said.append((answers, taken))
        assert said[0] == said[1], f"seed {seed}, moment {number}: not the same answers"
        yield alone, joined, [str(answer) for answer in said[0][0]]


@pytest.mark.parametrize(
    "first", [0, *(pytest.param(first, marks=pytest.mark.slow) for first in range(SEEDS, 6 * SEEDS, SEEDS))]
)
def test_a_turn_does_what_its_ends_would_have_done_one_after_another(
    store: "redis.Redis[bytes]", lua_folder: Path, first: int
) -> None:
    seen: set[str] = set()
    for seed in range(first, first + SEEDS):
        store.flushall()
        for number, (alone, joined, answers) in enumerate(moments(store, lua_folder, seed)):
            seen |= set(answers)
            there, here = alone.contents(), joined.contents()
            differ = {name for name in there.keys() | here.keys() if there.get(name) != here.get(name)}
            told = [f"{name}:\n   {there.get(name)}\n   {here.get(name)}" for name in sorted(differ)]
            assert not told, f"seed {seed}, moment {number}:\n" + "\n".join(told)
    assert {f"b'{word}'" for word in ("own", "already", "superseded", "missing", "forgotten")} | {"an error"} <= seen
