"""A worker that dies takes no job with it, repeats nothing it must not, and no job can kill workers for ever."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.fate_bench import Bench
from tests.integration.fate_count import provokes
from worker.sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]
READ, CDR = "hub.authorize_token", "hub.post_cdr"
STATUS, REMOTE = "stellantis.b2b.get_vehicle_status", "stellantis.b2b.send_remote"
CRASHED = "worker crashed three times, or while an unrepeatable call was on its way"
BEFORE = "worker crashed before it sent"
PATIENCE_S = 30.0


@contextmanager
def doomed(bench: Bench) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process with this bench's settings, in which Stellantis calls never get to their first byte."""
    command = [sys.executable, "-m", "tests.integration.fate_process", STATUS, REMOTE]
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=path | bench.environ, cwd=ROOT
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                os.kill(child.pid, signal.SIGKILL)


def kill_while_all_run(bench: Bench, jobs: list[str], calls: int) -> None:
    """One worker's life: it takes all jobs, `calls` of them have arrived at the other side in all, and it is killed.
    Its leases lapse then and not before, however slowly it renews them.
    """
    with doomed(bench) as child:
        bench.until(lambda: all(bench.state(job) == "running" for job in jobs), "all jobs to run", PATIENCE_S)
        assert bench.sandbox.wait_for(calls) == calls
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    leases = bench.key("leases")
    bench.store.zadd(leases, dict.fromkeys(bench.store.zrange(leases, 0, -1), 1))


@pytest.mark.slow
@provokes("both", CRASHED, "repeatable", "unrepeatable")
@provokes("both", BEFORE, "repeatable", "unrepeatable")
def test_three_killed_workers_end_a_job_and_one_ends_a_call_that_was_on_its_way(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    own = {"BROKER__LEASE_S": "60", "DELIVER__TOTAL_DEADLINE_S": "25"}
    long = {"deadline_s": 600}
    with Bench(redis_url, sandbox, tmp_path, idle=True, **own) as bench:
        bench.fault(READ, "hang")
        bench.fault(CDR, "hang")
        read, cdr, status, remote = (bench.send(name, **long) for name in (READ, CDR, STATUS, REMOTE))
        kill_while_all_run(bench, [read, cdr, status, remote], 2)
        kill_while_all_run(bench, [read, status, remote], 3)
        kill_while_all_run(bench, [read, status, remote], 4)
        bench.start()
        ended = [bench.wait(job, patience_s=PATIENCE_S) for job in (read, cdr, status, remote)]
        assert bench.holds() == {}
    assert [(job.state, job.error_class, job.code) for job in ended] == [
        ("dead", "crashed", "worker_crashed"),
        ("dead", "outcome_unknown", "worker_crashed"),
        ("dead", "crashed", "worker_crashed"),
        ("dead", "crashed", "worker_crashed"),
    ]
    assert [len(job.arrivals) for job in ended] == [3, 1, 0, 0]
    assert [job.attempts for job in ended] == [0, 0, 0, 0], "a crash is no attempt"
    assert ended[0].told == 4, "four problems, one alert each"
    assert [[r["sending"] for r in job.evidence] for job in ended] == [[False] * 3, [True], [False] * 3, [False] * 3]
    assert all(record["event"] == "crashed" and record["worker"] for job in ended for record in job.evidence)
    assert [job.problem["count"] for job in ended] == ["1"] * 4
