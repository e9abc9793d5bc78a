"""Sandbox, process: a sandbox in a process of its own, so that it shares no interpreter with what it judges.

It promises the methods and addresses of `Sandbox`, and that the process ends with its parent: it watches its standard
input. Its scope ends at starting and stopping.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from worker.sandbox.client import SandboxClient
from worker.sandbox.environment import environment
from worker.sandbox.options import Options, change

ROOT = Path(__file__).resolve().parents[2]
NAMED = ("port", "stellantis_port", "control_port", "tls_cert", "tls_key", "tls_ca")


class SandboxProcess(SandboxClient):
    """Both APIs, simulated in a child process."""

    def __init__(self, **options: Any) -> None:
        super().__init__("")
        self.options = options
        self.hub_url = self.stellantis_url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> SandboxProcess:
        """Start the child and wait until it has told its addresses."""
        given = {name: self.options[name] for name in NAMED if self.options.get(name)}
        files = {name: Path(value).resolve() for name, value in given.items() if name.startswith("tls_")}
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in {**given, **files}.items()]
        others = {name: value for name, value in self.options.items() if name not in NAMED}
        command = [sys.executable, "-m", "worker.sandbox", "--json", "--exit-with-stdin", *flags]
        self._process = subprocess.Popen(
            [*command, "--options", json.dumps(others)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,  # where `-m` finds the package, whatever directory the caller is in
            start_new_session=True,  # Ctrl-C is for the caller; the child ends with its standard input
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the sandbox ended at once, with exit code {self._process.wait()}")
        urls = json.loads(line)
        self.hub_url, self.stellantis_url, self.control_url = urls["hub"], urls["stellantis"], urls["control"]
        return self

    def environment(self) -> dict[str, str]:
        """The settings that make the project talk to this sandbox."""
        options = Options()
        change(options, {name: value for name, value in self.options.items() if name not in NAMED})
        return environment({"hub": self.hub_url, "stellantis": self.stellantis_url}, options)

    def stop(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.communicate(timeout=10)
            self._process = None

    def __enter__(self) -> SandboxProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
