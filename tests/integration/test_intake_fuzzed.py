"""The served HTTP intake against its own description: thousands of requests, right and wrong, with every check on.

What is sent comes from the document at `/openapi.json`. One check is told what to expect at `POST /v1/jobs` and
`POST /v1/undelivered`: what fits its schema may still be refused, since no schema says which accounts exist or whose
party may be named. At `POST /v1/operations` none says which letters can be discarded, and at lists none which accounts,
operations and classes the store has something of.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.intake import entry, serving

CONFIG = """
[[operations]]
include-name = "POST /v1/jobs"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "422", "429", "503"]

[[operations]]
include-name = "POST /v1/operations"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "422", "429", "503"]

[[operations]]
include-name = "POST /v1/undelivered"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "422", "429", "503"]
"""
LIST = """
[[operations]]
include-name = "GET {}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "429", "503"]
"""
LISTS = ("/v1/jobs", "/v1/lanes", "/v1/problems", "/v1/dead-letters")
LEAST = 2_000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_request_finds_an_answer_that_the_document_does_not_promise(
    redis_url: str, store: object, tmp_path: Path
) -> None:
    key = "pace_of-the-tests"
    (tmp_path / "schemathesis.toml").write_text(CONFIG + "".join(map(LIST.format, LISTS)), encoding="utf-8")
    keys = json.dumps([entry("fuzzer", key, "admin")])
    with serving(redis_url, INTAKE__KEYS=keys, INTAKE__MAX_WAIT_S="0.2") as web:
        command = [sys.executable, "-m", "schemathesis.cli"]
        command += ["--config-file", "schemathesis.toml", "run", f"http://127.0.0.1:{web.port}/openapi.json"]
        command += ["-H", f"Authorization: Bearer {key}", "--checks", "all", "--seed", "1", "--workers", "1"]
        command += ["-n", "60", "--continue-on-failure", "--request-timeout", "60"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
        assert web.ask("GET", "/healthz").status == 200
    said = done.stdout[-6000:]
    assert done.returncode == 0, said
    made = re.search(r"(\d+) generated", said)
    assert made is not None and int(made[1]) >= LEAST, said
