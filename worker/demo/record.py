"""Demo: what is known at the end, in one JSON file: the sandbox's log, and what store and logs say about it.

Promise: the claims need nothing else, so that anybody can check them again, or doctor the file and see them fail.
Scope: gathering. No secret is in the file; that none is elsewhere either is looked for here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from worker.demo.stage import Stage
from worker.observe.wording import title_of

FILE = "record.json"
JOB_FIELDS = ("op", "acct", "api", "state", "repeat", "prio", "err", "code", "fp", "runs", "redrives")


def gather(stage: Stage, noted: dict[str, Any], secrets: set[str]) -> dict[str, Any]:
    """The record of a stage whose workers have been stopped."""
    arrivals = stage.sandbox.log(limit=1_000_000)
    limits = [
        {name: row[name] for name in ("account", "window", "limit", "window_s")}
        for row in stage.sandbox.state()["windows"]
    ]
    found: dict[str, Any] = {
        "noted": noted,
        "limits": limits,
        "arrivals": arrivals,
        "counts": {name: int(count) for name, count in stage.hash("counts").items()},
        "jobs": {job: _job(stage, job) for job in stage.all_jobs()},
        "alerts": _alerts(stage),
        "told": _told(stage.folder),
    }
    found["secrets"] = _leaks(stage.folder, json.dumps(found), secrets)
    return found


def save(folder: Path, record: dict[str, Any]) -> Path:
    path = folder / FILE
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return path


def read(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return record


def _job(stage: Stage, job: str) -> dict[str, Any]:
    facts = stage.hash("job", job)
    records: Any = stage.client.lrange(stage.keys("evidence", job), 0, -1)
    return {name: facts.get(name, "") for name in JOB_FIELDS} | {"evidence": [json.loads(one) for one in records]}


def _alerts(stage: Stage) -> dict[str, dict[str, Any]]:
    keys: Any = stage.client.zrange(stage.keys("alerts"), 0, -1)
    found = {key.decode(): stage.hash("alert", key.decode()) for key in keys}
    return {
        key: {
            "state": one["state"],
            "opened": int(one["gen"]),
            "opened_us": int(float(one["opened"])),
            "count": int(one["count"]),
            "title": title_of(key, json.loads(one.get("facts", "{}"))),
        }
        for key, one in found.items()
    }


def _told(folder: Path) -> list[str]:
    """Keys of alerts as they were handed over, one for each time."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.jsonl"))]
    events = [_event(line) for text in texts for line in text.splitlines()]
    return [event["key"] for event in events if event.get("event") == "alert" and event.get("change") == "opened"]


def _event(line: str) -> dict[str, Any]:
    """A line of the log; a worker that was killed may have left half of one."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _leaks(folder: Path, record: str, secrets: set[str]) -> dict[str, Any]:
    """Where a secret can be read: in the workers' logs, in all that was ever written to the store, in the record."""
    files = [*folder.glob("worker-*"), *(folder / "store").rglob("*.aof"), *(folder / "store").rglob("*.log")]
    contents = {path.name: path.read_bytes() for path in files} | {FILE: record.encode()}
    leaks = [name for name, content in contents.items() if any(secret.encode() in content for secret in secrets)]
    return {"found_in": leaks, "looked_for": len(secrets), "bytes": sum(map(len, contents.values()))}
