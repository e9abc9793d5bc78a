"""A reply of the store is lost after the store has done what was asked. Nothing may happen twice or never."""

from collections.abc import Iterator

import pytest

from settings import Settings
from tests.conservation import assert_conserved
from tests.faults.crew import Crew
from tests.faults.proxy import Proxy, Rule
from tests.faults.stage import PARTY, START, STATUS, Stage, until, wanted
from worker.store.connection import connect


@pytest.fixture
def proxy(stage: Stage) -> Iterator[Proxy]:
    with Proxy(stage.store.url) as running:
        yield running


def run_through(stage: Stage, proxy: Proxy, operation: str, count: int, rule: Rule) -> list[str]:
    """Runs jobs by a crew behind the proxy, after a first one that warms everything up; each must be sent once."""
    ids = stage.enqueue(operation, count)
    with Crew(stage.settings, proxy.url):
        stage.await_all_ended()
        until(lambda: rule.struck > 0)
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert stage.crashes() == 0
    assert_conserved(stage.client, stage.keys)
    return ids


def test_the_lost_reply_of_a_take_strands_no_job_and_counts_no_crash(stage: Stage, proxy: Proxy) -> None:
    """Stock dramatiq strands what it fetched until its process restarts (E6a, a reset connection)."""
    ids = run_through(stage, proxy, STATUS, 12, proxy.lose_reply("take", times=3))
    assert stage.states(ids) == {"done": 12}


@pytest.mark.slow
def test_a_take_whose_reply_never_comes_strands_no_job_and_counts_no_crash(stage: Stage, proxy: Proxy) -> None:
    """Stock dramatiq strands what it fetched until its process restarts (E6b, a time-out)."""
    rule = proxy.silence_reply("take")
    ids = run_through(stage, proxy, STATUS, 12, rule)
    assert stage.states(ids) == {"done": 12}


def test_the_lost_reply_of_a_finish_does_not_run_the_job_again(stage: Stage, proxy: Proxy) -> None:
    """Stock dramatiq runs a successful job again when its acknowledgement fails (E7)."""
    ids = run_through(stage, proxy, STATUS, 6, proxy.lose_reply("finish", times=4))
    assert stage.states(ids) == {"done": 6}


def test_a_finish_that_never_reached_the_store_does_not_run_the_job_again(stage: Stage, proxy: Proxy) -> None:
    ids = run_through(stage, proxy, START, 2, proxy.lose_request("finish", times=3))
    assert stage.states(ids) == {"done": 2}


@pytest.mark.slow
def test_a_finish_that_times_out_is_said_again_and_does_not_run_the_job_again(stage: Stage, proxy: Proxy) -> None:
    """Stock dramatiq gives an acknowledgement up after a time-out, and runs the job again after a restart (E7)."""
    swallowed = proxy.swallow_request("finish")
    ids = run_through(stage, proxy, START, 2, proxy.silence_reply("finish"))
    assert swallowed.struck == 1
    assert stage.states(ids) == {"done": 2}


def test_the_lost_reply_of_a_bury_leaves_one_dead_letter(stage: Stage, proxy: Proxy) -> None:
    stage.apis.fault("error_body", {"api": "stellantis"}, status=400, code=40000)
    ids = run_through(stage, proxy, STATUS, 3, proxy.lose_reply("bury", times=2))
    assert stage.states(ids) == {"dead": 3}
    assert stage.counts()["dead"] == 3


def test_the_lost_reply_of_a_park_counts_one_attempt(stage: Stage, proxy: Proxy) -> None:
    stage.apis.fault("status", {"api": "stellantis"}, times=1, status=500)
    rule = proxy.lose_reply("park")
    (job,) = stage.enqueue(STATUS)
    with Crew(stage.settings, proxy.url):
        stage.await_all_ended()
    assert rule.struck == 1
    assert stage.arrivals(job) == 2
    assert (stage.job(job)["state"], stage.job(job)["attempts"]) == ("done", "1")
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_an_unrepeatable_call_whose_permission_to_send_was_lost_is_not_sent_and_then_sent_once(
    stage: Stage, proxy: Proxy
) -> None:
    (job,) = run_through(stage, proxy, START, 1, proxy.lose_reply("sending", times=2))
    assert stage.job(job)["state"] == "done"
    fates = [event["outcome"]["class"] for event in stage.evidence(job)]
    assert fates == ["fenced", "fenced", "success"]


def test_the_lost_reply_of_a_renewal_loses_no_claim(stage: Stage, proxy: Proxy) -> None:
    stage.apis.fault("delay", {"operation": START}, delay_s=2.5)
    ids = run_through(stage, proxy, START, 2, proxy.lose_reply("renew", times=1))
    assert stage.states(ids) == {"done": 2}


def test_the_lost_reply_of_an_enqueue_makes_one_job(stage: Stage, proxy: Proxy) -> None:
    """Stock dramatiq queues the job twice, or says that it failed although it is queued (E16)."""
    desk = stage.desk_at(proxy.url)
    rule = proxy.lose_reply("enqueue", times=2)
    (accepted,) = desk.enqueue_many(wanted(STATUS))
    desk._client.close()
    assert rule.struck == 2
    assert stage.counts() == {"accepted": 1}
    with Crew(stage.settings, stage.store.url):
        stage.await_all_ended()
    stage.assert_each_sent_once([accepted.job_id])
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_scripts_that_the_server_forgets_in_the_middle_are_loaded_again(stage: Stage) -> None:
    ids = stage.enqueue(STATUS, 60) + stage.enqueue(START, 6)
    with Crew(stage.settings, stage.store.url), connect(stage.store.url) as other:
        for number in range(20):
            stage.await_arrivals(number + 1)
            other.script_flush()
        stage.await_all_ended()
        other.script_flush()
    assert stage.states(ids) == {"done": 66}
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def with_lease(stage: Stage, lease_s: float, renew_s: float) -> Settings:
    broker = stage.settings.broker.model_copy(update={"lease_s": lease_s, "renew_s": renew_s})
    return stage.settings.model_copy(update={"broker": broker})


def test_a_thread_held_up_between_its_permit_and_the_first_byte_sends_nothing_and_gives_the_permit_back(
    stage: Stage, proxy: Proxy
) -> None:
    ids = stage.enqueue(START) + stage.enqueue(STATUS)
    rule = proxy.delay_reply("take", seconds=3.8)  # the permit may be used for 3.6 s
    # Nothing is renewed meanwhile: the store hears of nobody for more than half a lease, and then lets claims hold for
    # as much longer, so that none lapses before its thread has looked.
    with Crew(with_lease(stage, 4.0, renew_s=60.0), proxy.url):
        stage.await_all_ended()
    assert rule.struck == 1
    first = [stage.evidence(job)[0] for job in ids]
    assert [(event["outcome"]["class"], event["wrote"]) for event in first] == [("too_late", False)] * 2
    assert [stage.job(job)["runs"] for job in ids] == ["1", "1"]
    stage.assert_each_sent_once(ids)
    assert stage.crashes() == 0
    # two permits were taken for each job and one of them was given back: one of each is still in its window
    window: dict[bytes, bytes] = stage.client.hgetall(stage.keys("window", f"{PARTY}|commands"))  # type: ignore[assignment]
    assert (int(window[b"tot"]), int(window[b"inf"])) == (1, 0)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_a_thread_held_up_until_its_job_was_taken_back_sends_nothing(stage: Stage, proxy: Proxy) -> None:
    ids = stage.enqueue(START) + stage.enqueue(STATUS)
    rule = proxy.delay_reply("take", seconds=1.4)
    with Crew(with_lease(stage, 1.0, renew_s=0.4), proxy.url):
        stage.await_all_ended()
    assert rule.struck == 1
    assert stage.states(ids) == {"done": 2}
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
