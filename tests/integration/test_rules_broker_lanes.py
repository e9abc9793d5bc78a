"""Lanes and priorities: who is served first, who in turn, who waits for a cap, and who is stopped on purpose."""

from tests.integration.desk import BULK, CAR, NORMAL, READ, URGENT, Desk, account

WINDOW = {"minute": (1000, 60)}
OTHER = "stellantis:fleet-2"
TWO_ACCOUNTS = {CAR: account("calls=minute", windows=WINDOW), OTHER: account("calls=minute", windows=WINDOW)}


def test_an_urgent_job_overtakes_everything_that_waits_for_the_same_budget(desk: Desk) -> None:
    desk.put(20, prio=BULK)
    desk.put(20, prio=NORMAL)
    urgent = desk.put(3, prio=URGENT, op="car.lock")
    assert desk.take(4).ids[:3] == urgent
    desk.assert_whole()


def test_jobs_of_a_lane_go_in_the_order_in_which_they_came(desk: Desk) -> None:
    desk.hire(threads=100)
    jobs = desk.put(30)
    assert desk.take(4).ids + desk.take(8).ids == jobs[:12]
    desk.assert_whole()


def test_no_more_jobs_are_handed_out_than_there_are_free_threads(desk: Desk) -> None:
    desk.hire(threads=100)
    desk.put(30)
    assert len(desk.take(7).slips) == 7
    assert desk.take(0).slips == []
    desk.assert_whole()


def test_lanes_of_one_budget_are_served_in_turn(desk: Desk) -> None:
    desk.put(50, op="car.many")
    few = desk.put(3, op="car.few")
    taken = [desk.take(1).one for _ in range(6)]
    assert [slip.id for slip in taken if slip.facts["operation"] == "car.few"] == few
    desk.assert_whole()


def test_what_one_call_hands_out_is_shared_by_the_lanes(desk: Desk) -> None:
    desk.put(50, op="car.many")
    few = desk.put(3, op="car.few")
    assert set(few) <= set(desk.take(6).ids)
    desk.assert_whole()


def test_budgets_are_served_in_turn(desk: Desk) -> None:
    desk.hire(accounts=TWO_ACCOUNTS, digest="d2", threads=100)
    desk.put(50)
    other = desk.put(3, acct=OTHER)
    taken = [desk.take(1).one for _ in range(6)]
    assert [slip.id for slip in taken if slip.facts["account"] == OTHER] == other
    desk.assert_whole()


def test_a_lane_has_at_most_half_of_the_fleets_threads_in_flight(desk: Desk) -> None:
    desk.hire(worker="w2", threads=4)
    desk.put(30, op="car.hangs")
    healthy = desk.put(3, op="car.healthy")
    first = desk.take(12)
    assert len([slip for slip in first.slips if slip.facts["operation"] == "car.hangs"]) == 6
    assert set(healthy) <= set(first.ids)
    desk.assert_whole()


def test_a_fleet_of_one_thread_may_still_work(desk: Desk) -> None:
    desk.hire(threads=1)
    desk.put(2)
    first = desk.take(1).one
    assert desk.take(1).slips == []
    desk.finish(first)
    assert len(desk.take(1).slips) == 1
    desk.assert_whole()


def test_a_cap_of_ones_own_goes_before_the_general_one(desk: Desk) -> None:
    desk.hire(digest="d2", caps={"car.slow": 2}, numbers={"lane_cap": 3})
    desk.put(9, op="car.slow")
    desk.put(9, op="car.quick")
    by_lane = [slip.facts["operation"] for slip in desk.take(8).slips]
    assert (by_lane.count("car.slow"), by_lane.count("car.quick")) == (2, 3)
    desk.assert_whole()


def test_a_cap_that_settings_no_longer_name_is_gone(desk: Desk) -> None:
    desk.hire(digest="d2", caps={READ: 1}, numbers={"lane_cap": 1})
    desk.hire(digest="d3")
    desk.put(4)
    assert len(desk.take(4).slips) == 4
    desk.assert_whole()


def test_a_lane_at_its_cap_goes_on_when_one_of_its_jobs_has_landed(desk: Desk) -> None:
    desk.hire(digest="d2", caps={READ: 1})
    jobs = desk.put(2)
    first = desk.take(8).one
    assert desk.take(8).slips == []
    desk.hush()
    desk.finish(first)
    assert desk.bells() > 0
    assert desk.take(8).ids == jobs[1:]
    desk.assert_whole()


def test_the_last_thread_is_kept_for_urgent_work_while_there_is_any(desk: Desk) -> None:
    desk.put(1, prio=URGENT)
    desk.finish(desk.take(1).one)
    desk.put(8, op="car.a")
    desk.put(8, op="car.b")
    first = desk.take(8, keep=1)
    assert len(first.slips) == 7
    urgent = desk.put(1, prio=URGENT)
    assert desk.take(1, keep=1).ids == urgent
    desk.assert_whole()


def test_no_thread_is_kept_where_no_urgent_job_was_seen_for_long(desk: Desk) -> None:
    desk.put(1, prio=URGENT)
    desk.finish(desk.take(1).one)
    desk.wait(601)
    desk.put(8, op="car.a")
    desk.put(8, op="car.b")
    assert len(desk.take(8, keep=1).slips) == 8
    desk.assert_whole()


def test_a_held_account_hands_out_nothing_and_delays_nobody_else(desk: Desk) -> None:
    desk.hire(accounts=TWO_ACCOUNTS, digest="d2")
    desk.put(4)
    other = desk.put(2, acct=OTHER)
    assert desk.person("hold", scope=f"account:{CAR}") == "held"
    assert desk.take(8).ids == other
    desk.assert_whole()


def test_a_held_lane_hands_out_nothing_and_delays_nobody_else(desk: Desk) -> None:
    desk.put(4)
    other = desk.put(2, op="car.other")
    desk.person("hold", scope=f"lane:{CAR}|{READ}")
    assert desk.take(8).ids == other
    desk.assert_whole()


def test_a_held_budget_hands_out_nothing_and_delays_nobody_else(desk: Desk) -> None:
    desk.put(4)
    other = desk.put(2, op="car.other", budget="other")
    desk.person("hold", scope=f"budget:{CAR}|calls")
    assert desk.take(8).ids == other
    desk.assert_whole()


def test_released_jobs_go_on_in_their_old_order(desk: Desk) -> None:
    for scope in (f"account:{CAR}", f"lane:{CAR}|{READ}", f"budget:{CAR}|calls"):
        jobs = desk.put(3)
        desk.person("hold", scope=scope)
        assert desk.take(8).slips == []
        desk.hush()
        assert desk.person("release", scope=scope) == "released"
        assert desk.bells() > 0
        taken = desk.take(8)
        assert taken.ids == jobs
        for slip in taken.slips:
            desk.finish(slip)
    desk.assert_whole()


def test_the_call_let_through_a_refused_credential_does_not_pass_what_a_person_has_stopped(desk: Desk) -> None:
    desk.put(3)
    hold = {"scope": f"account:{CAR}", "hold": {"cause": "credential", "by": "paceline", "every": 1000}, "facts": "{}"}
    desk.park(desk.take(1).one, hold=hold, refused=True)
    desk.person("hold", scope=f"budget:{CAR}|calls")
    desk.wait(1)
    assert desk.take(8).slips == []
    desk.assert_whole()


def test_one_call_is_let_through_a_hold_and_ends_it_when_it_is_not_refused(desk: Desk) -> None:
    jobs = desk.put(5)
    hold = {"scope": f"account:{CAR}", "hold": {"cause": "credential", "by": "paceline", "every": 1000}, "facts": "{}"}
    desk.park(desk.take(1).one, hold=hold, refused=True)
    desk.wait(1)
    probe = desk.take(8)
    assert probe.ids == jobs[:1]
    assert desk.take(8).slips == []
    desk.finish(probe.one)
    assert len(desk.take(8).slips) == 4
    desk.assert_whole()


def test_a_hold_stays_when_the_call_let_through_was_never_answered(desk: Desk) -> None:
    desk.put(5)
    hold = {"scope": f"account:{CAR}", "hold": {"cause": "credential", "by": "paceline", "every": 1000}, "facts": "{}"}
    desk.park(desk.take(1).one, hold=hold, refused=True)
    desk.wait(1)
    desk.park(desk.take(8).one, {"mode": "unanswered", "more": 0}, attempt=1, **{"class": "timeout"})
    assert len(desk.take(8).slips) == 1
    desk.assert_whole()


def test_the_answer_to_an_old_probe_says_nothing_about_a_later_hold(desk: Desk) -> None:
    desk.put(5)
    scope = f"account:{CAR}"
    hold = {"scope": scope, "hold": {"cause": "refusal", "by": "paceline", "every": 1000}, "facts": "{}"}
    desk.park(desk.take(1).one, hold=hold, refused=True)
    desk.wait(1)
    probe = desk.take(8).one
    desk.person("release", scope=scope)
    desk.person("hold", scope=scope)
    desk.finish(probe)
    assert desk.take(8).slips == []
    desk.assert_whole()


def test_jobs_of_an_account_that_settings_no_longer_name_wait_until_it_comes_back(desk: Desk) -> None:
    jobs = desk.put(2)
    desk.hire(accounts={OTHER: TWO_ACCOUNTS[OTHER]}, digest="d2")
    assert desk.take(8).slips == []
    desk.wait(120)
    desk.hire(accounts=TWO_ACCOUNTS, digest="d3")
    assert desk.take(8).ids == jobs
    desk.assert_whole()
