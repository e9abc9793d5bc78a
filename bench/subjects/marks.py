"""Bench, subjects: when jobs began and ended, written down by a dramatiq middleware that every broker can have.

A mark is 16 bytes at the end of one file: two moments of the machine's monotonic clock, in nanoseconds. One `write` per
job costs microseconds and asks nothing of the store. Where a gate is named, no job begins before that file exists.
"""

import os
import struct
import threading
import time
from pathlib import Path
from typing import Any

import dramatiq

MARK = struct.Struct("=qq")


class Marks(dramatiq.Middleware):
    """Last in the list of middleware, so that it is next to the actor."""

    def __init__(self) -> None:
        self._file = os.open(os.environ["BENCH_MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._gate = Path(os.environ["BENCH_GATE"]) if "BENCH_GATE" in os.environ else None
        self._own = threading.local()

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        while self._gate is not None:
            if self._gate.exists():
                self._gate = None
            else:
                time.sleep(0.001)
        self._own.began = time.monotonic_ns()

    def after_process_message(
        self, broker: dramatiq.Broker, message: dramatiq.MessageProxy, *, result: Any = None, exception: Any = None
    ) -> None:
        os.write(self._file, MARK.pack(self._own.began, time.monotonic_ns()))


def read_marks(path: Path) -> list[tuple[int, int]]:
    """Beginning and end of every job so far."""
    return list(MARK.iter_unpack(path.read_bytes())) if path.exists() else []
