"""Plumbing of the store: every key name there is, in one table, for Python and for Lua.

Promise: no other module spells a key. `Keys` renders a name for Python; `spell_keys` puts the same table into a
Lua text, so that a script and the code around it cannot disagree. All keys of one installation partition share one
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
    "accounts": KeyName("accounts", "zset", "accounts of the settings in force, all with score 0: in order by name"),
    "confs": KeyName("confs", "zset", "settings digest -> last time a live worker carried it (µs)"),
    "counts": KeyName(
        "counts", "hash", "accepted, done, dead, cancelled, expired: jobs by how they ended; died, retried: how often"
    ),
    "minutes": KeyName("minutes", "list", "time (µs) and counts at the start of each minute, newest first"),
    "workers": KeyName("workers", "zset", "worker -> last heartbeat (µs)"),
    "worker": KeyName("worker:%s", "hash", "one worker process: host, pid, threads, version, started"),
    "clocks": KeyName("clocks", "hash", "machine -> store's time and its own boot-time clock, seen together (µs)"),
    "bell": KeyName("bell:%s", "list", "urgent, any, or a worker: wake tokens that bell threads block on"),
    # -- jobs -------------------------------------------------------------------------------------------------------
    "job": KeyName("job:%s", "hash", "facts and state of a job"),
    "message": KeyName("msg:%s", "string", "the encoded dramatiq message of a job"),
    "evidence": KeyName("ev:%s", "list", "one JSON record per attempt or event, oldest first"),
    "result": KeyName("res:%s", "string", "JSON result of a job that is done"),
    "chain": KeyName("chain:%s", "list", "ids of a chain (pages of a list), in order; absent while it has one page"),
    "idempotency": KeyName("key:%s", "string", "job id and payload digest behind a caller's idempotency key"),
    "deadlines": KeyName("deadlines", "zset", "waiting job -> deadline (µs)"),
    "recent": KeyName("recent", "zset", "the last jobs that were done or cancelled -> about when (µs)"),
    "awaiting": KeyName("awaiting", "zset", "accepted command -> when its result is overdue (µs)"),
    # -- lanes ------------------------------------------------------------------------------------------------------
    "lanes": KeyName("lanes", "set", "every lane that ever held a job: account|operation|budget"),
    "lanes_of": KeyName("lanes:%s", "set", "account: those of its lanes that ever held a job, as in `lanes`"),
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
    "expired_by": KeyName("expired:%s:%s", "zset", "the same by account; gone when the last of them is"),
    "discarded": KeyName("discarded", "zset", "discarded dead letter -> time of the mark (µs)"),
    "problems": KeyName("problems", "zset", "fingerprint -> last seen (µs)"),
    "problem": KeyName("problem:%s", "hash", "dead letters of one cause: api, operation, class, code, count, first"),
    "alert": KeyName("alert:%s", "hash", "one alert: state, generation, facts"),
    "alerts": KeyName("alerts", "zset", "alert -> last change (µs)"),
    "alerts_open": KeyName("alerts:open", "set", "alerts that stand and that nobody has said to know of"),
    "tally": KeyName("tally", "hash", "account|class -> answers of this class ever, where their share is watched"),
    "samples": KeyName("samples", "hash", "account -> msgpack: what had been answered by the start of each slice"),
    "watches": KeyName("watches", "hash", "account|what -> JSON: the advice that stands, and what was usual before it"),
    "outbox": KeyName("outbox", "zset", "alert#generation#opened µs#change -> when to hand it over (µs)"),
    "callers": KeyName("callers", "hash", "id of an HTTP caller's key -> JSON: digest, name, roles, limit, since when"),
    "visits": KeyName("visits", "zset", "visit of the console that was ended by signing out -> when it lapses (s)"),
    "pace": KeyName("pace:%s", "hash", "key of an HTTP caller: slice of time -> requests in it; their sum"),
    "news": KeyName("news", "stream", "evidence and ends as they occur, while somebody follows"),
    "notes": KeyName("notes:%s", "list", "JSON notes of people on a job or a problem, oldest first"),
    "views": KeyName("views", "hash", "name of a kept filter -> JSON: page, filter, by whom, since when"),
    "bulk": KeyName("bulk:%s", "hash", "an operation on many letters: order, plan, place, progress, report"),
    "bulks": KeyName("bulks", "zset", "operation on many letters -> when it was planned (µs)"),
    "bulk_open": KeyName("bulk_open", "zset", "one that is being carried out -> when its next step is due (µs)"),
    "audit": KeyName("audit", "list", "JSON of every change a person made, newest first"),
}


_CALL = re.compile(r"\bk_(\w+)\(")


class Keys:
    """Renders key names of one partition.

    `partition` is a short name (letters, digits, dashes); `Keys("0")("job", "0-1a")` is `paceline:{0}:job:0-1a`.
    """

    def __init__(self, partition: str = "0") -> None:
        self.partition = partition
        self.prefix = f"paceline:{{{partition}}}:"

    def __call__(self, name: str, *parts: object) -> str:
        return self.prefix + NAMES[name].pattern % parts


def spell_keys(source: str) -> str:
    """Lua `source` with each `k_<name>(…)` spelled from the table above: a function for each name would have to be made
    anew in every call of every script, which costs more than many a decision.
    """
    spelt, at = [], 0
    while call := _CALL.search(source, at):
        end, arguments = _arguments(source, call.end())
        first, *rest = NAMES[call[1]].pattern.split("%s")
        words = [f"P .. '{first}'"]
        for argument, piece in zip(arguments, rest, strict=True):
            words += [f"({spell_keys(argument)})", *([f"'{piece}'"] if piece else [])]
        spelt += [source[at : call.start()], "(", " .. ".join(words), ")"]
        at = end
    return "".join([*spelt, source[at:]])


def _arguments(source: str, start: int) -> tuple[int, list[str]]:
    """What stands between the parenthesis before `start` and its other half, and where the text goes on."""
    depth, at, found = 1, start, []
    for end in range(start, len(source)):
        depth += {"(": 1, ")": -1}.get(source[end], 0)
        if depth == 0 or (depth == 1 and source[end] == ","):
            found.append(source[at:end].strip())
            at = end + 1
        if depth == 0:
            return end + 1, [argument for argument in found if argument]
    raise ValueError(f"a key's name is not closed: {source[start - 20 : start + 40]!r}")
