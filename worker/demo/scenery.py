"""Demo: limits, window lengths and waits, all short enough to be watched.

Promise: one table feeds the sandbox and the settings of the workers, so both sides mean the same limits. Scope: values.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

EMSP, CPO, FLEET, OTHER_FLEET = "hub:IN-ABC", "hub:IN-CPO", "stellantis:fleet-1", "stellantis:fleet-2"
LIMITS: dict[str, tuple[int, float]] = {
    "tokens": (20, 2.0),
    "commands": (10, 2.0),
    "locations": (20, 2.0),
    "calls.second": (20, 1.0),
    "calls.day": (300, 20.0),
}
LATENCY = {"hub": {"median_ms": 40, "p95_ms": 90}, "stellantis": {"median_ms": 50, "p95_ms": 120}}
LEASE_S = 3.0
CALL_S = 10.0
"""Longer than a lease and the time to notice its end: an answer that comes after that must still be heard."""

ENVIRONMENT = {
    "PACELINE_ENVIRONMENT": "demo",
    "PACELINE_ON_EMPTY_STORE": "fresh",
    "PACELINE_BROKER__LEASE_S": f"{LEASE_S:g}",
    "PACELINE_BROKER__RENEW_S": "1",
    "PACELINE_BROKER__IDLE_POLL_S": "2",
    "PACELINE_LIMITER__TRANSIT_BOUND_S": "1",
    "PACELINE_LIMITER__REFUSAL_BACKOFF_BASE_S": "0.3",
    "PACELINE_LIMITER__REFUSAL_BACKOFF_CAP_S": "2",
    "PACELINE_DELIVER__TOTAL_DEADLINE_S": f"{CALL_S:g}",
    "PACELINE_DELIVER__CONNECT_TIMEOUT_S": "2",
    "PACELINE_FAIL__ATTEMPTS": "7",
    "PACELINE_FAIL__BACKOFF_BASE_S": "0.5",
    "PACELINE_FAIL__BACKOFF_CAP_S": "4",
    "PACELINE_FAIL__CREDENTIAL_PROBE_S": "30",
}


def sandbox_options() -> dict[str, Any]:
    """What the sandbox is started with."""
    return {"limits": LIMITS, "latency": LATENCY, "seed": 1}


def environment(sandbox: dict[str, str], folder: Path, token_file: Path, web_port: int) -> dict[str, str]:
    """All settings of this run. The eMSP's token stands in a file of its own, so that it can be renewed; results of
    commands come to the web process.
    """
    public = f"http://127.0.0.1:{web_port}"
    chosen = {**ENVIRONMENT, **sandbox, "PACELINE_VAR_DIR": str(folder), "PACELINE_PUBLIC_URL": public}
    parties = json.loads(chosen["PACELINE_HUB__PARTIES"])
    for party in parties:
        if f"hub:{party['country_code']}-{party['party_id']}" == EMSP:
            token_file.write_text(party["token"], encoding="ascii")
            party["token"] = {"file": str(token_file)}
    chosen["PACELINE_HUB__PARTIES"] = json.dumps(parties)
    return chosen


def write_environment(path: Path, chosen: dict[str, str]) -> None:
    """The same for a shell: `set -a; . FILE`. Without the store's address, the store of this folder is meant."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(chosen.items())]
    path.write_text("".join(lines), encoding="utf-8")
    path.chmod(0o600)
