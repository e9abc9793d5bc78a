"""Sandbox, client: the control calls of a sandbox in another process.

It promises the same methods as `Sandbox`. Its scope ends at `/_control/`; it sends no request to the simulated APIs.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from worker.sandbox.controls import Controls


class SandboxClient(Controls):
    """Talks to a running sandbox."""

    def __init__(self, control_url: str, timeout_s: float = 60.0) -> None:
        self.control_url = control_url.rstrip("/")
        self.timeout_s = timeout_s
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _call(self, name: str, **arguments: Any) -> Any:
        url = f"{self.control_url}/{name}"
        body = json.dumps(arguments).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
        try:
            with self._opener.open(request, timeout=self.timeout_s) as reply:
                return json.load(reply)["result"]
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from None
