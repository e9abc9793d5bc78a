"""The simulated limits: counted exactly by arrival, refused in every documented shape, shared with somebody else."""

import random
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email.utils import parsedate_to_datetime

import pytest

from tests.faults.stage import until
from tests.integration.sandbox_caller import TOKEN, Caller, Moments, statuses
from worker.sandbox.latency import Latency
from worker.sandbox.server import Sandbox


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    sandbox.limits("tokens", 3, 60.0)
    sandbox.limits("calls.second", 3, 60.0)
    return Caller(sandbox)


@pytest.mark.parametrize(("shape", "status", "code"), [("429", 429, 2004), ("200", 200, 2004), ("429-bare", 429, None)])
def test_the_hub_refuses_in_every_shape(caller: Caller, shape: str, status: int, code: int | None) -> None:
    caller.sandbox.config({"hub.refusal": shape})
    answers = [caller.authorize() for _ in range(4)]
    assert [answer.code for answer in answers[:3]] == [1000, 1000, 1000]
    assert answers[3].status == status
    assert code is None or answers[3].code == code
    assert caller.sandbox.log()[-1]["refused"] == ["tokens"]


def test_the_documented_limits_are_the_default() -> None:
    with Sandbox() as sandbox:
        rows = {(row["account"], row["window"]): (row["limit"], row["window_s"]) for row in sandbox.state()["windows"]}
    assert rows["hub:IN-ABC", "tokens"] == (100, 60.0)
    assert rows["hub:IN-ABC", "commands"] == (50, 60.0)
    assert rows["hub:IN-ABC", "locations"] == (200, 60.0)
    assert rows["stellantis:fleet-1", "calls.day"] == (100_000, 86_400.0)
    assert rows["stellantis:fleet-1", "calls.second"] == (100, 1.0)


def test_parties_and_modules_have_windows_of_their_own(caller: Caller) -> None:
    answers = [caller.authorize() for _ in range(4)]
    assert statuses(answers) == [200, 200, 200, 429]
    other = caller.hub("PUT", "/tokens/IN/CPO/T-1/authorize", {}, token="sandbox-token-def")
    assert statuses([other, caller.hub("GET", "/locations"), caller.start()]) == [200, 200, 200]


@pytest.mark.parametrize("kind", ["seconds", "date", "none", "nonsense", "negative", "absurd"])
def test_the_hint_when_to_come_back_has_every_form(caller: Caller, moments: Moments, kind: str) -> None:
    caller.sandbox.config({"hub.retry_after": kind, "stellantis.retry_after": kind})
    hub = [caller.authorize() for _ in range(4)][-1].headers["Retry-After"]
    cars = [caller.status() for _ in range(4)][-1].headers
    assert cars["X-RateLimit-Reset"] == cars["Retry-After"]
    for value in (hub, cars["Retry-After"]):
        match kind:
            case "seconds":
                assert int(value) == 60
            case "date":
                assert 59 <= parsedate_to_datetime(value).timestamp() - moments.time() <= 60
            case "none":
                assert value is None
            case "negative":
                assert int(value) < 0
            case "absurd":
                assert int(value) > 30 * 86_400
            case "nonsense":
                assert not value.isdigit()


def test_stellantis_refuses_with_429_and_nothing_remaining(caller: Caller) -> None:
    refused = [caller.status() for _ in range(4)][-1]
    assert refused.status == 429
    assert refused.headers["X-RateLimit-Remaining-2"] == "0"
    assert refused.headers["X-RateLimit-Remaining-1"] == "99996"


def test_the_documented_sample_of_a_refusal_has_calls_remaining_in_both_windows(caller: Caller) -> None:
    caller.sandbox.config({"stellantis.remaining_nonzero": True})
    refused = [caller.status() for _ in range(4)][-1]
    assert refused.status == 429
    assert int(refused.headers["X-RateLimit-Remaining-1"]) > 0
    assert int(refused.headers["X-RateLimit-Remaining-2"]) > 0


def test_a_window_slides_and_lets_in_again_exactly_when_the_oldest_arrival_leaves(
    caller: Caller, moments: Moments
) -> None:
    caller.sandbox.limits("tokens", 2, 0.5)
    caller.sandbox.config({"count_refused": False})
    assert statuses([caller.authorize() for _ in range(3)]) == [200, 200, 429]
    moments.wait(0.499)
    assert caller.authorize().status == 429
    moments.wait(0.001)
    assert statuses([caller.authorize() for _ in range(3)]) == [200, 200, 429]


@pytest.mark.parametrize(("counts", "expected"), [(True, 429), (False, 200)])
def test_whether_a_refused_call_occupies_a_place_is_settable(
    caller: Caller, moments: Moments, counts: bool, expected: int
) -> None:
    caller.sandbox.limits("tokens", 2, 0.6)
    caller.sandbox.config({"count_refused": counts})
    caller.authorize()
    caller.authorize()
    moments.wait(0.35)
    caller.authorize()
    caller.authorize()
    moments.wait(0.35)
    assert caller.authorize().status == expected


def test_no_call_slips_through_when_many_arrive_at_once(caller: Caller) -> None:
    caller.sandbox.limits("tokens", 20, 60.0)
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: caller.authorize(), range(60)))
    assert statuses(answers).count(200) == 20


def test_the_arrival_counts_not_the_answer(caller: Caller) -> None:
    sandbox = caller.sandbox
    sandbox.limits("locations", 3, 60.0)
    sandbox.latency("hub", fixed_ms=60_000)  # nothing is answered as long as this test lasts
    request = f"GET /ocpi/2.2.1/locations HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKEN}\r\n\r\n"
    with ExitStack() as open_lines:
        for number in range(4):
            line = open_lines.enter_context(socket.create_connection(("127.0.0.1", sandbox.ports["hub"]), timeout=30))
            line.sendall(request.encode())
            assert sandbox.wait_for(number + 1) == number + 1
        assert [one["refused"] for one in sandbox.log()] == [[], [], [], ["locations"]]


def test_jitter_on_the_way_in_moves_the_arrival(caller: Caller) -> None:
    caller.sandbox.latency("hub", inbound_ms=200)
    before = time.monotonic()
    caller.authorize()
    assert caller.sandbox.log()[0]["at"] - before >= 0.2


def test_a_log_normal_latency_is_taken_from_its_median_and_p95(caller: Caller) -> None:
    rng, told = random.Random(1), Latency(median_ms=50, p95_ms=60)
    drawn = sorted(told.answer_s(rng) for _ in range(4_000))
    assert statistics.median(drawn) == pytest.approx(0.050, rel=0.01)
    assert drawn[3_800] == pytest.approx(0.060, rel=0.01)
    caller.sandbox.latency("hub", median_ms=50, p95_ms=60)
    before = time.monotonic()
    caller.authorize()
    assert time.monotonic() - before >= 0.03


def test_a_foreign_user_takes_places_in_the_same_window(caller: Caller) -> None:
    caller.sandbox.limits("calls.second", 50, 60.0)
    caller.sandbox.prefill("stellantis:fleet-1", "calls.second", 49, age_s=10)
    first, second = caller.status(), caller.status()
    assert (first.headers["X-RateLimit-Remaining-2"], second.status) == ("0", 429)


@pytest.mark.parametrize("pattern", ["steady", "random", "bursts"])
def test_a_foreign_user_keeps_its_rate_and_is_refused_like_anybody(caller: Caller, pattern: str) -> None:
    caller.sandbox.limits("calls.second", 20, 60.0)
    began = time.monotonic()
    caller.sandbox.foreign("stellantis:fleet-1", rate=100, pattern=pattern)
    until(lambda: caller.sandbox.judge()["foreign"] >= 25)
    caller.sandbox.stop_foreign()
    gone = time.monotonic() - began
    verdict = caller.sandbox.judge()
    assert verdict["foreign"] <= 100 + 200 * gone
    assert verdict["refusals"]["foreign"] == verdict["foreign"] - 20
    assert (verdict["ours"], verdict["ok"]) == (0, True)


def test_a_polite_foreign_user_stops_where_nothing_remains(caller: Caller) -> None:
    caller.sandbox.limits("calls.second", 20, 60.0)
    caller.sandbox.foreign("stellantis:fleet-1", rate=200, polite=True)
    until(lambda: caller.sandbox.judge()["foreign"] >= 20)
    time.sleep(0.1)
    verdict = caller.sandbox.judge()
    assert (verdict["foreign"], verdict["refusals"]["foreign"]) == (20, 0)


def test_a_call_can_be_marked_as_foreign_by_a_header(caller: Caller) -> None:
    caller.status(X_Sandbox_Foreign="1")
    assert caller.sandbox.judge()["foreign"] == 1
