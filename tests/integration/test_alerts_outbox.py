"""The outbox over a real store: what is handed over, how often, and what waits."""

import pytest
import redis

from tests.integration.alerting import HUB, Notebook, ask_for, bury, dies, end_next, send_again, system_of, waiting
from worker.fail.fate import Fate, refund
from worker.observe.alerts import Alert, Outbox

pytestmark = pytest.mark.usefixtures("store")


class Broken:
    """A sink with a mistake in it."""

    def deliver(self, alert: Alert) -> bool:
        raise RuntimeError("a mistake")


def test_a_hundred_dead_letters_of_one_problem_are_one_alert(redis_url: str) -> None:
    sink = Notebook()
    with system_of(redis_url, None) as system:
        bury(system, 100)
        assert Outbox(system.broker, [sink]).hand_over() == 1
        assert waiting(system) == 0
    assert [alert.title for alert in sink.offered] == [
        "Dead letters of stellantis.b2b.get_vehicle_status: undocumented (41800)"
    ]
    assert sink.offered[0].count == 100


def test_a_problem_whose_dead_letters_are_all_sent_again_is_resolved_and_told_anew_when_it_returns(
    redis_url: str,
) -> None:
    sink = Notebook()
    with system_of(redis_url, None) as system:
        outbox = Outbox(system.broker, [sink])
        jobs = bury(system, 2)
        outbox.hand_over()
        send_again(system, jobs[:1])
        assert outbox.hand_over() == 0
        send_again(system, jobs[1:])
        outbox.hand_over()
        end_next(system, dies())
        outbox.hand_over()
    assert sink.changes == ["1 opened", "1 resolved", "2 opened"]


def test_a_change_no_sink_has_confirmed_is_offered_again_and_others_are_not_told_twice(redis_url: str) -> None:
    steady, moody = Notebook(), Notebook(takes=False)
    with system_of(redis_url, None) as system:
        outbox = Outbox(system.broker, [steady, moody], again_s=0.001)
        bury(system)
        assert outbox.hand_over() == 0
        assert waiting(system) == 1
        moody.takes = True
        while not outbox.hand_over():
            assert waiting(system) == 1
        assert waiting(system) == 0
    assert len(steady.offered) == 1
    assert len({alert.member for alert in moody.offered}) == 1


def test_an_unconfirmed_change_is_not_offered_again_before_its_time(redis_url: str) -> None:
    sink = Notebook(takes=False)
    with system_of(redis_url, None) as system:
        first, second = Outbox(system.broker, [sink]), Outbox(system.broker, [sink])
        bury(system)
        first.hand_over()
        first.hand_over()
        second.hand_over()
    assert len(sink.offered) == 1


def test_one_alert_that_is_refused_keeps_no_other_alert_back(redis_url: str) -> None:
    class Picky(Notebook):
        def deliver(self, alert: Alert) -> bool:
            return super().deliver(alert) and alert.facts["code"] != "1"

    sink = Picky()
    with system_of(redis_url, None) as system:
        for code in ("1", "2", "3"):
            bury(system, fate=dies(code=code))
        assert Outbox(system.broker, [sink]).hand_over() == 2
        assert waiting(system) == 1


def test_a_sink_that_raises_keeps_the_alert_and_the_other_sinks_are_told(redis_url: str) -> None:
    sink = Notebook()
    with system_of(redis_url, None) as system:
        bury(system)
        assert Outbox(system.broker, [Broken(), sink]).hand_over() == 0
        assert waiting(system) == 1
    assert len(sink.offered) == 1


def test_two_outboxes_share_the_alerts_and_tell_none_twice(redis_url: str) -> None:
    sink = Notebook()
    with system_of(redis_url, None) as system:
        for number in range(40):
            bury(system, fate=dies(code=str(number)))
        outboxes = [Outbox(system.broker, [sink], poll_s=0.01) for _ in range(2)]
        for outbox in outboxes:
            outbox.start()
        for outbox in outboxes:
            outbox.stop()
            outbox.join(20)
    assert len(sink.offered) == 40
    assert len({alert.member for alert in sink.offered}) == 40


def test_a_stopping_outbox_hands_over_what_the_last_jobs_caused(redis_url: str) -> None:
    sink = Notebook()
    with system_of(redis_url, None) as system:
        outbox = Outbox(system.broker, [sink], poll_s=600)
        outbox.start()
        bury(system)
        outbox.stop()
        outbox.join(20)
        assert not outbox.is_alive()
    assert len(sink.offered) == 1


def test_an_outbox_that_is_poked_does_not_wait_for_its_next_look(redis_url: str) -> None:
    sink = Notebook()
    with system_of(redis_url, None) as system:
        outbox = Outbox(system.broker, [sink], poll_s=600)
        outbox.start()
        bury(system)
        outbox.poke()
        assert sink.came.wait(20)
        outbox.stop()
        outbox.join(20)


def test_what_was_handed_over_while_the_store_was_away_is_not_handed_over_twice(redis_url: str) -> None:
    sink = Notebook()
    with system_of(redis_url, None) as system:
        outbox = Outbox(system.broker, [sink], again_s=0.001)
        bury(system)
        scripts = system.broker.scripts
        asked = 0

        def away_at_the_second_call(*arguments: object) -> object:
            nonlocal asked
            asked += 1
            if asked == 2:
                raise redis.ConnectionError("away")
            return scripts(*arguments)  # type: ignore[arg-type]

        system.broker.scripts = away_at_the_second_call  # type: ignore[assignment]
        with pytest.raises(redis.ConnectionError):
            outbox.hand_over()
        outbox.hand_over()
        assert waiting(system) == 0
    assert len(sink.offered) == 1


def test_a_brake_says_which_lane_stands_and_what_to_do(redis_url: str) -> None:
    sink = Notebook()
    with system_of(redis_url, None, FAIL__BRAKE_COUNT="3") as system:
        bury(system, 3, dies("not_found", "2003", alert=False), "hub.get_location")
        Outbox(system.broker, [sink]).hand_over()
    assert [alert.title for alert in sink.offered] == [
        f"Lane hub.get_location of {HUB} is held: 3 dead letters of one problem in a short time"
    ]
    assert sink.offered[0].advice.startswith("Read the problem, mend its cause, release the lane")


def test_a_brake_and_the_problem_behind_it_are_two_matters(redis_url: str) -> None:
    sink = Notebook()
    with system_of(redis_url, None, FAIL__BRAKE_COUNT="3") as system:
        bury(system, 3)
        Outbox(system.broker, [sink]).hand_over()
    assert len({alert.fingerprint for alert in sink.offered}) == 2
    assert len({alert.facts["problem"] for alert in sink.offered}) == 1


def test_a_store_that_may_have_forgotten_something_is_told(redis_url: str) -> None:
    sink = Notebook()
    with system_of(redis_url, None) as system:
        ask_for(system)
        end_next(system, Fate("park", refund(), {"wait": 0, "attempt": 0}))
        system.broker.scripts("suspect", {"cause": "clock", "lease_us": 1000, "mode": "probe"})
        Outbox(system.broker, [sink]).hand_over()
    assert [alert.title for alert in sink.offered] == [
        "The store may have forgotten something: its clock stepped forward"
    ]
    assert sink.offered[0].level == "warning"
