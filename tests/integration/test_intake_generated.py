"""A client that nobody wrote: an off-the-shelf generator makes it from the committed document, and it asks for a call
and waits for its result, with nothing of ours on its path.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.fate_web import listening
from tests.integration.intake import entry
from worker.sandbox.server import Sandbox

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "worker" / "accept" / "intake" / "openapi.json"
KEY = "pace_of-a-service-of-the-tests"
SERVICE = """
import json, sys

from paceline_api import AuthenticatedClient
from paceline_api.api.jobs import cancel_job, list_jobs, post_job, read_job
from paceline_api.models import (
    Error, HubStopSession, StatusParams, StellantisB2bGetVehicleStatus, StopSession, State
)

ENDED = {State.DONE, State.DEAD, State.CANCELLED, State.EXPIRED}
client = AuthenticatedClient(sys.argv[1], sys.argv[2], timeout=40)

def call(vid):
    return StellantisB2bGetVehicleStatus(
        operation="stellantis.b2b.get_vehicle_status", account="stellantis:fleet-1",
        params=StatusParams(fid="FLEET-1", vid=vid), deadline_s=600.0,
    )

def ended(job_id):
    while True:
        job = read_job.sync(client=client, job_id=job_id, wait=20)
        if job.state in ENDED:
            return job

answers = [post_job.sync_detailed(client=client, body=call("VEH-00001"), idempotency_key="of-mine") for _ in range(2)]
asked = [answer.parsed for answer in answers]
job = ended(asked[0].id)
missing = ended(post_job.sync(client=client, body=call("VEH-99999")).id)
refused = post_job.sync(client=client, body=HubStopSession(
    operation="hub.stop_session", account="hub:IN-ABC", body=StopSession(session_id="S-1")
))
unknown = read_job.sync(client=client, job_id="0-nothing")
found = list_jobs.sync(client=client, key="of-mine")
late = cancel_job.sync(client=client, job_id=asked[0].id)
assert isinstance(unknown, Error) and isinstance(refused, Error) and isinstance(late, Error)
print(json.dumps({
    "statuses": [int(answer.status_code) for answer in answers],
    "ids": [one.id for one in asked],
    "state": job.state.value,
    "attempts": job.attempts,
    "ended": job.ended.isoformat(),
    "result": job.result,
    "missing": missing.state.value,
    "refused": [refused.status, refused.type_.value],
    "unknown": unknown.status,
    "found": [one.id for one in found.items],
    "late": late.status,
    "ours": sorted(name for name in sys.modules if name.split(".")[0] in ("worker", "tasks", "settings")),
}))
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the package `paceline_api`."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "config.yml").write_text("post_hooks: []\n", encoding="utf-8")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(DOCUMENT), "--meta", "none"]
    command += ["--output-path", "paceline_api", "--config", "config.yml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # It knows no JSON lines: many calls at once are an ordinary request, without a model for their lines.
    complaints = re.findall(r"^(?:WARNING|ERROR|Unable|Cannot|Unsupported).*$", done.stdout, re.MULTILINE)
    strange = [one for one in complaints if "application/jsonl" not in one and "application/x-" not in one]
    assert set(strange) <= {"WARNING parsing POST /v1/jobs within jobs."}, done.stdout
    return folder


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    keys = json.dumps([entry("service", KEY, "enqueue", "view")])
    with listening() as (url, serve), Bench(redis_url, sandbox, tmp_path, PUBLIC_URL=url, INTAKE__KEYS=keys) as made:
        serve(made)
        yield made


def service(folder: Path, program: str, *words: str) -> str:
    """What a program prints that has the generated package on its path, and nothing of ours."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_generated_client_asks_for_a_call_and_waits_for_its_result(generated: Path, bench: Bench) -> None:
    said: dict[str, Any] = json.loads(service(generated, SERVICE, str(bench.settings.public_url), KEY))
    assert said["statuses"] == [202, 202] and said["ids"][0] == said["ids"][1]
    assert said["state"] == "done"
    assert said["result"]["vin"]
    assert said["missing"] in ("done", "dead")
    assert said["refused"] == [400, "/v1/errors/key-missing"]
    assert (said["unknown"], said["late"]) == (404, 409)
    assert said["found"] == said["ids"][:1]
    assert said["ours"] == []


def test_the_readmes_lines_work(generated: Path, bench: Bench) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [lines] = [one for one in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "paceline_api" in one]
    lines = lines.replace("http://localhost:8080", str(bench.settings.public_url)).replace("pace_…", KEY)
    done = service(generated, lines + "\nprint(job.state.value, job.result['vin'])")
    assert done.startswith("done ")


def test_every_address_has_a_function_and_every_operation_a_model(generated: Path) -> None:
    described = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    names = [item["operationId"] for path in described["paths"].values() for name, item in path.items()
             if name != "parameters"]  # fmt: skip
    made = {path.stem for path in (generated / "paceline_api" / "api").rglob("*.py")}
    assert set(names) <= made and len(names) == len(set(names))
    models = {path.stem.replace("_", "") for path in (generated / "paceline_api" / "models").iterdir()}
    calls = [name.removeprefix("call.") for name in described["components"]["schemas"] if name.startswith("call.")]
    assert {re.sub(r"[._]", "", call) for call in calls} <= models
