"""Plumbing of the store: every key name there is, in one table, for Python and for Lua.

Promise: no other module spells a key. `Keys` renders a name for Python; `lua_names` renders the same table as Lua
functions, so that a script and the code around it cannot disagree. All keys of one installation partition share one
hash tag (`paceline:{0}:`), which is what lets a script derive keys from the prefix it was given, also on a cluster.
Scope: names only. What is inside a key is said by the script that writes it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class KeyName(NamedTuple):
    """One family of keys: its pattern (`%s` per part), its Redis type, and what it holds."""

    pattern: str
    type: str
    holds: str


NAMES: Final[dict[str, KeyName]] = {
    # -- the installation ------------------------------------------------------------------------------------------
    "meta": KeyName("meta", "hash", "logical clock, server run, suspect state, place counter, fleet size"),
    "conf": KeyName("conf", "hash", "windows of each budget, facts of each account, ages and thresholds in force"),
    "confs": KeyName("confs", "zset", "settings digest -> last time a live worker carried it (µs)"),
    "counts": KeyName("counts", "hash", "accepted, done, dead, cancelled, expired: jobs by how they ended"),
    "workers": KeyName("workers", "zset", "worker -> last heartbeat (µs)"),
    "worker": KeyName("worker:%s", "hash", "one worker process: host, pid, threads, version, started"),
    "bell": KeyName("bell:%s", "list", "urgent, any, or a worker: wake tokens that bell threads block on"),
    # -- jobs -------------------------------------------------------------------------------------------------------
    "job": KeyName("job:%s", "hash", "facts and state of a job"),
    "message": KeyName("msg:%s", "string", "the encoded dramatiq message of a job"),
    "evidence": KeyName("ev:%s", "list", "one JSON record per attempt or event, oldest first"),
    "result": KeyName("res:%s", "string", "JSON result of a job that is done"),
    "chain": KeyName("chain:%s", "list", "ids of a chain (pages of a list), in order; absent while it has one page"),
    "idempotency": KeyName("key:%s", "string", "job id and payload digest behind a caller's idempotency key"),
    "deadlines": KeyName("deadlines", "zset", "waiting job -> deadline (µs)"),
    "awaiting": KeyName("awaiting", "zset", "accepted command -> when its result is overdue (µs)"),
    # -- lanes ------------------------------------------------------------------------------------------------------
    "lanes": KeyName("lanes", "set", "every lane that ever held a job: account|operation|budget"),
    "queue": KeyName("q:%s:%s", "zset", "lane, priority: job -> place in line"),
    "due": KeyName("due:%s:%s", "zset", "lane, priority: parked job -> time it is due (µs)"),
    "group": KeyName("g:%s:%s", "zset", "budget of an account, priority: lane -> last served, or when it is due (µs)"),
    "ready": KeyName("ready:%s", "zset", "priority: budget of an account -> when it is worth a look (µs)"),
    "gates": KeyName("gates:%s", "hash", "account: budget|priority -> no permit before (µs); below 0: or a settle"),
    "flying": KeyName("flying", "hash", "lane -> jobs in flight"),
    "capped": KeyName("capped", "set", "lanes set aside because their in-flight cap is reached"),
    "trouble": KeyName("trouble", "hash", "lane -> failures in a row, calls allowed in flight, no call before, since"),
    "holds": KeyName("holds", "hash", "scope -> JSON: cause, by, since, reason, probe time"),
    "released": KeyName("released", "hash", "scope -> time of its last release (µs)"),
    # -- permits ----------------------------------------------------------------------------------------------------
    "window": KeyName("win:%s", "hash", "one window of an account: limit, occupied, in flight, foreign, told"),
    "ring": KeyName("ring:%s", "string", "1442 counters of 4 bytes: permits settled in each bucket of the window"),
    "late": KeyName("late:%s", "zset", "lease -> latest possible arrival (µs) of a call that never answered"),
    "refusals": KeyName("refusals", "hash", "budget -> refusals in a row without a hint, and when last counted"),
    "bearer": KeyName("bearer:%s", "hash", "account: its bearer token, sealed; when it lapses; who fetches the next"),
    # -- leases -----------------------------------------------------------------------------------------------------
    "leases": KeyName("leases", "zset", "lease -> expiry (µs)"),
    "lease": KeyName("lease", "hash", "lease -> msgpack: job, lane, windows, worker"),
    "nonce": KeyName("nonce:%s", "string", "worker -> msgpack: nonce and leases of its last take"),
    # -- what died, and who is told ---------------------------------------------------------------------------------
    "dead": KeyName("dead", "zset", "dead letter -> time of death (µs)"),
    "dead_by": KeyName("dead:%s:%s", "zset", "the same by account, operation, class or problem"),
    "expired": KeyName("expired", "zset", "expired job -> time (µs)"),
    "discarded": KeyName("discarded", "zset", "discarded dead letter -> time of the mark (µs)"),
    "problems": KeyName("problems", "zset", "fingerprint -> last seen (µs)"),
    "problem": KeyName("problem:%s", "hash", "dead letters of one cause: api, operation, class, code, count, first"),
    "alert": KeyName("alert:%s", "hash", "one alert: state, generation, facts"),
    "alerts": KeyName("alerts", "zset", "alert -> last change (µs)"),
    "tally": KeyName("tally", "hash", "account|class -> answers of this class ever, where their share is watched"),
    "samples": KeyName("samples", "hash", "account -> msgpack: what had been answered by the start of each slice"),
    "watches": KeyName("watches", "hash", "account|what -> JSON: the advice that stands, and what was usual before it"),
    "outbox": KeyName("outbox", "zset", "alert#generation#opened µs#change -> when to hand it over (µs)"),
    "callers": KeyName("callers", "hash", "id of an HTTP caller's key -> JSON: digest, name, roles, limit, since when"),
    "audit": KeyName("audit", "list", "JSON of every change a person made, newest first"),
}


class Keys:
    """Renders key names of one partition.

    `partition` is a short name (letters, digits, dashes); `Keys("0")("job", "0-1a")` is `paceline:{0}:job:0-1a`.
    """

    def __init__(self, partition: str = "0") -> None:
        self.partition = partition
        self.prefix = f"paceline:{{{partition}}}:"

    def __call__(self, name: str, *parts: object) -> str:
        return self.prefix + NAMES[name].pattern % parts


def lua_names(source: str) -> str:
    """Lua functions `k_<name>(…)` for the key names that `source` uses, rendered from the table above."""
    used = set(re.findall(r"\bk_(\w+)\(", source))
    lines = []
    for name in sorted(used):
        pieces = NAMES[name].pattern.split("%s")
        arguments = [f"a{i}" for i in range(1, len(pieces))]
        body = f"P .. '{pieces[0]}'"
        for argument, piece in zip(arguments, pieces[1:], strict=True):
            body += f" .. {argument}" + (f" .. '{piece}'" if piece else "")
        lines.append(f"local function k_{name}({', '.join(arguments)}) return {body} end")
    return "\n".join(lines)
