"""Whether a store is whole: every accepted job is in exactly one place, every permit has an owner, nothing is hidden.

`assert_conserved(client, keys)` is for the end of any test that used the store's scripts, at a moment when no script
runs. It reads everything, so it is for thousands of jobs, not millions.
"""

import json
from collections import Counter
from typing import Any

import redis

from worker.store.keys import NAMES, Keys

ENDS = ("done", "dead", "cancelled", "expired")
PER_JOB = ("message", "evidence", "result")
UNPACK = "return cjson.encode(cmsgpack.unpack(ARGV[1]))"


def assert_conserved(client: "redis.Redis[bytes]", keys: Keys) -> None:
    """Fails with one sentence per thing that is lost, doubled, leaked or hidden."""
    __tracebackhide__ = True
    problems = problems_of(Picture(client, keys))
    assert not problems, "the store is not whole:\n  " + "\n  ".join(problems[:40])


class Picture:
    """Everything the store holds, read once."""

    def __init__(self, client: "redis.Redis[bytes]", keys: Keys) -> None:
        self.client, self.keys = client, keys
        text = (key.decode() for key in client.scan_iter(match=_escaped(keys.prefix) + "*", count=1000))
        self.names = {key.removeprefix(keys.prefix) for key in text}
        self.jobs = {name[4:]: self.hash("job", name[4:]) for name in self.names if name.startswith("job:")}
        self.counts = {name: int(n) for name, n in self.hash("counts").items()}
        self.queued = self._cards("q:")
        self.due = self._cards("due:")
        self.lease_times = self.scores("leases")
        raw = client.hgetall(keys("lease"))
        self.leases: dict[str, dict[str, Any]] = {
            lease.decode(): json.loads(client.eval(UNPACK, 0, packed)) for lease, packed in raw.items()
        }
        self.flying = {lane: int(n) for lane, n in self.hash("flying").items()}
        self.capped = {member.decode() for member in client.smembers(keys("capped"))}
        self.holds = self.hash("holds")

    def hash(self, name: str, *parts: object) -> dict[str, str]:
        return {k.decode(): v.decode(errors="replace") for k, v in self.client.hgetall(self.keys(name, *parts)).items()}

    def scores(self, name: str, *parts: object) -> dict[str, float]:
        return {k.decode(): s for k, s in self.client.zrange(self.keys(name, *parts), 0, -1, withscores=True)}

    def _cards(self, kind: str) -> list[tuple[str, str, int]]:
        """(job, lane, priority) of each waiting card of one kind."""
        cards = []
        for name in self.names:
            if name.startswith(kind):
                lane, _, priority = name.removeprefix(kind).rpartition(":")
                members = self.client.zrange(self.keys.prefix + name, 0, -1)
                cards += [(member.decode(), lane, int(priority)) for member in members]
        return cards


def problems_of(picture: Picture) -> list[str]:
    """What is wrong with the picture, a sentence each."""
    checks = (_counts, _places, _dead, _leases, _windows, _reachable, _leftovers)
    return [problem for check in checks for problem in check(picture)]


def _counts(p: Picture) -> list[str]:
    accepted = p.counts.get("accepted", 0)
    ended = {end: p.counts.get(end, 0) for end in ENDS}
    waiting, running = len(p.queued) + len(p.due), sum("id" in lease for lease in p.leases.values())
    awaiting = len(p.scores("awaiting"))  # in flight in another way: accepted by the other side, its result is to come
    if accepted == sum(ended.values()) + waiting + running + awaiting:
        return []
    there = f"{waiting} waiting, {running} running and {awaiting} awaiting a result"
    return [f"{accepted} jobs were accepted; {ended}, {there} do not add up to that"]


def _places(p: Picture) -> list[str]:
    """Each job where its state says, and only there."""
    found = []
    places: dict[str, list[str]] = {job: [] for job in p.jobs}
    where = [(job, f"q:{lane}:{priority}") for job, lane, priority in p.queued]
    where += [(job, f"due:{lane}:{priority}") for job, lane, priority in p.due]
    where += [(str(info["id"]), f"lease:{lease}") for lease, info in p.leases.items() if "id" in info]
    where += [(job, "awaiting") for job in p.scores("awaiting")]
    where += [(job, "dead") for job in p.scores("dead")]
    where += [(job, "expired") for job in p.scores("expired") if job in p.jobs]
    for job, place in where:
        if job in places:
            places[job].append(place)
        else:
            found.append(f"{place} names job {job}, which has no record")
    deadlines = p.scores("deadlines")
    for job, at in places.items():
        facts = p.jobs[job]
        lane = f"{facts.get('acct')}|{facts.get('op')}:{facts.get('prio')}"
        allowed: dict[str | None, set[str]] = {
            "waiting": {f"q:{lane}", f"due:{lane}"},
            "running": {f"lease:{facts.get('lease')}"},
            "awaiting": {"awaiting"},
            "dead": {"dead"},
            "expired": {"expired"},
        }
        right = allowed.get(facts.get("state"), set())
        if len(at) != min(1, len(right)) or not set(at) <= right:
            found.append(f"job {job} is {facts.get('state')} and should be in one of {sorted(right)}, but is in {at}")
        if (facts.get("state") == "waiting") != (job in deadlines):
            watched = "watched" if job in deadlines else "not watched"
            found.append(f"job {job} is {facts.get('state')}; its deadline is {watched}")
    return found


def _dead(p: Picture) -> list[str]:
    """The four ways to find a dead letter agree with its record."""
    found = []
    for job, facts in p.jobs.items():
        indexes = {
            f"dead:{kind}:{facts.get(field)}"
            for kind, field in (("account", "acct"), ("operation", "op"), ("class", "err"), ("problem", "fp"))
        }
        for index in sorted(indexes):
            listed = p.client.zscore(p.keys.prefix + index, job) is not None
            if listed != (facts.get("state") == "dead"):
                found.append(f"job {job} is {facts.get('state')} and is {'' if listed else 'not '}listed in {index}")
        listed = p.client.zscore(p.keys("expired_by", "account", facts.get("acct")), job) is not None
        if listed != (facts.get("state") == "expired"):
            found.append(f"job {job} is {facts.get('state')} and is {'' if listed else 'not '}listed among the expired")
    return found


def _leases(p: Picture) -> list[str]:
    found = []
    if set(p.lease_times) != set(p.leases):
        found.append(f"claims without a time or times without a claim: {set(p.lease_times) ^ set(p.leases)}")
    flying = Counter(f"{info['acct']}|{info['op']}" for info in p.leases.values() if "op" in info)
    if dict(flying) != p.flying:
        found.append(f"lanes say {p.flying} jobs are in flight, their claims say {dict(flying)}")
    holders = Counter(str(info["id"]) for info in p.leases.values() if "id" in info)
    found += [f"job {job} has {n} claims" for job, n in holders.items() if n > 1]
    return found


def _windows(p: Picture) -> list[str]:
    """Permits in flight have an owner each; settled ones are in a bucket each."""
    found = []
    held = Counter(window for info in p.leases.values() for window in info.get("win", ()))
    for key in sorted(name for name in p.names if name.startswith("win:")):
        name = key[4:]
        facts = {field: int(float(value)) for field, value in p.hash("window", name).items()}
        late = len(p.scores("late", name))
        if facts.get("late", 0) != late:
            found.append(f"window {name} counts {facts.get('late')} unanswered calls and lists {late}")
        if facts.get("inf", 0) != held[name] + late:
            flight = f"{held[name]} are claimed and {late} unanswered"
            found.append(f"window {name} has {facts.get('inf')} in flight; {flight}")
        ring = p.client.get(p.keys("ring", name)) or b""
        settled = sum(int.from_bytes(ring[i : i + 4], "big") for i in range(0, len(ring), 4))
        if facts.get("tot", 0) != settled:
            found.append(f"window {name} counts {facts.get('tot')} settled permits, its buckets hold {settled}")
    return found


def _reachable(p: Picture) -> list[str]:
    """Every waiting job can be found by take, now or at a time that is written down, or its stop has a reason."""
    found = []
    groups = _groups(p)
    for lane, priority in sorted({(lane, priority) for _, lane, priority in p.queued + p.due}):
        if lane in p.capped:
            if not p.flying.get(lane):
                found.append(f"lane {lane} is set aside for its cap, with nothing in flight that could end that")
        elif f"lane:{lane}" not in p.holds:
            homes = [group for group, lanes in groups[priority].items() if lane in lanes]
            if not any(_group_reachable(p, group, priority) for group in homes):
                found.append(f"lane {lane} has jobs of priority {priority} that no take looks for (groups {homes})")
    for priority, members in groups.items():
        waiting = {lane for _, lane, q in p.queued + p.due if q == priority}
        found += [f"{group} lists {lane} without a job" for group, lanes in members.items() for lane in lanes - waiting]
    return found


def _groups(p: Picture) -> dict[int, dict[str, set[str]]]:
    groups: dict[int, dict[str, set[str]]] = {0: {}, 1: {}, 2: {}}
    for name in p.names:
        if name.startswith("g:"):
            group, _, priority = name[2:].rpartition(":")
            groups[int(priority)][group] = set(p.scores("group", group, priority))
    return groups


def _group_reachable(p: Picture, group: str, priority: int) -> bool:
    if group in p.scores("ready", priority):
        return True
    account = group.rpartition("|")[0]
    gate = p.hash("gates", account).get(f"{group}|{priority}")
    calls = any(info["acct"] == account for info in p.leases.values())
    return gate is not None and float(gate) < 0 and calls


def _leftovers(p: Picture) -> list[str]:
    """No key that nobody made a name for, none of a job that is gone."""
    known = tuple(key.pattern.split("%s")[0] for key in NAMES.values())
    found = [f"key {name} is not in the table of keys" for name in sorted(p.names) if not name.startswith(known)]
    for kind in PER_JOB:
        start = NAMES[kind].pattern.removesuffix("%s")
        orphans = [name for name in p.names if name.startswith(start) and name.removeprefix(start) not in p.jobs]
        found += [f"key {name} belongs to no job" for name in orphans]
    return found


def _escaped(prefix: str) -> str:
    return "".join(f"[{c}]" if c in "*?[]\\" else c for c in prefix)
