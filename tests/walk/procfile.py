"""Workers as an operator runs them: the Procfile's worker line, given to a shell, with the variables it names."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.faults.stage import until

ROOT = Path(__file__).parents[2]
READY = "ready for action"


def procfile_line(name: str) -> str:
    line = re.search(rf"^{name}: (.+)$", (ROOT / "Procfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None, f"the Procfile has no {name}"
    return line[1]


class Worker:
    """One `worker` of the Procfile. `log` is what it wrote to stderr."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        self.log = log
        # The shell finds `dramatiq` where this interpreter's own programs are, as in an activated environment.
        path = f"{Path(sys.executable).parent}:{environ['PATH']}"
        with log.open("wb") as err, log.with_suffix(".out").open("wb") as out:
            self._master = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {procfile_line('worker')}"],
                cwd=ROOT,
                env={**environ, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def await_ready(self) -> None:
        until(lambda: READY in self.text(), otherwise=lambda: f"the worker is not ready:\n{self.text()}")

    def stop(self) -> int:
        """SIGTERM, as a platform sends it; the exit code. What has not ended then is killed, all of it."""
        self._master.terminate()
        try:
            return self._master.wait(90)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._master.pid, signal.SIGKILL)
            self._master.wait(90)


@contextlib.contextmanager
def running_workers(count: int, environ: Mapping[str, str], folder: Path, threads: int = 8) -> Iterator[list[Worker]]:
    """Workers that are ready. On leaving they are ended, and each must have ended well."""
    workers: list[Worker] = []
    codes: list[int] = []
    try:
        for number in range(count):
            workers.append(Worker({**environ, "PACELINE_THREADS": str(threads)}, folder / f"worker-{number}.log"))
        for worker in workers:
            worker.await_ready()
        yield workers
    finally:
        codes = [worker.stop() for worker in workers]
    assert codes == [0] * count, "".join(worker.text() for worker in workers)
