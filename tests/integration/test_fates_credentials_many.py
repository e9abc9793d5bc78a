"""A revoked token with real numbers: 1,000 calls waiting, 32 in flight, a receiver of Sentry events."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.integration.alerting import Kent, wait_until
from tests.integration.fate_bench import Bench
from tests.integration.test_fates_credentials import HUB, secret_file, with_files, write
from worker.sandbox.server import Sandbox

READ = "hub.get_location"
FLIGHT, WAITING = 32, 1000
PROBE_S = 0.6


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_revoked_token_costs_one_flight_one_event_and_no_attempt_and_everything_goes_on_with_the_new_one(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    kent = Kent().start()
    try:
        options = {
            "OBSERVE__SENTRY_DSN": kent.dsn,
            "BROKER__LANE_CAP": str(FLIGHT),
            "FAIL__CREDENTIAL_PROBE_S": str(PROBE_S),
        }
        files = with_files(sandbox, tmp_path)
        with Bench(redis_url, sandbox, tmp_path, threads=FLIGHT, idle=True, environ=files, **options) as bench:
            sandbox.latency("hub", fixed_ms=400)
            sandbox.rotate(HUB, "the-next-secret", overlap=False)
            jobs = [bench.send(READ) for _ in range(WAITING)]
            bench.start()
            bench.until(bench.holds, "a hold")
            bench.until(lambda: sandbox.count(unauthorized=True) >= FLIGHT + 4, "three probes")
            # at most one flight and a probe arrived before all were paced, however late some of the flight set off
            probes = [arrival["at"] for arrival in sandbox.log(unauthorized=True)[FLIGHT + 1 :]]
            assert all(later - earlier >= PROBE_S for earlier, later in pairwise(probes)), "one at a time"
            assert set(bench.holds()) == {f"account:{HUB}"}
            wait_until(lambda: len(kent.events()) == 1, "the event has come")

            sandbox.latency("hub", fixed_ms=1)
            write(secret_file(tmp_path, HUB), "the-next-secret")
            bench.until(lambda: bench.states(jobs)["done"] == WAITING, "all to be done", patience_s=120)
            assert (bench.holds(), {bench.record(job).get("attempts", "0") for job in jobs}) == ({}, {"0"})
            assert [(alert.opened, alert.state) for alert in bench.alerts()] == [(1, "resolved")]
            refused = sandbox.count(unauthorized=True)
            assert sandbox.count(operation=READ) == WAITING + refused

            sandbox.rotate(HUB, "yet-another-secret", overlap=False)
            again = bench.send(READ)
            bench.until(bench.holds, "another hold")
            wait_until(lambda: len(kent.events()) == 2, "the second event has come")
            write(secret_file(tmp_path, HUB), "yet-another-secret")
            assert bench.wait(again).state == "done"
            assert [(alert.opened, alert.state) for alert in bench.alerts()] == [(2, "resolved")]
        received = kent.everything()
        titles = {event["message"] for event in kent.events()}
    finally:
        kent.stop()
    assert len(titles) == 1 and "held" in titles.pop()
    secrets = [row["token"] for row in json.loads(sandbox.environment()["PACELINE_HUB__PARTIES"])]
    for secret in (*secrets, "the-next-secret", "yet-another-secret"):
        assert secret not in received and secret not in bench.log_file.read_text(encoding="utf-8")
