"""The way of jobs through the queue as Sentry's page of queues gets it: read at a real receiver."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk

from settings import SettingsError
from tests.integration.alerting import CAR, OPERATION, Kent, ask_for, system_of, wait_until, working
from worker.accept.enqueue import Wanted
from worker.accept.operation import find
from worker.main import System
from worker.observe.spans import trace_of
from worker.sandbox.server import Sandbox

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(scope="module")
def running_kent() -> Iterator[Kent]:
    kent = Kent().start()
    yield kent
    kent.stop()


@pytest.fixture
def kent(running_kent: Kent) -> Kent:
    running_kent.forget()
    return running_kent


def traced(redis_url: str, kent: Kent, sandbox: Sandbox, rate: str = "1", **changes: str) -> Any:
    there = {name.removeprefix("PACELINE_"): value for name, value in sandbox.environment().items()}
    return system_of(redis_url, kent.dsn, OBSERVE__TRACES_SAMPLE_RATE=rate, **there, **changes)


def transactions(kent: Kent) -> list[dict[str, Any]]:
    return [event for event in kent.events() if event.get("type") == "transaction"]


def spans(kent: Kent, op: str) -> list[dict[str, Any]]:
    found = [(each, span) for each in transactions(kent) for span in each["spans"] if span["op"] == op]
    return [span | {"transaction": each} for each, span in found]


def ended(system: System, state: str, count: int) -> None:
    key = system.broker.keys("counts")
    wait_until(lambda: int(system.client.hget(key, state) or 0) == count, f"{count} are {state}")


def test_both_halves_of_a_jobs_way_have_what_the_page_of_queues_reads(
    redis_url: str, kent: Kent, sandbox: Sandbox
) -> None:
    with traced(redis_url, kent, sandbox) as system:
        job = ask_for(system)
        with working(system):
            ended(system, "done", 1)
            wait_until(lambda: len(transactions(kent)) == 2, "both halves have come")
        assert system.spans is not None
        system.spans.close()
    (published,), (processed,) = spans(kent, "queue.publish"), spans(kent, "queue.process")
    for span in (published, processed):
        assert span["data"]["messaging.message.id"] == job
        assert span["data"]["messaging.destination.name"] == OPERATION
        assert span["data"]["messaging.message.body.size"] > 100
        assert (span["status"], span["transaction"]["transaction"]) == ("ok", OPERATION)
        assert span["start_timestamp"] <= span["timestamp"]
    assert processed["data"]["messaging.message.retry.count"] == 0
    assert processed["data"]["messaging.message.receive.latency"] > 0
    assert published["trace_id"] == processed["trace_id"] == trace_of(job)
    assert processed["transaction"]["contexts"]["trace"]["parent_span_id"] == published["span_id"]


def test_every_page_of_a_list_was_put_in_before_it_was_run(redis_url: str, kent: Kent, sandbox: Sandbox) -> None:
    with traced(redis_url, kent, sandbox) as system:
        wanted = Wanted("hub.list_locations", "hub:IN-ABC", {"limit": 30})
        (job,) = system.broker.accept.enqueue_many([wanted])
        with working(system):
            ended(system, "done", 4)
            wait_until(lambda: len(transactions(kent)) == 8, "both halves of four pages have come")
        assert system.spans is not None
        system.spans.close()
    published, processed = spans(kent, "queue.publish"), spans(kent, "queue.process")
    pages = [job.job_id, *(f"{job.job_id}.p{number}" for number in (2, 3, 4))]
    for half in (published, processed):
        assert sorted(span["data"]["messaging.message.id"] for span in half) == pages
        assert {span["trace_id"] for span in half} == {trace_of(job.job_id)}
        assert all(span["data"]["messaging.message.body.size"] > 100 for span in half)
    parents = {span["transaction"]["contexts"]["trace"]["parent_span_id"] for span in processed}
    assert parents == {span["span_id"] for span in published}


def test_what_is_tried_again_and_what_dies_shows_as_that(redis_url: str, kent: Kent, sandbox: Sandbox) -> None:
    quick = {"FAIL__ATTEMPTS": "2", "FAIL__BACKOFF_BASE_S": "0.01", "FAIL__BACKOFF_CAP_S": "0.02"}
    with traced(redis_url, kent, sandbox, **quick) as system:
        sandbox.fault("status", {"api": "stellantis"}, times=2, status=503)
        ask_for(system)
        with working(system):
            wait_until(lambda: len(spans(kent, "queue.process")) == 2, "two attempts have come")
        assert system.spans is not None
        system.spans.close()
    found = sorted(spans(kent, "queue.process"), key=lambda span: str(span["start_timestamp"]))
    assert [(span["data"]["messaging.message.retry.count"], span["status"]) for span in found] == [
        (0, "unavailable"),
        (1, "internal_error"),
    ]
    assert len({span["transaction"]["contexts"]["trace"]["parent_span_id"] for span in found}) == 1


def test_a_job_asked_for_twice_under_one_key_was_put_in_once(redis_url: str, kent: Kent, sandbox: Sandbox) -> None:
    params, body = find(OPERATION).example
    with traced(redis_url, kent, sandbox) as system:
        wanted = [Wanted(OPERATION, CAR, params, body, key="once")] * 2
        (first, second) = system.broker.accept.enqueue_many(wanted)
        assert (first.duplicate, second.duplicate) == (False, True)
        assert system.spans is not None
        system.spans.close()
        wait_until(lambda: len(spans(kent, "queue.publish")) == 1, "one was put in")


def test_each_job_is_sampled_whole_or_not_at_all(redis_url: str, kent: Kent, sandbox: Sandbox) -> None:
    with traced(redis_url, kent, sandbox, rate="0.5") as system:
        jobs = [ask_for(system) for _ in range(30)]
        with working(system):
            ended(system, "done", 30)
            chosen = {job for job in jobs if int(trace_of(job)[:8], 16) < 2**31}
            wait_until(lambda: len(transactions(kent)) >= 2 * len(chosen), "both halves have come")
        assert system.spans is not None
        system.spans.close()
    halves: list[set[str]] = [
        {span["data"]["messaging.message.id"] for span in spans(kent, op)} for op in ("queue.publish", "queue.process")
    ]
    assert halves[0] == halves[1] == chosen
    assert len(halves[0]) in range(1, 30)


def test_without_a_rate_nothing_of_it_exists(redis_url: str, kent: Kent, sandbox: Sandbox) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with traced(redis_url, kent, sandbox, rate="0") as system:
        assert (system.spans, system.broker.accept.published) == (None, None)
        there = [type(each).__name__ for each in system.broker.middleware]
        assert there == ["ProcessMiddleware", "FateMiddleware", "Recent"]
        ask_for(system)
        with working(system):
            ended(system, "done", 1)
    assert {thread.name for thread in threading.enumerate()} <= before
    assert kent.events() == []


def test_a_receiver_that_is_gone_delays_no_job(redis_url: str, sandbox: Sandbox) -> None:
    with traced(redis_url, Kent(), sandbox) as system:  # nobody listens there
        jobs = [ask_for(system) for _ in range(200)]
        with working(system):
            ended(system, "done", len(jobs))
        assert system.spans is not None
        system.spans.close()


def test_no_parameter_of_a_call_and_nothing_of_the_callers_own_sentry_is_in_it(
    redis_url: str, kent: Kent, sandbox: Sandbox
) -> None:
    there = sandbox.environment()
    with traced(redis_url, kent, sandbox) as system:
        with sentry_sdk.isolation_scope() as scope:
            scope.set_user({"email": "driver@example.com"})
            scope.set_tag("theirs", "of-the-caller")
            ask_for(system)
        with working(system):
            ended(system, "done", 1)
            wait_until(lambda: len(transactions(kent)) == 2, "both halves have come")
        assert system.spans is not None
        system.spans.close()
        assert sentry_sdk.get_client().is_active() is False
    received = kent.everything()
    vid = find(OPERATION).example[0]["vid"]
    secrets = [entry["password"] for entry in json.loads(there["PACELINE_STELLANTIS__SUBSCRIPTIONS"])]
    for planted in (vid, "driver@example.com", "of-the-caller", *secrets):
        assert planted not in received


def test_an_address_the_client_refuses_is_a_mistake_in_the_settings(redis_url: str) -> None:
    with (
        pytest.raises(SettingsError, match="PACELINE_OBSERVE__SENTRY_DSN"),
        system_of(redis_url, "https://publickey@sentry.example/not-a-number", OBSERVE__TRACES_SAMPLE_RATE="1"),
    ):
        pytest.fail("a system was made")
