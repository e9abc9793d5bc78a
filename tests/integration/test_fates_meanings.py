"""A success is looked into: what it says, in whatever form it says it, reaches the caller in one word."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.fate_bench import Bench, sandbox_of
from worker.accept.operation import find
from worker.sandbox.server import Sandbox

SEND, GET = "stellantis.b2b.send_remote", "stellantis.b2b.get_remote"
DOOR = {"door": {"state": "Locked"}}


def remote_at(car: str) -> dict[str, str]:
    return {"fid": "FLEET-1", "vid": car, "cbid": "CB-000001"}


@pytest.mark.parametrize(
    ("car", "means"),
    [
        ("VEH-00001", "carried out"),
        ("FAILED-1", "not carried out"),
        ("BUSY-1", "asked for twice: the same action is in progress"),
    ],
)
def test_reading_a_remote_action_says_what_became_of_it(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, car: str, means: str
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        sent = bench.run(SEND, None, remote_at(car), DOOR)
        assert (sent.state, "means" in sent.result) == ("done", False)
        rid = sent.result["value"]["remoteActionId"]
        read = bench.run(GET, None, {**remote_at(car), "rid": rid})
    assert (read.state, read.result["means"], read.told) == ("done", means, 0)


def test_a_car_that_was_in_that_state_already_is_what_was_asked_for(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    action = {"remoteActionId": "RA-000007", "type": "Doors", "status": "AlreadyDone", "_links": {}}
    with Bench(redis_url, sandbox, tmp_path) as bench:
        bench.fault(GET, "status", times=1, status=200, body=action)
        read = bench.run(GET, None, {**remote_at("VEH-00001"), "rid": "RA-000007"})
    assert (read.state, read.result["means"], read.result["value"]) == ("done", "carried out", action)


@pytest.mark.parametrize("operation", ["hub.start_session", "hub.stop_session"])
def test_a_commands_answer_may_be_an_object_or_a_list_of_one(redis_url: str, tmp_path: Path, operation: str) -> None:
    results = []
    for form in ("object", "list"):
        with sandbox_of(hub={"command_data": form}) as sandbox, Bench(redis_url, sandbox, tmp_path) as bench:
            job = bench.send(operation)
            assert bench.wait(job).well
            results.append(bench.ended(job).result["value"]["result"])
    assert results == ["ACCEPTED", "ACCEPTED"]


@pytest.mark.parametrize("operation", ["hub.get_location", "hub.get_client_info", "hub.authorize_token"])
def test_an_object_in_a_list_of_one_reaches_the_caller_as_the_object(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    data = {"id": "LOC-0001", "allowed": "NO_CREDIT"}
    with Bench(redis_url, sandbox, tmp_path) as bench:
        bench.fault(operation, "status", times=1, status=200, body={"status_code": 1000, "data": [data]})
        ended = bench.run(operation)
    assert (ended.state, ended.result["value"]) == ("done", data)


@pytest.mark.parametrize("allowed", ["ALLOWED", "BLOCKED", "NOT_ALLOWED", "EXPIRED", "NO_CREDIT"])
def test_five_of_the_six_answers_about_a_token_are_answers(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, allowed: str
) -> None:
    """The sixth, UNKNOWN, is none: its row is in the table of provocations."""
    params = {**find("hub.authorize_token").example[0], "token_uid": f"{allowed}-1"}
    with Bench(redis_url, sandbox, tmp_path) as bench:
        ended = bench.run("hub.authorize_token", None, params)
    assert (ended.state, ended.result["value"]["allowed"], ended.told) == ("done", allowed, 0)


@pytest.mark.parametrize("car", ["NODATA-1", "NOSTATUS-1", "NOVEHICLE-1"])
def test_missing_data_is_done_and_says_so(redis_url: str, sandbox: Sandbox, tmp_path: Path, car: str) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        ended = bench.run("stellantis.b2b.get_vehicle_status", None, {"fid": "FLEET-1", "vid": car})
    assert (ended.state, ended.result["class"], ended.result["value"]) == ("done", "no_data", {"no_data": True})


def test_ids_are_compared_without_case(redis_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    params, body = find("hub.put_session").example
    assert body is not None
    lower: dict[str, Any] = {**params, "country_code": "in", "party_id": "cpo"}
    lower["session_id"] = params["session_id"].lower()
    with Bench(redis_url, sandbox, tmp_path) as bench:
        assert bench.run("hub.put_session", "hub:IN-CPO", lower, body).state == "done"
