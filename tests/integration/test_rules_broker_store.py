"""The store under the rules: full, forgetful, restarted, with a wrong clock, shared with strangers, given nonsense."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.desk import BULK, CAR, LEASE_S, READ, URGENT, Desk, Slip, micros
from worker.store.composing import FOLDER, compose
from worker.store.embedded import EmbeddedServer
from worker.store.keys import NAMES, Keys
from worker.store.scripts import Scripts

DECISIONS = sorted(path.stem for path in FOLDER.glob("*.lua"))
MAY_BE_REFUSED = {"bulk_step", "enqueue", "note", "redrive"}
"""What brings new work in, or words that can wait. All else must run in a full store, or running work could not end."""


# -- full -------------------------------------------------------------------------------------------------------------


def fill(desk: Desk) -> None:
    desk.client.config_set("maxmemory", desk.client.info("memory")["used_memory"] // 2)


def test_every_decision_but_those_that_bring_work_in_may_run_in_a_full_store(lua_folder: Path) -> None:
    flags = {name: compose(name, lua_folder).split("\n")[0] for name in DECISIONS}
    refused = {name for name, line in flags.items() if "allow-oom" not in line}
    assert all(line.startswith("#!lua") for line in flags.values())
    assert refused == MAY_BE_REFUSED


def test_a_full_store_takes_no_new_work(full: Desk) -> None:
    dead = full.put(1)[0]
    full.bury(full.take(1).one)
    fill(full)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        full.put(1)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        full.person("redrive", id=dead)
    full.assert_whole()


def test_running_work_goes_on_in_a_full_store(full: Desk) -> None:
    full.put(6)
    held = full.take(2).slips
    fill(full)
    assert full.renew(*held) == ["held", "held"]
    more = full.take(2).slips
    assert len(more) == 2
    assert full.sending(more[0])
    assert [full.finish(held[0]), full.bury(held[1]), full.park(more[0]), full.finish(more[1])] == ["own"] * 4
    assert full.person("cancel", id=full.take(1).ids[0]) == "running"
    assert full.person("hold", scope=f"account:{CAR}") == "held"
    assert full.person("release", scope=f"account:{CAR}") == "released"
    full.assert_whole()


# -- forgetful --------------------------------------------------------------------------------------------------------


def test_after_a_restart_that_may_have_lost_something_nothing_is_handed_out_for_one_lease(desk: Desk) -> None:
    desk.put(2)
    desk.take(1)
    assert desk.take(1, run="run-2").verdict == "quiet"
    desk.wait(LEASE_S - 0.5)
    assert desk.take(1, run="run-2").verdict == "quiet"
    desk.wait(1)
    assert desk.take(1, run="run-2").verdict == "ok"
    desk.assert_whole()


def test_a_restart_that_cannot_have_lost_anything_changes_nothing(desk: Desk) -> None:
    desk.put(2)
    desk.take(1, durable=True)
    assert len(desk.take(1, run="run-2", durable=True).slips) == 1
    desk.assert_whole()


def test_no_lease_is_taken_back_before_renewals_have_had_their_time(desk: Desk) -> None:
    jobs = desk.put(1)
    desk.take(1)
    desk.wait(LEASE_S + 1)
    desk.take(0, run="run-2")
    assert desk.states(jobs) == ["running"]
    desk.assert_whole()


def test_an_empty_store_is_suspect_unless_told_that_this_is_a_first_start(desk: Desk) -> None:
    desk.put(1)
    assert desk.take(1, mode="probe").verdict == "quiet"
    desk.client.flushdb()
    desk.hire()
    desk.put(1)
    assert desk.take(1, mode="fresh").verdict == "ok"
    desk.assert_whole()


def test_a_worker_the_store_does_not_know_must_introduce_itself_first(desk: Desk) -> None:
    desk.put(1)
    assert desk.take(1, worker="stranger").verdict == "configure"
    desk.client.delete(desk.keys("conf"))
    assert desk.take(1).verdict == "configure"
    desk.hire()
    assert len(desk.take(1).slips) == 1
    desk.assert_whole()


def test_a_server_that_forgot_the_scripts_is_sent_them_again(desk: Desk) -> None:
    desk.put(1)
    for _ in range(3):
        desk.client.script_flush()
        slip = desk.take(1).one
        desk.client.script_flush()
        assert desk.park(slip) == "own"
    desk.assert_whole()


# -- time -------------------------------------------------------------------------------------------------------------


def test_time_never_steps_back(desk: Desk) -> None:
    desk.put(4)
    told = []
    for step_s in (10, -3600, 1, -0.0005, 0):
        desk.now_us += micros(step_s)
        told.append(desk.take(1, lease_us=micros(7200)).now_us)
    assert told == sorted(set(told))
    desk.assert_whole()


def test_after_a_step_back_time_goes_on_at_once(desk: Desk) -> None:
    jobs = desk.put(1)
    desk.park(desk.take(1).one, wait_s=10)
    desk.now_us -= micros(3600)
    desk.take(1)
    desk.wait(10.1)
    assert desk.take(1).ids == jobs
    desk.assert_whole()


def test_a_step_forward_is_shown_to_the_worker_before_anything_is_handed_out(desk: Desk) -> None:
    desk.put(1)
    expect = desk.now_us + 50_000
    assert desk.take(1, expect=expect - 2 * micros(1)).verdict == "clock"
    assert len(desk.take(1, expect=expect).slips) == 1
    desk.assert_whole()


def test_the_clock_is_the_servers_unless_a_test_gives_one(desk: Desk) -> None:
    seconds, micro = desk.client.time()
    scripts = Scripts(desk.client, Keys("real"), None, desk.folder)
    now_us = scripts("configure", configuration())[0]
    assert 0 <= now_us - (seconds * 1_000_000 + micro) < micros(60)


def configuration() -> dict[str, Any]:
    return {
        "worker": "w", "threads": 1, "host": "", "pid": 1, "version": "", "started": "0", "digest": "d",
        "silent_us": 1, "accounts": {}, "numbers": {}, "caps": {},
    }  # fmt: skip


# -- keys -------------------------------------------------------------------------------------------------------------


def play(desk: Desk) -> None:
    """A bit of everything, so that every family of keys comes into being."""
    desk.hire()
    desk.put_jobs([desk.job(key="k", psha="p"), *(desk.job(prio=prio) for prio in (0, 1, 2, 1, 1, 1))])
    slips = desk.take(4).slips
    desk.finish(slips[0], successors=[desk.job(f"{slips[0].id}.p2", chain=slips[0].id, page=2)])
    desk.bury(slips[1], why={"class": "malformed", "code": "", "message": "", "alert": True})
    desk.park(slips[2], {"mode": "unanswered", "more": 1000}, wait_s=100)
    desk.person("discard", id=slips[1].id)
    desk.person("hold", scope=f"lane:{CAR}|{READ}")
    desk.client.rpush(desk.keys("bell", "w1"), "1")


def test_every_key_has_the_hash_tag_of_its_partition(desk: Desk) -> None:
    desk.client.flushdb()
    play(desk)
    names = [key.decode() for key in desk.client.scan_iter()]
    assert len(names) > 20
    assert [name for name in names if not name.startswith("paceline:{0}:")] == []
    desk.assert_whole()


def test_partitions_know_nothing_of_each_other(desk: Desk) -> None:
    play(desk)
    other = Desk(desk.client, desk.folder, partition="1", now_us=desk.now_us)
    before = snapshot(desk)
    play(other)
    other.take(8)
    assert snapshot(desk) == before
    assert all(job.startswith("1-") for job in other.take(8).ids)
    desk.assert_whole()
    other.assert_whole()


def test_no_decision_walks_the_key_space_or_waits(lua_folder: Path) -> None:
    forbidden = re.compile(r"redis\.p?call\('(KEYS|SCAN|RANDOMKEY|FLUSH\w+|BLPOP|SMEMBERS|LRANGE|HGETALL)'([^)]*)\)")
    bounded = {"k_gates(account", "k_capped(", "k_evidence(facts.job"}  # by budgets, by lanes, by an index
    bounded |= {"k_lanes_of(", "k_clocks(", "k_pace("}  # by operations; by machines; by slices of a minute
    bounded |= {"k_job("}  # by the fields there are
    found = [
        f"{path.name}: {match[0]}"
        for path in sorted(lua_folder.rglob("*.lua"))
        for match in forbidden.finditer(path.read_text(encoding="utf-8"))
        if not any(name in match[2] for name in bounded)
    ]
    assert found == []


def test_no_key_is_spelt_outside_the_table(lua_folder: Path) -> None:
    spelt = re.compile(r"P \.\.|KEYS\[[2-9]\]|'paceline:")
    found = [path.name for path in lua_folder.rglob("*.lua") if spelt.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_every_key_has_the_type_the_table_says(desk: Desk) -> None:
    play(desk)
    patterns = {
        name: re.compile(re.escape(desk.keys.prefix + entry.pattern).replace("%s", "(.+)"))
        for name, entry in NAMES.items()
    }
    for key in desk.client.scan_iter():
        kind = desk.client.type(key).decode()
        fitting = [NAMES[name].type for name, pattern in patterns.items() if pattern.fullmatch(key.decode())]
        assert kind in fitting, (key, kind, fitting)


# -- nonsense ---------------------------------------------------------------------------------------------------------


def snapshot(desk: Desk) -> dict[bytes, bytes]:
    """Everything in the partition but the clock."""
    desk.client.hdel(desk.keys("meta"), "now", "ahead")
    return {key: desk.client.dump(key) for key in sorted(desk.client.scan_iter(match=f"*{{{desk.partition}}}*"))}


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("finish", {"settle": {"mode": "?"}}),
    ("finish", {"settle": None}),
    ("finish", {"settle": {"mode": "answered", "age": "soon"}}),
    ("finish", {"successors": [{"id": "0-x"}]}),
    ("finish", {"told": {"minute": 5}}),
    ("finish", {"notices": [{"key": "k"}]}),
    ("finish", {"group": "no budget"}),
    ("park", {"settle": {"mode": "unanswered"}}),
    ("park", {"hold": {"scope": f"account:{CAR}"}}),
    ("park", {"close": {"base": 1}}),
    ("park", {"patience": 1, "why": None}),
    ("bury", {"why": None}),
    ("bury", {"why": {"code": "1"}}),
]


@pytest.mark.parametrize(("decision", "changes"), BROKEN, ids=[f"{name} {json.dumps(what)}" for name, what in BROKEN])
def test_a_decision_with_bad_facts_changes_nothing(desk: Desk, decision: str, changes: dict[str, Any]) -> None:
    desk.put(2)
    slip = desk.take(1).one
    before = snapshot(desk)
    with pytest.raises(redis.ResponseError):
        end(desk, decision, slip, changes)
    assert snapshot(desk) == before
    desk.assert_whole()


def end(desk: Desk, decision: str, slip: Slip, changes: dict[str, Any]) -> None:
    why = {"class": "x", "code": ""}
    facts = {"id": slip.id, "lease": slip.lease, "group": slip.group, "settle": {"mode": "refund"}, "why": why}
    desk.scripts(decision, {**facts, "wait": 0, "attempt": 0, **changes}, "", "", "message")


def test_of_a_batch_with_one_bad_job_none_is_taken_in(desk: Desk) -> None:
    good = desk.job(key="k", psha="p")
    for broken in ({"dl": None}, {"op": 7}, {"chain": None}, {"key": "k2"}):
        before = snapshot(desk)
        with pytest.raises(redis.ResponseError):
            desk.put_jobs([good, {**desk.job(), **broken}])
        assert snapshot(desk) == before
    with pytest.raises(redis.ResponseError):
        desk.scripts("enqueue", {"jobs": [good, desk.job()]}, "one message for two jobs")
    assert desk.state(good["id"]) == "gone"
    desk.assert_whole()


def test_a_damaged_record_at_the_head_of_a_line_stops_nobody(desk: Desk) -> None:
    bad, good = desk.put(2, prio=URGENT)
    desk.client.hdel(desk.keys("job", bad), "acct", "dl")
    assert desk.take(8).ids == [good]


def test_a_bulk_job_that_has_lost_its_place_stops_nobody(desk: Desk) -> None:
    jobs = desk.put(2, prio=BULK)
    desk.client.hdel(desk.keys("job", jobs[0]), "place")
    assert desk.take(8).ids == jobs


def test_a_record_that_is_damaged_in_hand_is_missed_at_its_end(desk: Desk) -> None:
    desk.put(1)
    slip = desk.take(1).one
    desk.client.hdel(desk.keys("job", slip.id), "acct")
    assert desk.finish(slip) == "missing"


@pytest.mark.slow
def test_jobs_survive_kill_nine_of_the_server(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path, "always") as server, redis.Redis.from_url(server.url) as client:
        desk = Desk(client)
        desk.hire()
        jobs = desk.put(50)
        held = desk.take(4).slips
        server.kill()
        server.restart()
        client.connection_pool.disconnect()
        assert desk.states(jobs).count("waiting") == 46
        assert [desk.finish(slip) for slip in held] == ["own"] * 4
        desk.assert_whole()
