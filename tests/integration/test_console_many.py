"""The console over a heap of dead letters: what it costs to look is printed, what is shown is checked."""

import hashlib
import json
import statistics
import time
from pathlib import Path

import pytest
import redis

from tests.integration.console_seat import Page, Seat
from worker.observe.history import FIELDS, KEPT, MINUTE_US
from worker.store.keys import Keys

LETTERS, PROBLEMS, LOOKS = 100_000, 50, 7
ACCOUNTS = ("hub:IN-ABC", "stellantis:fleet-1")
CLASSES = ("not_found", "invalid_request", "remote_trouble", "outcome_unknown", "no_access")


def heap(store: "redis.Redis[bytes]", key: Keys) -> str:
    """Writes the letters as `bury.lua` leaves them; answers with the fingerprint of a problem."""
    now_us = time.time_ns() // 1000
    kinds = []
    for number in range(PROBLEMS):
        operation, error_class = f"hub.operation_{number % 10}", CLASSES[number // 10]
        fingerprint = hashlib.sha1(f"{operation}|{error_class}".encode()).hexdigest()[:16]
        kinds.append((operation, error_class, fingerprint))
        store.hset(key("problem", fingerprint), mapping={
            "api": "hub", "op": operation, "class": error_class, "code": "2003", "count": LETTERS // PROBLEMS,
            "first": now_us - 86_400_000_000, "last": now_us, "sample": f"0-{number:032x}",
        })  # fmt: skip
        store.zadd(key("problems"), {fingerprint: now_us - number})
    for account in ACCOUNTS:
        for operation in {kind[0] for kind in kinds}:
            store.sadd(key("lanes"), f"{account}|{operation}|locations")
    for start in range(0, LETTERS, 1000):
        with store.pipeline(transaction=False) as pipe:
            for number in range(start, start + 1000):
                operation, error_class, fingerprint = kinds[number % PROBLEMS]
                job, account, died = f"0-{number:032x}", ACCOUNTS[number % 7 == 0], now_us - number * 800_000
                pipe.hset(key("job", job), mapping={
                    "state": "dead", "op": operation, "acct": account, "api": "hub", "budget": "locations",
                    "prio": 1, "repeat": 1, "created": died - 1, "ended": died, "dl": died, "runs": 1, "attempts": 1,
                    "err": error_class, "code": "2003", "why": "no such thing", "fp": fingerprint, "chain": job,
                })  # fmt: skip
                pipe.zadd(key("dead"), {job: died})
                for name, value in (("account", account), ("operation", operation), ("class", error_class),
                                    ("problem", fingerprint)):  # fmt: skip
                    pipe.zadd(key("dead_by", name, value), {job: died})
            pipe.execute()
    return kinds[7][2]


def told(store: "redis.Redis[bytes]", key: Keys) -> None:
    """Alerts, a day of minutes, and an audit as long as it is kept."""
    now_us = time.time_ns() // 1000
    with store.pipeline(transaction=False) as pipe:
        for number in range(300):
            name, state = f"problem:{number:016x}", "open" if number % 3 else "resolved"
            facts = json.dumps({"kind": "problem", "operation": f"hub.operation_{number % 10}", "class": "not_found"})
            record = {"state": state, "gen": 1, "count": 1, "opened": now_us, "facts": facts}
            pipe.hset(key("alert", name), mapping=record)
            pipe.zadd(key("alerts"), {name: now_us - number})
        for number in range(KEPT):
            counts = " ".join([str(10 * (KEPT - number))] * len(FIELDS))
            pipe.rpush(key("minutes"), f"{now_us - number * MINUTE_US} {counts}")
        entry = {"at_us": now_us, "what": "redrive", "by": "ann", "reason": "mended", "jobs": ["0-1"], "count": 1}
        for _ in range(100):
            pipe.rpush(key("audit"), *([json.dumps(entry)] * 100))
        pipe.execute()


@pytest.mark.slow
def test_a_hundred_thousand_letters_are_looked_at_page_by_page(
    store: "redis.Redis[bytes]", redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Seat(redis_url, tmp_path) as seat:
        problem = heap(store, seat.bench.key)
        told(store, seat.bench.key)
        looks = {
            "overview": "/",
            "overview, a day": "/?hours=24h",
            "alerts": "/alerts",
            "alerts, history": "/alerts?pile=history",
            "problems": "/problems",
            "problems, all": "/problems?state=all",
            "problems of an operation": "/problems?operation=hub.operation_3",
            "audit": "/audit",
            "problem": f"/problems/{problem}",
            "letters": "/dead-letters",
            "by class": "/dead-letters?class=not_found",
            "by account": "/dead-letters?account=stellantis:fleet-1",
            "by all three": "/dead-letters?account=hub:IN-ABC&operation=hub.operation_3&class=no_access",
            "by account and class": "/dead-letters?account=stellantis:fleet-1&class=outcome_unknown",
            "by class, last hour": "/dead-letters?class=no_access&since=1h",
            "nothing fits": "/dead-letters?operation=hub.operation_3&class=wrong_path",
            "lanes": "/lanes",
            "plan for a problem": f"/dead-letters/plan?verb=redrive&problem={problem}",
            "plan for all": "/dead-letters/plan?verb=redrive",
        }
        lines = []
        for name, path in looks.items():
            took = []
            for _ in range(LOOKS):
                began = time.perf_counter()
                answer = seat.get(path)
                took.append((time.perf_counter() - began) * 1000)
                assert answer.status == 200, name
            lines.append(f"{name:<32}{statistics.median(took):8.0f} ms median {max(took):8.0f} ms at most")
        began = time.perf_counter()
        everything = seat.get("/export/dead-letters.jsonl?class=no_access").text
        took_s = time.perf_counter() - began
        assert everything.count("\n") == LETTERS // len(CLASSES)
        lines.append(f"{'a file of ' + str(LETTERS // len(CLASSES)) + ' letters':<32}{took_s * 1000:8.0f} ms")
        with capsys.disabled():
            print("", *lines, sep="\n")
        assert "100\u202f000</b> letters fit" in seat.get("/dead-letters").text
        both = seat.get("/dead-letters?account=stellantis:fleet-1&class=outcome_unknown")
        assert len([1 for tag, given in Page(both.text).elements if given.get("class") == "id row-link"]) == 50
        seat.bench.store.flushall()
