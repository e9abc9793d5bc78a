"""The command line as its users have it: words in; exit code, output and complaints out."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from worker import cli


@dataclass(frozen=True)
class Said:
    """What one command answered."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def complaints(self) -> list[str]:
        return self.err.splitlines()

    @property
    def records(self) -> list[Any]:
        """Standard output as JSON lines; anything else in it fails the test."""
        return [json.loads(line) for line in self.lines]

    @property
    def record(self) -> Any:
        (only,) = self.records
        return only


class Terminal:
    """Runs commands in this process, with an environment of its own."""

    def __init__(
        self, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        for name in [name for name in os.environ if name.startswith("PACELINE_")]:
            monkeypatch.delenv(name)
        self.set(**environ)

    def set(self, **environ: str) -> None:
        for name, value in environ.items():
            self._monkeypatch.setenv(name, value)

    def __call__(self, *words: str) -> Said:
        self._capsys.readouterr()
        code = cli.run(words)
        said = self._capsys.readouterr()
        complaints = [line for line in said.err.splitlines() if line]
        assert "Traceback" not in said.err
        assert [line for line in complaints if not line.startswith("paceline: ")] == [], "talk that is not ours"
        return Said(int(code), said.out, "\n".join(complaints))
