"""Ends of jobs as somebody else's service hears of them: over a real socket, signed, retried, and on record."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.integration.fate_bench import Bench
from tests.integration.fate_sight import Ended
from tests.integration.told_host import KEY, NEXT_KEY, Host, Told
from worker.accept.intake.telling import ENDS, OMITTED, SCHEMAS
from worker.accept.jobs import Jobs
from worker.errors import Conflict, Refused
from worker.fail.dead_letter import letter
from worker.sandbox.server import Sandbox
from worker.store.partition import Partition

STATUS, LOCATIONS, CDR = "stellantis.b2b.get_vehicle_status", "hub.list_locations", "hub.post_cdr"
START = "hub.start_session"


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


def bench_of(redis_url: str, sandbox: Sandbox, folder: Path, host: Host, **more: Any) -> Bench:
    idle = more.pop("idle", False)
    return Bench(redis_url, sandbox, folder, idle=idle, **host.settings(**more))


def heard(bench: Bench, host: Host, count: int = 1) -> list[Told]:
    """What the host was told, once that is this much and every job has ended."""
    bench.until(lambda: len(host.told) >= count and left(bench) == 0, f"{count} callbacks")
    return host.told


def left(bench: Bench) -> int:
    counts = {k.decode(): int(v) for k, v in bench.store.hgetall(bench.key("counts")).items()}
    return counts.get("accepted", 0) - sum(counts.get(end, 0) for end in ENDS)


def test_the_end_of_a_call_is_told_with_its_result_and_a_signature(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        job = bench.send(STATUS, key="my-own-key", callback_url=host.url())
        (told,) = heard(bench, host)
        ended = bench.ended(job)
        teller = bench.wait(f"{job}.c1")
    assert told.signed
    assert (told.path, told.headers["content-type"]) == ("/ended/s3cr3t-path?room=s3cr3t-room", "application/json")
    assert told.id == teller.job_id
    assert (told.message["type"], told.message["timestamp"]) == ("job.done", told.data["ended"])
    assert {name: told.data[name] for name in ("id", "operation", "account", "state", "key", "omitted", "problem")} == {
        "id": job, "operation": STATUS, "account": "stellantis:fleet-1", "state": "done", "key": "my-own-key",
        "omitted": None, "problem": None,
    }  # fmt: skip
    assert told.data["result"] == ended.result["value"]
    assert (teller.state, teller.runs, teller.record["acct"]) == ("done", 1, host.account)


def test_what_is_told_has_the_shape_that_is_described(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        bench.fault(STATUS, "error_body", times=1, status=400, code=40000)
        bench.send(STATUS, callback_url=host.url())
        bench.send(CDR, callback_url=host.url())
        told = heard(bench, host, 2)
    event = SCHEMAS["job_event"]["properties"]
    data = event["data"]["properties"]
    for one in told:
        assert set(one.message) == set(event)
        assert set(one.data) == set(data)
        assert one.message["type"] in event["type"]["enum"]
        assert one.data["omitted"] in (None, *OMITTED)
        if one.data["problem"] is not None:
            assert set(one.data["problem"]) == {"class", "code", "message", "problem"}
    assert {one.message["type"] for one in told} == {"job.dead", "job.done"}


def test_a_dead_letter_is_told_with_its_problem_and_again_when_it_was_sent_again(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        bench.fault(STATUS, "error_body", times=1, status=400, code=40000)
        job = bench.send(STATUS, callback_url=host.url())
        heard(bench, host)
        bench.broker.scripts("redrive", {"id": job, "by": "ann", "reason": "mended"})
        first, second = heard(bench, host, 2)
    assert (first.message["type"], second.message["type"]) == ("job.dead", "job.done")
    assert (first.data["problem"]["class"], first.data["problem"]["code"]) == ("invalid_request", "40000")
    assert (first.data["result"], first.data["end"], second.data["end"]) == (None, 1, 2)
    assert first.id != second.id
    assert second.data["result"]


def test_a_cancelled_and_an_expired_job_are_told(redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        bench.hold("account:stellantis:fleet-1")
        gone = bench.send(STATUS, callback_url=host.url())
        late = bench.send(STATUS, callback_url=host.url(), deadline_s=0.2)
        bench.broker.scripts("cancel", {"id": gone, "by": "ann", "reason": "not needed"})
        told = {one.data["id"]: one for one in heard(bench, host, 2)}
    assert (told[gone].message["type"], told[late].message["type"]) == ("job.cancelled", "job.expired")
    assert told[late].data["problem"]["class"] == "expired"


def test_a_list_is_told_once_with_all_its_pages(redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        job = bench.send(LOCATIONS, params={"limit": 10}, callback_url=host.url())
        (told,) = heard(bench, host)
        pages = bench.store.llen(bench.key("chain", job))
    assert pages > 2
    assert (told.data["id"], told.id) == (job, f"{job}.p{pages}.c1")
    assert len(told.data["result"]) > 20


def test_a_command_is_told_when_its_result_has_come(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        job = bench.send(START, key="k", callback_url=host.url())
        bench.wait(job, "awaiting")
        door = bench.record(job)["door"]
        said = json.dumps({"result": "ACCEPTED"})
        bench.broker.scripts("answer", {"id": job, "door": door, "heard": said, "verdict": {"done": True}}, "")
        (told,) = heard(bench, host)
    assert (told.message["type"], told.data["command_result"]) == ("job.done", {"result": "ACCEPTED"})


def test_a_receiver_that_is_down_is_told_later_under_the_same_id(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    host.answers = [(500, {}), (503, {"retry-after": "0"}), (502, {})]
    with bench_of(redis_url, sandbox, tmp_path, host, CALLBACKS__ATTEMPTS="5") as bench:
        job = bench.send(STATUS, callback_url=host.url())
        told = heard(bench, host, 4)
        teller = bench.wait(f"{job}.c1", "done")
    assert {one.id for one in told} == {f"{job}.c1"}
    assert all(one.signed for one in told)
    assert (teller.attempts, teller.runs, len(teller.evidence)) == (2, 4, 4)


def test_a_receiver_that_stays_down_leaves_a_dead_letter_that_can_be_sent_again(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    host.always = (500, {})
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        job = bench.send(STATUS, callback_url=host.url())
        teller = bench.wait(f"{job}.c1", "dead")
        assert (teller.error_class, teller.attempts, len(host.told)) == ("server_trouble", 2, 2)
        assert [record["outcome"]["code"] for record in teller.evidence] == ["http_500", "http_500"]
        assert teller.problem["op"] == "callback.post_result"
        assert_nothing_secret(bench, teller)
        host.always = None
        assert bench.broker.scripts("redrive", {"id": teller.job_id, "by": "ann", "reason": "mended"}) == b"waiting"
        again = bench.wait(teller.job_id, "done")
    assert (again.record["redrives"], host.told[-1].id) == ("1", teller.job_id)


def assert_nothing_secret(bench: Bench, teller: Ended) -> None:
    """Neither what signs nor what comes after the receiver's host, which often is a key as well."""
    jobs = Jobs(Partition(bench.store, bench.key), bench.system.redactor)
    shown = json.dumps([teller.evidence, letter(jobs, jobs.read(teller.job_id))])
    shown += bench.log_file.read_text(encoding="utf-8")
    shown += json.dumps([alert.facts for alert in teller.alerts])
    for secret in (KEY, KEY.removeprefix("whsec_"), "s3cr3t"):
        assert secret not in shown
    assert f"http://{teller.record['acct'].partition(':')[2]}/" in shown


def test_a_job_that_was_started_again_is_told_without_what_is_not_of_that_end(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        bench.hold(f"account:{host.account}")
        bench.fault(STATUS, "error_body", times=1, status=400, code=40000)
        job = bench.send(STATUS, callback_url=host.url())
        bench.wait(job, "dead")
        bench.broker.scripts("redrive", {"id": job, "by": "ann", "reason": "mended"})
        bench.wait(job, "done")
        bench.release(f"account:{host.account}")
        told = {one.data["end"]: one.data for one in heard(bench, host, 2)}
    assert (told[1]["state"], told[1]["problem"], told[1]["omitted"]) == ("dead", None, "started_again")
    assert (told[2]["state"], told[2]["omitted"]) == ("done", None)


def test_a_record_that_is_gone_is_told_as_that(redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        bench.hold(f"account:{host.account}")
        job = bench.send(STATUS, callback_url=host.url())
        bench.wait(job, "done")
        bench.store.delete(*(bench.key(kind, job) for kind in ("job", "message", "evidence", "result")))
        bench.release(f"account:{host.account}")
        (told,) = heard(bench, host)
    assert (told.message["type"], told.data["id"], told.data["operation"]) == ("job.done", job, STATUS)
    assert (told.data["result"], told.data["omitted"]) == (None, "gone")


def test_a_result_that_is_too_large_is_left_out(redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host, CALLBACKS__MAX_RESULT_BYTES="20") as bench:
        job = bench.send(STATUS, callback_url=host.url())
        (told,) = heard(bench, host)
    assert (told.data["result"], told.data["omitted"]) == (None, "too_large")
    assert told.data["location"] == f"/v1/jobs/{job}"


def test_it_is_not_tried_for_longer_than_there_is_something_to_tell(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    short = {"FAIL__RESULT_TTL_S": "60", "FAIL__KEY_TTL_S": "60"}
    with bench_of(redis_url, sandbox, tmp_path, host, **short) as bench:
        job = bench.send(STATUS, callback_url=host.url())
        heard(bench, host)
        teller = bench.record(f"{job}.c1")
    assert int(teller["dlrel"]) == 60_000_000


def test_during_a_rotation_both_secrets_sign_and_a_replaced_file_is_used_at_once(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    file = tmp_path / "callback-secret"
    file.write_text(KEY)
    secrets = {"CALLBACKS__SECRET": json.dumps({"file": str(file)}), "CALLBACKS__NEXT_SECRET": NEXT_KEY}
    with bench_of(redis_url, sandbox, tmp_path, host, **secrets) as bench:
        bench.send(STATUS, callback_url=host.url())
        (both,) = heard(bench, host)
        file.write_text(NEXT_KEY)
        bench.send(STATUS, callback_url=host.url())
        switched = heard(bench, host, 2)[-1]
        known = bench.system.credentials.secrets()
    assert both.signed
    for one in (both, switched):
        assert Webhook(NEXT_KEY).verify(one.body, one.headers) == one.message
    assert not switched.signed
    assert {KEY, NEXT_KEY, KEY.removeprefix("whsec_")} <= set(known)


def test_a_callback_counts_as_a_call_of_its_hosts_own_budget(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    limits = {"CALLBACKS__LIMITS": json.dumps({host.name: {"limit": 2, "window_s": 0.5}})}
    with bench_of(redis_url, sandbox, tmp_path, host, **limits) as bench:
        for _ in range(4):
            bench.send(STATUS, callback_url=host.url())
        at = sorted(one.at for one in heard(bench, host, 4))
    assert min(third - first for first, third in zip(at, at[2:], strict=False)) >= 0.5


def test_other_jobs_do_not_wait_for_a_receiver_that_hangs(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"127.0.0.1:{silent.getsockname()[1]}"
        hosts = {"CALLBACKS__HOSTS": json.dumps([name]), "CALLBACKS__TIMEOUT_S": "0.6", "BROKER__LANE_CAP": "1"}
        with bench_of(redis_url, sandbox, tmp_path, host, **hosts) as bench:
            jobs = [bench.send(STATUS, callback_url=f"http://{name}/") for _ in range(2)]
            bench.until(lambda: bench.states(jobs) == {"done": 2}, "the calls themselves")
            tellers = [bench.wait(f"{job}.c1", "dead") for job in jobs]
    assert {teller.error_class for teller in tellers} == {"outcome_unknown"}
    assert {teller.code for teller in tellers} == {"read_timeout"}


def test_the_same_key_with_another_address_is_another_call(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        job = bench.send(STATUS, key="one", callback_url=host.url("/a"))
        assert bench.send(STATUS, key="one", callback_url=host.url("/a")) == job
        with pytest.raises(Conflict):
            bench.send(STATUS, key="one", callback_url=host.url("/b"))
        with pytest.raises(Conflict):
            bench.send(STATUS, key="one")
        heard(bench, host)


def test_nobody_asks_for_a_callback_by_itself(redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host) -> None:
    with (
        bench_of(redis_url, sandbox, tmp_path, host, idle=True) as bench,
        pytest.raises(Refused, match="which Paceline makes itself"),
    ):
        bench.send("callback.post_result", host.account, {"callback_url": host.url()})


def test_without_a_host_in_the_settings_every_address_is_refused_and_nothing_is_stored(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Bench(redis_url, sandbox, tmp_path, idle=True) as bench:
        with pytest.raises(Refused, match="PACELINE_CALLBACKS__HOSTS is empty"):
            bench.send(STATUS, callback_url="https://hooks.example.com/")
        assert bench.store.exists(bench.key("counts")) == 0


def test_a_python_caller_gives_the_address_with_send(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    with bench_of(redis_url, sandbox, tmp_path, host) as bench:
        actor = bench.broker.get_actor(STATUS)
        params = {"fid": "FLEET-1", "vid": "VEH-00001"}
        message = actor.send(account="stellantis:fleet-1", params=params, callback_url=host.url())
        (told,) = heard(bench, host)
    assert told.data["id"] == message.message_id

