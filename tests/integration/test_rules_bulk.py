"""The rules of operations on many letters: which letters they cover, how fast, in whose favour, and how often."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.desk import BULK, CAR, NORMAL, READ, START, URGENT, Desk, account, micros
from worker.fail.redrive import ROUNDS

OTHER = "car.list"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """Without a brake, and with room: many letters of one cause are what this is about."""
    desk.hire(digest="d2", numbers={"brake_count": 10**6}, caps=dict.fromkeys((READ, START, OTHER), 400))
    return desk


def now(desk: Desk) -> int:
    """The store's time; each decision takes it on by a moment, also while the test's clock stands."""
    desk.now_us = max(desk.now_us, int(desk.hash("meta")["now"])) + 1
    return desk.now_us


def letters(desk: Desk, n: int, error: str = "malformed", **changes: Any) -> list[str]:
    """Jobs that died, one moment after the other."""
    made = []
    for _ in range(n):
        desk.put(1, **changes)
        slip = desk.take(1).one
        desk.bury(slip, error=error)
        made.append(slip.id)
    return made


def order(desk: Desk, kind: str = "redrive", bulk: str = "op-1", start: bool = True, **changes: Any) -> str:
    """An operation on every letter that is dead now, at a pace that no test waits for."""
    wanted = {"pile": "discarded" if kind == "restore" else "dead", "since": 0, "until": now(desk)}
    wanted |= changes.pop("filter", {})
    facts = {"id": bulk, "kind": kind, "filter": wanted, "limit": 0, "pace": 1000, "total": 0, "plan": "{}", "ttl": 60}
    assert desk.person("bulk_make", **facts | changes) == "planned"
    if start:
        assert desk.person("bulk_start", id=bulk) == "running"
    return bulk


def step(desk: Desk, worker: str = "w1") -> int:
    """One step; the µs until the next is worth while, or -1."""
    now, again = desk.decide("bulk_step", {"worker": worker})
    return again if again < 0 else again - now


def run(desk: Desk, most: int = 100) -> int:
    """Steps as they fall due, until nothing is left to do; how many there were."""
    for number in range(most):
        wait = step(desk)
        if wait < 0:
            return number + 1
        desk.now_us += wait
    raise AssertionError("it never ends")


def record(desk: Desk, bulk: str = "op-1") -> dict[str, str]:
    return desk.hash("bulk", bulk)


def count(desk: Desk, kind: str = "redrive", **changes: Any) -> dict[str, Any]:
    wanted = {"pile": "dead", "since": 0, "until": now(desk)} | changes.pop("filter", {})
    facts = {"kind": kind, "filter": wanted, "at": 0, "past": "", "most": 1000, **changes}
    said: dict[str, Any] = json.loads(desk.decide("bulk_count", facts))
    return said


# -- which letters ----------------------------------------------------------------------------------------------------


def test_it_covers_the_letters_there_are_each_once_and_none_that_come_later(desk: Desk) -> None:
    old = letters(desk, 5)
    order(desk)
    late = letters(desk, 2)
    run(desk)
    assert set(desk.states(old)) == {"waiting"}
    assert set(desk.states(late)) == {"dead"}
    assert [desk.read(job)["redrives"] for job in old] == ["1"] * 5
    assert (record(desk)["state"], record(desk)["done"], record(desk)["left"]) == ("done", "5", "0")
    desk.assert_whole()


def test_a_letter_that_dies_again_is_not_sent_round_by_the_same_operation(desk: Desk) -> None:
    letters(desk, 3)
    order(desk, pace=2)
    step(desk)
    for slip in desk.take(3).slips:
        desk.bury(slip)
    desk.now_us += micros(10)
    run(desk)
    assert record(desk)["done"] == "3"
    desk.assert_whole()


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [({"account": "stellantis:nobody"}, 0), ({"operation": READ}, 2), ({"operation": START}, 1), ({"account": CAR}, 3),
     ({"class": "not_found"}, 1), ({"operation": READ, "class": "not_found"}, 0),
     ({"operation": START, "class": "malformed"}, 0)],
)  # fmt: skip
def test_a_filter_means_its_letters_and_no_other(desk: Desk, wanted: dict[str, str], fits: int) -> None:
    letters(desk, 2)
    letters(desk, 1, "not_found", op=START)
    assert count(desk, filter=wanted)["n"] == fits
    order(desk, filter=wanted)
    run(desk)
    assert int(record(desk)["done"]) == fits
    desk.assert_whole()


def test_letters_of_one_moment_are_each_done_once(desk: Desk) -> None:
    """Many die in one call of a sweeper: the same time, and the order of their names."""
    jobs = letters(desk, 30)
    keys = [desk.keys("dead"), *(desk.keys("dead_by", *by) for by in (("account", CAR), ("operation", READ)))]
    for key in [*keys, desk.keys("dead_by", "class", "malformed")]:
        desk.client.zadd(key, dict.fromkeys(jobs, desk.now_us))
    for job in jobs[::2]:
        desk.client.hset(desk.keys("job", job), "redrives", 3)  # half of them stay where they are
    order(desk, pace=12)
    run(desk)
    assert (record(desk)["done"], record(desk)["left:circling"]) == ("15", "15")
    assert set(desk.states(jobs[1::2])) == {"waiting"}
    assert set(desk.states(jobs[::2])) == {"dead"}


def test_more_of_one_moment_than_a_portion_are_all_seen(desk: Desk) -> None:
    jobs = letters(desk, 130)
    desk.client.zadd(desk.keys("dead"), dict.fromkeys(jobs, desk.now_us))
    assert count(desk, most=1000)["n"] == 130
    half = count(desk, most=105)
    assert (half["n"], half["over"]) == (105, False)
    rest = count(desk, most=1000, at=int(half["at"]), past=half["past"])
    assert (rest["n"], rest["over"]) == (25, True)


def test_no_more_than_asked_for_are_done(desk: Desk) -> None:
    letters(desk, 5)
    assert count(desk, want=3)["n"] == 3
    order(desk, limit=3)
    run(desk)
    assert (record(desk)["state"], record(desk)["done"]) == ("done", "3")


def test_the_plan_counts_by_cause_by_lane_and_what_would_be_left_alone(desk: Desk) -> None:
    letters(desk, 2)
    (careful,) = letters(desk, 1, "outcome_unknown", op=START, rep=0)
    (round_and_round,) = letters(desk, 1)
    desk.client.hset(desk.keys("job", round_and_round), "redrives", 3)
    said = count(desk)
    assert said["n"] == 4
    assert sorted(said["problems"].values()) == [1, 3]
    assert said["lanes"] == {f"{CAR}|{READ}|calls": 3, f"{CAR}|{START}|calls": 1}
    assert said["against"] == {"unknown": 1, "circling": 1}
    assert count(desk, unknown=True, again=True)["against"] == {}
    order(desk)
    run(desk)
    assert desk.states([careful, round_and_round]) == ["dead", "dead"]
    assert json.loads(record(desk)["some"]) == [[careful, "unknown"], [round_and_round, "circling"]]
    order(desk, bulk="op-2", unknown=True, again=True)
    run(desk)
    assert desk.states([careful, round_and_round]) == ["waiting", "waiting"]
    desk.assert_whole()


# -- once -------------------------------------------------------------------------------------------------------------


def test_two_operations_on_the_same_letters_do_each_once(desk: Desk) -> None:
    jobs = letters(desk, 40)
    order(desk, pace=4)
    order(desk, bulk="op-2", pace=4)
    run(desk)
    assert [desk.read(job)["redrives"] for job in jobs] == ["1"] * 40
    assert int(record(desk)["done"]) + int(record(desk, "op-2")["done"]) == 40
    desk.assert_whole()


def test_saying_yes_twice_is_saying_it_once(desk: Desk) -> None:
    letters(desk, 2)
    order(desk)
    assert desk.person("bulk_start", id="op-1") == "running"
    run(desk)
    assert desk.person("bulk_start", id="op-1") == "done"
    assert step(desk) == -1
    assert desk.person("bulk_start", id="op-9") == "missing"


def test_what_is_planned_is_not_done_and_goes_after_a_day(desk: Desk) -> None:
    jobs = letters(desk, 2)
    order(desk, start=False)
    assert step(desk) == -1
    assert set(desk.states(jobs)) == {"dead"}
    assert 86_000 < desk.client.ttl(desk.keys("bulk", "op-1")) <= 86_400
    assert desk.person("bulk_start", id="op-1") == "running"
    assert desk.client.ttl(desk.keys("bulk", "op-1")) == -1


def test_one_process_carries_it_and_another_goes_on_when_it_is_silent(desk: Desk) -> None:
    jobs = letters(desk, 60)
    order(desk, pace=4)
    step(desk, "w1")
    first = int(record(desk)["done"])
    assert 0 < first < 60
    desk.now_us += micros(1)
    assert step(desk, "w2") > micros(1), "it is the other's for some seconds"
    assert int(record(desk)["done"]) == first
    desk.now_us += micros(6)
    step(desk, "w2")
    assert int(record(desk)["done"]) > first
    assert record(desk)["carrier"] == "w2"
    for _ in range(40):
        desk.now_us += micros(6)
        step(desk, "w2")
        for slip in desk.take(8).slips:
            desk.finish(slip)
    assert [desk.read(job)["redrives"] for job in jobs] == ["1"] * 60
    desk.assert_whole()


# -- stopping ---------------------------------------------------------------------------------------------------------


def test_a_cancel_stops_it_where_it_is_and_says_how_much_was_done(desk: Desk) -> None:
    jobs = letters(desk, 30)
    order(desk, pace=4)
    step(desk)
    done = int(record(desk)["done"])
    assert desk.person("bulk_cancel", id="op-1") == "cancelled"
    desk.now_us += micros(60)
    assert step(desk) == -1
    assert desk.states(jobs).count("waiting") == done < 30
    assert (record(desk)["state"], record(desk)["ended_by"]) == ("cancelled", "ann")
    assert desk.person("bulk_cancel", id="op-1") == "already"
    assert desk.person("bulk_start", id="op-1") == "cancelled"
    assert desk.person("bulk_cancel", id="op-9") == "missing"
    desk.assert_whole()


def test_a_cancel_that_comes_between_is_heard(desk: Desk) -> None:
    """Whatever the list of those that run says, the record decides."""
    jobs = letters(desk, 3)
    order(desk)
    desk.person("bulk_cancel", id="op-1")
    desk.client.zadd(desk.keys("bulk_open"), {"op-1": 0})
    assert step(desk) == -1
    assert set(desk.states(jobs)) == {"dead"}


def test_what_is_done_is_not_cancelled(desk: Desk) -> None:
    letters(desk, 1)
    order(desk)
    run(desk)
    assert desk.person("bulk_cancel", id="op-1") == "done"
    assert 0 < desk.client.ttl(desk.keys("bulk", "op-1")) <= 60


def test_who_ordered_and_who_stopped_it_is_in_the_audit(desk: Desk) -> None:
    letters(desk, 1)
    order(desk, filter={"class": "malformed"})
    desk.person("bulk_cancel", id="op-1")
    stopped, begun = (json.loads(text) for text in desk.client.lrange(desk.keys("audit"), 0, -1))
    assert (begun["what"], begun["by"], begun["bulk"]) == ("redrive", "ann", "op-1")
    assert begun["filter"] == {"class": "malformed"}
    assert (stopped["what"], stopped["reason"]) == ("cancel redrive", "a test")


# -- how fast, and in whose favour ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [1, 7, 40])
def test_it_keeps_its_pace(desk: Desk, pace: int) -> None:
    letters(desk, 100)
    order(desk, pace=pace, keep=True)
    began, done = desk.now_us, []
    while desk.now_us < began + micros(2):
        step(desk)
        done.append((desk.now_us, int(record(desk)["done"])))
        desk.now_us += micros(0.05)
    portion = max(1, -(-pace // 20))
    assert all(n <= 2 * portion + pace * (at - began) / 1e6 + 1 for at, n in done)
    assert done[-1][1] >= min(pace * 1.9 - 1, 20), "no slower than that either"


def test_time_in_which_nobody_carried_it_is_not_made_up_for(desk: Desk) -> None:
    letters(desk, 60)
    order(desk, pace=8)
    step(desk)
    before = int(record(desk)["done"])
    desk.now_us += micros(120)
    step(desk)
    assert int(record(desk)["done"]) - before <= 2


def test_half_of_what_a_lane_may_have_in_flight_stays_free_for_what_lives(desk: Desk) -> None:
    desk.hire(digest="d3", numbers={"brake_count": 10**6}, caps={READ: 8})
    letters(desk, 12)
    order(desk)
    assert step(desk) == 10_000
    assert (record(desk)["done"], record(desk)["waits"]) == ("4", f"full|{CAR}|{READ}")
    held = desk.take(2).slips
    desk.now_us += micros(0.1)
    step(desk)
    assert record(desk)["done"] == "4", "two in flight and two in the line are as many"
    desk.finish(held[0])
    desk.now_us += micros(0.1)
    step(desk)
    assert record(desk)["done"] == "5"
    desk.assert_whole()


def test_a_step_that_finds_no_room_looks_again_ever_later(desk: Desk) -> None:
    letters(desk, 1)
    desk.put(1, op=OTHER)
    order(desk)
    waits = []
    for _ in range(8):
        waits.append(step(desk))
        desk.now_us = now(desk) + waits[-1]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (20_000, 1_000_000)


def test_a_lane_that_takes_no_more_does_not_keep_others_waiting(desk: Desk) -> None:
    desk.hire(digest="d3", numbers={"brake_count": 10**6}, caps={READ: 2, START: 400})
    for _ in range(6):
        letters(desk, 1)
        letters(desk, 1, op=START)
    (left,) = letters(desk, 1)
    desk.client.hset(desk.keys("job", left), "redrives", 3)
    desk.person("hold", scope=f"lane:{CAR}|{READ}")
    order(desk)
    for _ in range(5):
        desk.now_us = now(desk) + micros(1)
        step(desk)
    assert desk.client.zcard(desk.keys("queue", f"{CAR}|{START}", BULK)) == 6
    assert (record(desk)["done"], record(desk)["left"]) == ("7", "0")
    assert record(desk)["waits"] == f"full|{CAR}|{READ}"
    desk.person("release", scope=f"lane:{CAR}|{READ}")
    for _ in range(20):
        for slip in desk.take(8).slips:
            desk.finish(slip)
        desk.now_us = now(desk) + micros(1)
        step(desk)
    assert (record(desk)["state"], record(desk)["done"], record(desk)["left"]) == ("done", "12", "1")
    desk.assert_whole()


def test_few_are_under_way_at_once(desk: Desk) -> None:
    letters(desk, 60)
    order(desk, pace=5)
    for _ in range(60):
        desk.now_us += micros(1)
        step(desk)
    assert record(desk)["done"] == "20"
    assert record(desk)["waits"] == "open"
    for slip in desk.take(8).slips:
        desk.finish(slip)
    desk.now_us += micros(1)
    step(desk)
    assert 20 < int(record(desk)["done"]) <= 28
    desk.assert_whole()


def test_they_wait_as_bulk_unless_told_otherwise_and_come_back_as_they_were(desk: Desk) -> None:
    (job,) = letters(desk, 1, prio=URGENT)
    order(desk)
    run(desk)
    assert (desk.read(job)["prio"], desk.read(job)["asked"]) == ("2", "0")
    desk.bury(desk.take(1).one)
    order(desk, bulk="op-2", keep=True)
    run(desk)
    assert desk.read(job)["prio"] == "0"
    assert "asked" not in desk.read(job)
    desk.assert_whole()


@pytest.mark.parametrize("prio", [URGENT, NORMAL, BULK])
def test_live_work_of_the_lane_goes_first_even_if_it_came_later(desk: Desk, prio: int) -> None:
    sent = letters(desk, 4)
    order(desk)
    run(desk)
    live = desk.put(4, prio=prio)
    held = desk.take(4).slips
    assert [slip.id for slip in held] == live
    for slip in held:
        desk.finish(slip)
    assert set(desk.take(4).ids) == set(sent)
    desk.assert_whole()


def test_live_bulk_work_of_another_lane_of_the_budget_goes_first(desk: Desk) -> None:
    sent = letters(desk, 4)
    order(desk)
    run(desk)
    live = desk.put(4, op=OTHER, prio=BULK)
    assert set(desk.take(4).ids) == set(live)
    assert set(desk.take(4).ids) == set(sent)
    desk.assert_whole()


def test_nothing_is_let_into_the_line_while_live_work_waits_there(desk: Desk) -> None:
    letters(desk, 4)
    live = desk.put(1, op=OTHER, prio=BULK)
    order(desk)
    step(desk)
    assert record(desk)["done"] == "0"
    assert record(desk)["waits"] == f"live|{CAR}|calls"
    assert desk.take(1).ids == live
    desk.now_us += micros(1)
    step(desk)
    assert record(desk)["done"] == "4"


def test_as_urgent_as_before_does_not_stand_back(desk: Desk) -> None:
    letters(desk, 1)
    desk.put(1, op=OTHER)
    order(desk, keep=True)
    run(desk)
    assert record(desk)["done"] == "1"


def test_work_that_a_hold_keeps_back_is_not_waited_for(desk: Desk) -> None:
    letters(desk, 1)
    desk.put(1, op=OTHER, prio=BULK)
    desk.person("hold", scope=f"lane:{CAR}|{OTHER}")
    assert desk.take(1).ids == []
    order(desk)
    run(desk)
    assert record(desk)["done"] == "1"


def test_one_that_must_wait_does_not_keep_another_waiting(desk: Desk) -> None:
    desk.hire(accounts={name: account("calls=m", windows={"m": (1000, 60)}) for name in (CAR, "stellantis:fleet-2")},
              digest="d3")  # fmt: skip
    letters(desk, 2)
    free = letters(desk, 2, acct="stellantis:fleet-2")
    desk.put(1)
    order(desk, filter={"account": CAR})
    order(desk, bulk="op-2", filter={"account": "stellantis:fleet-2"})
    for _ in range(3):
        step(desk)
    assert set(desk.states(free)) == {"waiting"}
    assert record(desk)["done"] == "0"


# -- afterwards -------------------------------------------------------------------------------------------------------


def test_it_knows_what_became_of_what_it_sent(desk: Desk) -> None:
    letters(desk, 4)
    order(desk)
    run(desk)
    again, done, away, _ = desk.take(4).slips
    desk.bury(again, error="not_found")
    desk.finish(done)
    desk.park(away)
    desk.person("cancel", id=away.id)
    facts = record(desk)
    assert (facts["end:dead"], facts["end:done"], facts["end:cancelled"]) == ("1", "1", "1")
    assert facts[f"again:{desk.read(again.id)['fp']}"] == "1"
    order(desk, bulk="op-2", keep=True)
    run(desk)
    assert record(desk)["end:dead"] == "1", "that it failed then stays true"
    assert desk.person("discard", id="0-nothing") == "missing"
    desk.assert_whole()


def test_an_end_that_was_none_is_taken_back(desk: Desk) -> None:
    (job,) = letters(desk, 1, "not_found", rep=0, op=START)
    order(desk)
    run(desk)
    slip = desk.take(1).one
    desk.sending(slip)
    desk.outage(10**9)
    desk.take(0, lease_us=1)
    desk.outage(20)
    desk.take(0, lease_us=10**15)
    assert desk.state(job) == "dead"
    assert record(desk)["end:dead"] == "1"
    assert desk.finish(slip) == "truth"
    assert (record(desk)["end:dead"], record(desk)["end:done"]) == ("0", "1")
    desk.assert_whole()


def test_what_it_sent_itself_is_not_counted_as_new(desk: Desk) -> None:
    letters(desk, 2)
    order(desk)
    since = now(desk)
    run(desk)
    for slip in desk.take(2).slips:
        desk.bury(slip)
    letters(desk, 3)
    assert count(desk, apart="op-1", at=since)["n"] == 3
    assert count(desk, at=since)["n"] == 5


# -- marking ----------------------------------------------------------------------------------------------------------


def test_letters_are_set_aside_and_taken_back_together(desk: Desk) -> None:
    jobs = letters(desk, 12)
    order(desk, "discard", pace=20)
    run(desk)
    assert [desk.read(job).get("disc") for job in jobs] == ["1"] * 12
    late = letters(desk, 1)
    order(desk, "restore", bulk="op-2")
    run(desk)
    assert [desk.read(job).get("disc") for job in jobs] == [None] * 12
    assert record(desk, "op-2")["done"] == "12"
    assert [event["event"] for event in desk.events(jobs[0])][-2:] == ["discarded", "restored"]
    order(desk, "discard", bulk="op-3")
    run(desk)
    assert desk.read(late[0])["disc"] == "1"
    order(desk, bulk="op-4")
    run(desk)
    assert record(desk, "op-4")["done"] == "0", "what is set aside is none of the dead"
    desk.assert_whole()


def test_what_expired_is_sent_again_too(desk: Desk) -> None:
    (job,) = desk.put(1, dl=micros(1))
    desk.now_us += micros(2)
    desk.take(1)
    assert desk.state(job) == "expired"
    order(desk, filter={"pile": "expired"})
    run(desk)
    assert desk.take(1).ids == [job]
    desk.assert_whole()


def test_a_full_store_sends_nothing_again_and_can_still_be_told_to_stop(full: Desk) -> None:
    jobs = letters(full, 2)
    order(full)
    full.client.config_set("maxmemory", full.client.info("memory")["used_memory"] // 2)
    with pytest.raises(Exception, match="used memory"):
        step(full)
    assert full.person("bulk_cancel", id="op-1") == "cancelled"
    assert set(full.states(jobs)) == {"dead"}
    full.assert_whole()


def test_one_letter_and_many_go_by_the_same_number_of_rounds(lua_folder: Path) -> None:
    assert f"local ROUNDS = {ROUNDS} " in (lua_folder / "parts" / "letter.lua").read_text(encoding="utf-8")
