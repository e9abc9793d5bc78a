"""Observe: one JSON object per line on the process's own standard output.

Promise: every string of every line has been through the redactor; a line is written in one piece, so that lines of
several threads and processes never mix; a full or closed output loses lines and never a job. Scope: lines; the
store keeps the records, Sentry the alerts.

dramatiq replaces `sys.stdout` in its worker processes by a pipe whose frames two threads can tear apart, and prints
what comes out of it on standard error. Lines therefore go straight to the file descriptor. A pipe takes up to 4096
bytes in one piece; an attempt's line is cut to that, previews of bodies first. The record in the store keeps them.
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from worker.observe.records import redact_records
from worker.observe.redact import Redactor

LINE_BYTES = 4096
_CUT = "…"
_HEAD = '{"event":"attempt","level":"info",'


class _Lines:
    """The output: a file descriptor and a lock."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        data = (line + "\n").encode("utf-8", "replace")
        with self._lock, contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._fd, data) :]

    # structlog calls the method that is named like the level.
    debug = info = warning = error = critical = exception = log = msg = write


_lines = _Lines(1)
_level = logging.INFO


def configure(level: str, redactor: Redactor, fd: int = 1) -> None:
    """Once per process, before anything is logged."""
    global _lines, _level
    _lines, _level = _Lines(fd), logging.getLevelNamesMapping()[level.upper()]
    redact_records(redactor)

    def redacted(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {str(name): _redacted(value, redactor) for name, value in event.items()}

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            redacted,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_level),
        logger_factory=lambda *_: _lines,
        cache_logger_on_first_use=False,
    )


def logger(**bound: Any) -> Any:
    """A logger with these fields on every line: `logger(stage="fail").warning("lane_held", lane=...)`."""
    return structlog.get_logger(**bound)


def attempt(evidence: Mapping[str, Any], text: str = "") -> None:
    """The line of one attempt, from its (redacted) evidence, which `text` is as JSON."""
    if _level <= logging.INFO:
        _lines.write(attempt_line(evidence, text))


def attempt_line(evidence: Mapping[str, Any], text: str = "") -> str:
    """One line of at most 4095 bytes; with its newline that is what a pipe takes in one piece. Nearly always it is
    `text` with two fields more; where that would be too long, or hard to read, it is written anew.
    """
    line = f'{_HEAD}{text[1:]}'
    if text and len(line) < LINE_BYTES and "\\u" not in text:
        return line
    record: dict[str, Any] = {"event": "attempt", "level": "info", **evidence}
    line, room = _dump(record), LINE_BYTES - 1
    for side in ("response", "request"):
        if _size(line) > room and _body(record, side):
            record[side] = _shortened(record, side, room)
            line = _dump(record)
    for name in ("request", "response", "url", "why", "outcome"):
        if _size(line) > room and name in record:
            record[name] = _essence(record[name])
            line = _dump(record)
    return (
        line if _size(line) <= room else _dump({"event": "attempt", "job": str(record.get("job"))[:200], "cut": True})
    )


def _redacted(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _redacted(item, redactor) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_redacted(item, redactor) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return redactor.redact_text(value if isinstance(value, str) else str(value))


def _dump(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)


def _size(line: str) -> int:
    return len(line.encode("utf-8", "replace"))


def _body(record: Mapping[str, Any], side: str) -> str:
    part = record.get(side) or {}
    return str((part.get("body") or {}).get("preview") or "")


def _shortened(record: Mapping[str, Any], side: str, room: int) -> dict[str, Any]:
    """That side with the longest preview that fits, found by halving: escapes make its size on the line
    unforeseeable.
    """
    preview = _body(record, side)
    fits, too_long = 0, len(preview)
    part: dict[str, Any] = record[side]

    def cut(length: int) -> dict[str, Any]:
        return {**part, "body": {**part["body"], "preview": preview[:length] + _CUT}}

    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if _size(_dump({**record, side: cut(middle)})) <= room:
            fits = middle
        else:
            too_long = middle
    return cut(fits)


def _essence(value: Any) -> Any:
    """What must stay when even the rest is too long."""
    if isinstance(value, Mapping):
        return {name: value[name] for name in ("status", "class", "code", "executed") if name in value}
    return str(value)[:300] + _CUT if isinstance(value, str) and len(value) > 300 else value
