"""What a hub reports later about a command decides its fate by the same table, and settles what was not known."""

from pathlib import Path

import pytest

from tests.integration.fate_bench import Bench
from tests.integration.fate_count import provokes
from tests.integration.fate_provocations import FAILED, HUB_ODD, UNHEARD, UNSUPPORTED, target
from tests.integration.fate_sight import Ended
from tests.integration.fate_web import listening, tell
from worker.sandbox.server import Sandbox

START = "hub.start_session"
REFUSED = "1000, command REJECTED"


def unknown_then(redis_url: str, sandbox: Sandbox, folder: Path, result: str) -> Ended:
    """A command whose answer was lost, and the result that comes after all."""
    with listening() as (address, serve), Bench(redis_url, sandbox, folder, PUBLIC_URL=address) as bench:
        serve(bench)
        before = bench.run(START, fault={"action": "ocpi", "code": 4002})
        assert (before.state, before.error_class, len(before.arrivals)) == ("dead", "outcome_unknown", 1)
        assert tell(bench, before.job_id, result) == 200
        after = bench.ended(before.job_id)
        assert tell(bench, before.job_id, result) == 200, "saying it again changes nothing"
        assert bench.ended(before.job_id) == after
        assert bench.store.zcard(bench.key("dead_by", "class", "outcome_unknown")) == (
            1 if after.error_class == "outcome_unknown" else 0
        )
    assert (len(after.arrivals), after.attempts, len(after.evidence)) == (1, 1, 2)
    return after


@provokes("hub", FAILED, "unrepeatable")
@provokes("hub", REFUSED, "unrepeatable")
@provokes("hub", UNSUPPORTED, "unrepeatable")
@pytest.mark.parametrize(
    ("result", "error_class"),
    [
        ("FAILED", "command_failed"),
        ("CANCELED_RESERVATION", "command_failed"),
        ("UNKNOWN_RESERVATION", "command_failed"),
        ("REJECTED", "command_rejected"),
        ("EVSE_OCCUPIED", "command_rejected"),
        ("EVSE_INOPERATIVE", "command_rejected"),
        ("NOT_SUPPORTED", "command_unsupported"),
    ],
)
def test_a_later_refusal_is_a_dead_letter_of_its_own_class(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, result: str, error_class: str
) -> None:
    ended = unknown_then(redis_url, sandbox, tmp_path, result)
    assert (ended.state, ended.error_class, ended.code) == ("dead", error_class, result)
    assert (ended.problem["class"], ended.problem["code"]) == (error_class, result)
    assert [(alert.opened, alert.state) for alert in ended.alerts] == [(1, "resolved")], "the outcome is known now"


@provokes("hub", "1000", "unrepeatable")
def test_a_later_acceptance_settles_a_command_as_done(redis_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    ended = unknown_then(redis_url, sandbox, tmp_path, "ACCEPTED")
    assert (ended.state, ended.error_class) == ("done", "")
    assert [(alert.opened, alert.state) for alert in ended.alerts] == [(1, "resolved")]


@provokes("hub", UNHEARD, "unrepeatable")
@provokes("hub", HUB_ODD, "unrepeatable")
@pytest.mark.parametrize("result", ["TIMEOUT", "SOMETHING_NEW"])
def test_a_later_result_that_leaves_it_open_stays_an_unknown_outcome(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, result: str
) -> None:
    ended = unknown_then(redis_url, sandbox, tmp_path, result)
    assert (ended.state, ended.error_class, ended.code) == ("dead", "outcome_unknown", result)
    assert [alert.state for alert in ended.alerts].count("open") == 1


def test_a_stranger_settles_nothing(redis_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    with listening() as (address, serve), Bench(redis_url, sandbox, tmp_path, PUBLIC_URL=address) as bench:
        serve(bench)
        before = bench.run(START, fault={"action": "ocpi", "code": 4002})
        assert tell(bench, before.job_id, "ACCEPTED", door="a-guess") == 404
        assert bench.ended(before.job_id) == before


@pytest.mark.slow
@provokes("hub", UNHEARD, "unrepeatable")
def test_a_command_whose_result_never_comes_is_unknown_until_it_comes_after_all(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The hub's own answer names one second; the settings' time holds where it names none."""
    with listening() as (address, serve), Bench(redis_url, sandbox, tmp_path, PUBLIC_URL=address) as bench:
        serve(bench)
        sandbox.config({"hub.command_timeout_s": 1})
        job = bench.send("hub.start_session", body=target("DROP"))
        ended = bench.wait(job, "dead", patience_s=60)
        assert (ended.error_class, ended.code, ended.attempts) == ("outcome_unknown", "command_timeout", 0)
        assert (len(ended.arrivals), ended.told, ended.alerts[0].state) == (1, 1, "open")
        assert "never came" in ended.why
        assert tell(bench, job, "ACCEPTED") == 200
        late = bench.ended(job)
        assert (late.state, late.error_class, late.alerts[0].state) == ("done", "", "resolved")
        assert sandbox.results() == []


@pytest.mark.slow
@provokes("hub", UNHEARD, "unrepeatable")
def test_where_the_answer_names_no_time_the_settings_say_how_long_a_result_is_awaited(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    answer = {"status_code": 1000, "timestamp": "2026-01-31T09:00:00Z", "data": [{"result": "ACCEPTED"}]}
    with Bench(redis_url, sandbox, tmp_path, FAIL__COMMAND_RESULT_S="0.5") as bench:
        bench.fault("hub.start_session", "status", times=1, status=200, body=answer)
        job = bench.send("hub.start_session")
        ended = bench.wait(job, "dead", patience_s=60)
    assert (ended.error_class, ended.code, ended.told) == ("outcome_unknown", "command_timeout", 1)
