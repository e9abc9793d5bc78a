"""Bench, crew: the processes of one subject, started together and ended together.

It promises that a measurement begins when all are ready, and that none is left when it is over, whatever they do. Its
scope ends at processes; what they run is `field.py`'s matter.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]
READY_WITHIN_S = 60.0


class Crew:
    """`count` processes of one command; `ready` is what each writes to stderr when it can work."""

    def __init__(
        self, command: Sequence[str], count: int, environ: Mapping[str, str], ready: str, folder: Path, cwd: Path = ROOT
    ) -> None:
        self._given = (list(command), count, dict(environ), cwd)
        self._ready = ready
        self._logs = [folder / f"{number}.log" for number in range(count)]
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        command, _, environ, cwd = self._given
        for number, log in enumerate(self._logs):
            with log.open("wb") as written:
                words = [word.replace("{number}", str(number)) for word in command]
                self._processes.append(
                    subprocess.Popen(
                        words,
                        cwd=cwd,
                        env=environ,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=written,
                        start_new_session=True,
                    )
                )
        until = time.monotonic() + READY_WITHIN_S
        while not all(self._ready in self._text(log) for log in self._logs):
            if time.monotonic() > until or any(process.poll() is not None for process in self._processes):
                told = "\n".join(self._text(log)[-2000:] for log in self._logs)
                self.__exit__()
                raise SystemExit(f"bench: {command[0]} did not get ready:\n{told}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # the measurement is over: nobody has to leave in order
            process.wait()

    @property
    def pids(self) -> list[int]:
        """Of the processes that run."""
        return [process.pid for process in self._processes]

    def computed_s(self) -> float:
        """Seconds that they and their children have computed, by Linux's word; 0 elsewhere."""
        found = 0.0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has just ended
                fields = stat.read_text(encoding="ascii", errors="replace").rpartition(") ")[2].split()
                if int(fields[3]) in self.pids:  # each leads a session of its own
                    found += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return found

    @staticmethod
    def _text(log: Path) -> str:
        return log.read_text(encoding="utf-8", errors="replace")
