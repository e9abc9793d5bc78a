"""`alerts`: what somebody should know, who knows of it, and what is over."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.terminal import Terminal
from worker.limiter.quota import quotas
from worker.sandbox.server import Sandbox
from worker.store.partition import Partition

CAR = "stellantis:fleet-1"
STATUS = "stellantis.b2b.get_vehicle_status"


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    # Looks come with every renewal here: five to a period of a second.
    with Bench(redis_url, sandbox, tmp_path, idle=True, OBSERVE__SHARE_PERIOD_S="1", OBSERVE__SHARE_LEAST="5") as made:
        yield made


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(bench.environ, monkeypatch, capsys)


def test_no_alert_says_so(run: Terminal) -> None:
    said = run("alerts", "list")
    assert (said.code, said.out) == (0, "")
    assert "no alert stands in the store at redis://" in said.err
    assert run("alerts", "list", "--json").records == []


def test_an_alert_is_listed_shown_acknowledged_and_resolved(bench: Bench, run: Terminal) -> None:
    bench.start()
    assert bench.run(STATUS, fault={"action": "error_body", "times": 1, "status": 418, "code": 41800}).state == "dead"
    record = run("alerts", "list", "--json").record
    key = record["key"]
    assert (record["state"], record["level"], record["count"], record["reopened"]) == ("open", "error", 1, False)
    assert record["title"] == f"Dead letters of {STATUS}: undocumented (41800)"
    assert run("alerts", "list").lines[1].split()[:3] == [key, "open", "1"]
    shown = run("alerts", "show", key)
    assert shown.lines[0] == record["title"]
    assert any(line.split()[:1] == ["advice"] and "support" in line for line in shown.lines)

    said = run("alerts", "ack", key, "--reason", "asked their support")
    assert (said.code, said.out) == (0, f"{key} is acknowledged\n")
    known = run("alerts", "show", key, "--json").record
    assert (known["state"], known["acknowledged_why"]) == ("acknowledged", "asked their support")
    assert "@" in known["acknowledged_by"]
    again = run("alerts", "ack", key, "--json")
    assert (again.code, again.record["done"]) == (1, False)
    assert f"{key} is acknowledged already, by " in again.err

    assert run("alerts", "resolve", key, "--json").record == {"alert": key, "done": True, "why": None}
    assert run("alerts", "list", "--json").records == []
    assert run("alerts", "list", "--all", "--json").record["state"] == "resolved"
    assert run("alerts", "resolve", key).code == 1


def test_what_is_not_known_is_not_found_and_keeps_nothing_else_back(bench: Bench, run: Terminal) -> None:
    bench.start()
    bench.run(STATUS, fault={"action": "error_body", "times": 1, "status": 418, "code": 41800})
    key = run("alerts", "list", "--json").record["key"]
    assert run("alerts", "show", "problem:nothing").code == 4
    assert run("alerts", "ack", "problem:nothing", "else").code == 4
    said = run("alerts", "ack", "problem:nothing", key)
    assert (said.code, said.out) == (5, f"{key} is acknowledged\n")
    assert "no alert 'problem:nothing' is known" in said.err
    assert run("alerts", "ack").code == 2


def test_cars_that_are_refused_in_a_row_are_told_as_one_alert(bench: Bench, run: Terminal) -> None:
    bench.start()
    bench.until(lambda: bench.store.hexists(bench.key("samples"), CAR), "a first look")
    bench.fault(STATUS, "error_body", status=403, code=40399)
    jobs = [bench.send(STATUS) for _ in range(8)]
    assert {bench.wait(job).error_class for job in jobs} == {"access_refused"}
    assert bench.store.hget(bench.key("tally"), f"{CAR}|access_refused") == b"8"
    bench.until(lambda: run("alerts", "list", "--json").records, "an alert")
    (record,) = run("alerts", "list", "--json").records
    assert record["key"].startswith(f"share:{CAR}|access_refused:2")
    assert record["fingerprint"] == f"share:{CAR}|access_refused"
    assert record["title"].startswith(f"{CAR}: 100% of the answers of 1 s are access refused, 0% before")
    assert "consents" in record["advice"]


def test_the_same_figure_is_in_the_advice_in_doctor_and_in_the_list_of_lanes(bench: Bench, run: Terminal) -> None:
    subscriptions = json.loads(bench.environ["PACELINE_STELLANTIS__SUBSCRIPTIONS"])
    subscriptions[0] |= {"limit_per_day": 20, "day_window_s": 86_400, "limits": {}}
    with Bench(
        bench.environ["PACELINE_REDIS_URL"], bench.sandbox, bench.log_file.parent, OBSERVE__SHARE_PERIOD_S="1",
        environ={"PACELINE_STELLANTIS__SUBSCRIPTIONS": json.dumps(subscriptions)},
    ) as busy:  # fmt: skip
        run.set(**busy.environ)
        for job in [busy.send(STATUS, deadline_s=3600) for _ in range(18)]:
            assert busy.wait(job).state == "done"
        busy.until(lambda: run("alerts", "list", "--account", CAR, "--json").records, "advice")
        (record,) = run("alerts", "list", "--account", CAR, "--json").records
        figure = quotas(Partition(busy.store, busy.key))[CAR]
        words = "18 of 20 calls in 24 h are used, 0 jobs wait"
        assert figure.words() == words
        assert record["title"] == f"{CAR} is near its limit: {words}"
        assert "contact Stellantis to have its ratios increased" in record["advice"]
        listed = run("lanes", "list", "--account", CAR)
        assert f"paceline: {CAR}: 90% of the limit is used ({words}); the limit of a subscription can be" in listed.err
        lane = run("lanes", "list", "--account", CAR, "--json").records[0]
        assert lane["quota"]["advice"] == ["90% of the limit is used"]
        assert (lane["quota"]["used"], lane["quota"]["limit"], lane["quota"]["waiting"]) == (18, 20, 0)
        found = [one["said"] for one in run("doctor", "--offline", "--json").records if one["about"] == CAR]
        assert found == [
            f"90% of the limit is used ({words}); the limit of a subscription can be raised: contact Stellantis to "
            "have its ratios increased."
        ]
