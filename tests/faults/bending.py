"""Bends a worker process while it runs: its clocks, its interpreter's lock, the moment between take and call. How the
process is reached is told in `bent/sitecustomize.py`.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.faults.stage import until

FOLDER = Path(__file__).with_name("bent")


class Bend:
    """One way of being bent; give `environ` to the workers it is for."""

    def __init__(self, folder: Path, name: str = "bend", **state: float) -> None:
        self._file = folder / f"{name}.json"
        self._state: dict[str, float] = {}
        self.set(**state)

    @property
    def environ(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(FOLDER), "BENT": str(self._file)}

    def set(self, **state: float) -> None:
        """From now on, within a tenth of a second."""
        self._state |= state
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._state), encoding="ascii")
        os.replace(fresh, self._file)

    @contextlib.contextmanager
    def held_gil(self) -> Iterator[None]:
        """Within this no thread of the one process that is bent so runs."""
        end, sign = self._file.with_suffix(".end"), self._file.with_suffix(".held")
        os.mkfifo(end)
        self.set(gil=1)
        until(sign.exists)
        with end.open("wb", buffering=0) as way:  # the other side has it open already
            try:
                yield
            finally:
                way.write(b".")
