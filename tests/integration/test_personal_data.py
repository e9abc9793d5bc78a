"""Who drives, which car, and where: where such data is kept, and where it is masked.

- The job's own message in the store keeps the parameters and the body as they were given: the call is made from them.
  The result keeps the answer as it came: whoever asked for it gets it, by `jobs wait` and the like. Both go with the
  job when its time is over, and neither is printed by anything that looks at a job from outside.
- Everything else is made for others than the caller and shows such data masked, so that only its last characters are
  left, and so is what an answer or an exception says of those whom the call names: log lines, evidence, dead letters
  and their reasons, problems, alerts, what the commands on jobs and dead letters print. With
  `PACELINE_OBSERVE__PERSONAL_DATA=show` they are shown there too.
"""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.integration.fate_bench import Bench
from tests.integration.fate_hindrances import Raising
from worker.cli import cli
from worker.sandbox.server import Sandbox

READ, START, STATUS = "hub.authorize_token", "hub.start_session", "stellantis.b2b.get_vehicle_status"
UID, CONTRACT, VIN = "04AF3C219B77D0", "IN-ABC-C77001922", "VF3CUYHNVKY770192"
LATITUDE, PHONE, EMAIL, DRIVER = "48.858370", "+91 98200 77019", "asha.77019@drivers.example", "Asha Driver-77019"
PEOPLE = {
    "uid": UID, "contract": CONTRACT, "VIN": VIN, "latitude": LATITUDE, "phone": PHONE, "email": EMAIL,
    "driver": DRIVER,
}  # fmt: skip
SENTENCE = f"call {PHONE} or {EMAIL} for the car {VIN}"
"""Recognised by its look; a card only where the call itself names it."""
CARD = {
    "country_code": "IN", "party_id": "ABC", "uid": UID, "type": "RFID", "contract_id": CONTRACT, "issuer": "ABC",
    "valid": True, "whitelist": "NEVER", "last_updated": "2026-01-31T09:00:00Z",
}  # fmt: skip
POSITION = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2.294481, float(LATITUDE)]}}
CAR = {
    "vin": VIN, "lastPosition": POSITION, "driver": {"name": DRIVER, "phone": PHONE, "email": EMAIL},
    "latitude": LATITUDE, "card": {"uid": UID, "contract_id": CONTRACT}, "_links": {},
}  # fmt: skip


@pytest.fixture
def console() -> Iterator[StringIO]:
    """What a process prints of Python's own logging."""
    text = StringIO()
    handler = logging.StreamHandler(text)
    logging.getLogger().addHandler(handler)
    yield text
    logging.getLogger().removeHandler(handler)


def run_calls(bench: Bench) -> dict[str, str]:
    """A call that ends well, and calls that die while everybody speaks of the people in them. Their ids by name."""
    uid = {"country_code": "IN", "party_id": "ABC", "token_uid": UID}
    jobs = {}
    bench.fault(STATUS, "status", times=1, status=200, body=CAR)
    jobs["done"] = bench.run(STATUS, None, {"fid": "FLEET-1", "vid": VIN}).job_id
    bench.fault(STATUS, "error_body", times=1, status=403, code=40300, message=SENTENCE)
    jobs["refused"] = bench.run(STATUS, None, {"fid": "FLEET-1", "vid": VIN}).job_id
    bench.fault(READ, "ocpi", times=1, code=4001, message=f"card {UID}: {SENTENCE}")
    jobs["told"] = bench.run(READ, None, uid).job_id
    bench.fault(START, "ocpi", times=1, code=3001, message=f"card {UID} of {CONTRACT}: {SENTENCE}")
    jobs["unknown"] = bench.run(START, None, {}, {"token": CARD, "location_id": "LOC-0001"}).job_id
    bench.broker.deliver = broken
    jobs["internal"] = bench.run(READ, None, uid).job_id
    return jobs


def broken(operation: Any, card: Any, account: str, params: Any, body: Any) -> Any:
    raise ValueError(f"{SENTENCE}: {params}")


def printed(bench: Bench, jobs: dict[str, str]) -> dict[str, str]:
    """What each command prints."""
    letters = [job for name, job in jobs.items() if name != "done"]
    commands = [
        ["dlq", "export"], ["dlq", "list"], ["dlq", "list", "--json"], ["dlq", "problems", "--json"],
        *(["dlq", "show", job, *more] for job in letters for more in ([], ["--json"])),
        *(["jobs", "show", job, *more] for job in jobs.values() for more in ([], ["--json"])),
    ]  # fmt: skip
    found = {}
    for words in commands:
        ran = CliRunner().invoke(cli, words, env=bench.environ, catch_exceptions=False)
        assert ran.exit_code in (0, 1), ran.output
        found[" ".join(words)] = ran.output
    return found


def seen_from_outside(bench: Bench, jobs: dict[str, str], console: StringIO) -> dict[str, str]:
    """Every place that others than the caller look at."""
    ended = [bench.ended(job) for job in jobs.values()]
    return {
        "log lines": bench.log_file.read_text(encoding="utf-8"),
        "other log records": console.getvalue(),
        "evidence": json.dumps([job.evidence for job in ended], ensure_ascii=False),
        "records": json.dumps([[job.record, job.problem] for job in ended], ensure_ascii=False),
        "alerts": json.dumps([[alert.key, alert.facts] for alert in bench.alerts()], ensure_ascii=False),
        **printed(bench, jobs),
    }


def places_of(seen: dict[str, str]) -> set[tuple[str, str]]:
    return {(name, where) for where, text in seen.items() for name, value in PEOPLE.items() if value in text}


def test_people_and_places_are_masked_wherever_others_look(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, console: StringIO
) -> None:
    with Bench(redis_url, sandbox, tmp_path, middleware=[Raising(SENTENCE)]) as bench:
        jobs = run_calls(bench)
        seen = seen_from_outside(bench, jobs, console)
        kept = {name: (bench.store.get(bench.key("message", job)) or b"").decode() for name, job in jobs.items()}
        result = bench.ended(jobs["done"]).result
    assert places_of(seen) == set()
    assert [where for where, text in seen.items() if not text] == []
    assert "ValueError" in seen["other log records"]
    assert all(f"…{value[-4:]}" in seen["evidence"] for value in (UID, CONTRACT, VIN)), "recognisable for who knows it"
    assert [UID in kept["told"], UID in kept["unknown"], CONTRACT in kept["unknown"], VIN in kept["done"]] == [True] * 4
    assert result["value"] == CAR, "the caller gets the answer as it came"


def test_people_and_places_are_shown_where_the_settings_say_so(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, console: StringIO
) -> None:
    show = {"OBSERVE__PERSONAL_DATA": "show"}
    with Bench(redis_url, sandbox, tmp_path, middleware=[Raising(SENTENCE)], **show) as bench:
        jobs = run_calls(bench)
        places = places_of(seen_from_outside(bench, jobs, console))
    for where in ("log lines", "evidence"):
        assert {name for name, place in places if place == where} == set(PEOPLE)
    assert {("uid", "alerts"), ("contract", "dlq export"), ("VIN", "dlq export")} <= places
