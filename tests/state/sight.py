"""What can be seen of a store after any step: a quick look that costs one round trip, and a search for keys that
nothing leads to. The whole picture is `tests/conservation.py`.
"""

import json
from typing import Any

import redis

from tests.conservation import Picture
from tests.state.book import ENDS, OPEN, Book
from worker.store.keys import Keys

RESULT_TTL_S, KEY_TTL_S = 86_400, 86_400
QUICK = """
local P, jobs = KEYS[1], cjson.decode(ARGV[1])
local reply = {counts = redis.call('HGETALL', P .. 'counts'), jobs = {}, ttls = {}}
for i, id in ipairs(jobs) do
  local v = redis.call('HMGET', P .. 'job:' .. id, 'state', 'lease')
  reply.jobs[i] = {v[1] or 'gone', v[2] or ''}
  reply.ttls[i] = {redis.call('TTL', P .. 'job:' .. id), redis.call('TTL', P .. 'msg:' .. id)}
end
for _, name in ipairs({'leases', 'awaiting', 'dead', 'deadlines'}) do
  reply[name] = redis.call('ZRANGE', P .. name, 0, -1)
end
reply.claims = redis.call('HKEYS', P .. 'lease')
return cjson.encode(reply)
"""
"""The state of each job, who has a claim, what has which time to live."""


def differences(client: "redis.Redis[bytes]", keys: Keys, book: Book) -> list[str]:
    """Where the store is not what the model says, a sentence each."""
    seen: dict[str, Any] = json.loads(client.eval(QUICK, 1, keys.prefix, json.dumps(list(book.jobs))))
    found = []
    for job, (state, lease), (ttl, message_ttl) in zip(
        book.jobs.values(), seen["jobs"] or (), seen["ttls"] or (), strict=True
    ):
        if (state, lease) != (job.state, job.lease):
            found.append(f"job {job.id} is {state} by {lease!r}, not {job.state} by {job.lease!r}")
        kept = state in OPEN or state == "dead"
        right = ttl == message_ttl == -1 if kept else min(ttl, message_ttl) > 0
        if not right:
            found.append(f"job {job.id} is {state} and lives for {ttl} s, its message for {message_ttl} s")
    flat = seen["counts"] or []
    counts = {name: int(n) for name, n in zip(flat[0::2], flat[1::2], strict=True)}
    opened = len(book.having(*OPEN))
    if counts.get("accepted", 0) - sum(counts.get(end, 0) for end in ENDS) != opened:
        found.append(f"the counts {counts} do not leave the {opened} jobs that are open")
    for name, states in (("awaiting", ("awaiting",)), ("dead", ("dead",)), ("deadlines", ("waiting",))):
        there, wanted = set(seen[name] or ()), {job.id for job in book.having(*states)}
        if there != wanted:
            found.append(f"{name} has {there ^ wanted} too many or too few")
    if set(seen["leases"] or ()) != set(seen["claims"] or ()):
        found.append("claims and their times differ")
    return found


def orphans(picture: Picture, book: Book) -> list[str]:
    """Keys that nothing leads to, and those that would stay for ever or leave too early."""
    found = []
    lanes = {lane.decode() for lane in picture.client.smembers(picture.keys("lanes"))}
    known = {
        "queue": {lane.rpartition("|")[0] for lane in lanes},
        "workers": set(picture.scores("workers")),
        "windows": {w for field, names in picture.hash("conf").items() if field[:2] == "g:" for w in names.split(",")},
        "accounts": {lane.split("|")[0] for lane in lanes},
        "groups": {f"{lane.split('|')[0]}|{lane.split('|')[2]}" for lane in lanes},
        "chains": {facts.get("chain", "") for facts in picture.jobs.values()},
        "problems": set(picture.scores("problems")),
        "alerts": set(picture.scores("alerts")),
        "bells": {"any", "urgent", *picture.scores("workers")},
    }
    for name in sorted(picture.names):
        trouble = _reached(picture, name, known, book)
        if trouble:
            found.append(f"key {name} {trouble}")
    return found


def _reached(p: Picture, name: str, known: dict[str, set[str]], book: Book) -> str:
    """Why nothing leads to this key; empty when something does."""
    kind, _, rest = name.partition(":")
    of_lane = rest.rpartition(":")[0]
    ttl = p.client.ttl(p.keys.prefix + name)
    lead = {
        "q": of_lane in known["queue"], "due": of_lane in known["queue"], "g": of_lane in known["groups"],
        "worker": rest in known["workers"], "gates": rest in known["accounts"], "win": rest in known["windows"],
        "ring": rest in known["windows"], "late": rest in known["windows"], "problem": rest in known["problems"],
        "alert": rest in known["alerts"], "bell": rest in known["bells"], "nonce": ttl > 0,
        "chain": rest in known["chains"],
    }  # fmt: skip
    if kind in lead and not lead[kind]:
        return "is led to by nothing"
    if kind == "key":
        return _key(p, name, rest, ttl, book)
    if kind in ("ev", "res", "chain"):
        members = [job for job in book.jobs.values() if (job.facts["chain"] if kind == "chain" else job.id) == rest]
        stays = any(job.state in OPEN or job.state == "dead" for job in members)
        if stays and kind != "res" and ttl != -1:
            return f"leaves in {ttl} s, before its job has ended"
        if members and not stays and not 0 < ttl <= RESULT_TTL_S:
            return f"stays although its jobs {[job.state for job in members]} do not (ttl {ttl})"
    return ""


def _key(p: Picture, name: str, key: str, ttl: int, book: Book) -> str:
    owner = p.client.get(p.keys.prefix + name).decode().split()[0]
    job = book.jobs.get(owner)
    if job is None:
        return "" if ttl > 0 else "is behind no job and stays"
    if book.keys.get(key) != owner:
        return f"is of {owner}, not of {book.keys.get(key)}"
    if (job.state in OPEN) != (ttl == -1):
        return f"of a job that is {job.state} lives for {ttl} s"
    return ""
