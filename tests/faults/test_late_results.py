"""A command whose call was cut off: not sent again, of unknown outcome, and settled by its result, however late."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet
from tests.faults.stage import PARTY, START, until
from tests.faults.stages import MakeStage
from tests.integration.held_port import HeldPort
from worker.accept.enqueue import Wanted
from worker.accept.operation import operations

ROOT = Path(__file__).resolve().parents[2]
RESULT_AFTER_S = 8.0
"""Longer than a call may last and a lease holds. What receives the result is frozen until the command is a dead letter,
so that none comes before.
"""


@contextlib.contextmanager
def web(environ: dict[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The Procfile's web process."""
    command = [sys.executable, "-m", "worker", "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: answers(port))
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("accident", ["read time-out", "kill -9"])
def test_a_command_that_was_cut_off_is_sent_once_and_settled_by_its_late_result(
    make_stage: MakeStage, accident: str
) -> None:
    held = HeldPort()
    port = held.number
    short = {"PACELINE_DELIVER__TOTAL_DEADLINE_S": "3", "PACELINE_DELIVER__CONNECT_TIMEOUT_S": "2"}
    deadline = short if accident == "read time-out" else {}
    stage = make_stage(PACELINE_PUBLIC_URL=f"http://127.0.0.1:{port}", **deadline)
    stage.apis.config({"hub.result_delay_s": RESULT_AFTER_S})
    stage.apis.fault("hang", {"operation": START})
    params, body = operations[START].example
    environ = {**stage.env, "PATH": os.environ["PATH"]}
    with Fleet(stage.env, stage.folder) as fleet, web(environ, port) as receiver:
        fleet.start(2)
        [accepted] = stage.desk.enqueue_many([Wanted(START, PARTY, params, body)])
        job = accepted.job_id
        stage.await_arrivals(1, account=PARTY)
        receiver.send_signal(signal.SIGSTOP)
        if accident == "kill -9":
            next(one for one in fleet.workers if stage.in_hand(one.child, [job])).kill_child()
        until(lambda: stage.job(job).get("state") == "dead")
        assert stage.job(job)["err"] == "outcome_unknown"
        receiver.send_signal(signal.SIGCONT)
        until(lambda: stage.job(job).get("state") == "done")
    stage.assert_each_sent_once([job])
    stage.assert_within_limits()
    assert [event["result"] for event in stage.evidence(job) if event.get("event") == "command_result"] == ["ACCEPTED"]
    assert_conserved(stage.client, stage.keys)
