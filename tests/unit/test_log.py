"""Log lines: JSON, whole, redacted, and never in a job's way."""

import json
import os
import select
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from tests.unit.exchanges import Op, answer
from worker.deliver.hub import classify
from worker.observe import log
from worker.observe.evidence import evidence
from worker.observe.redact import Redactor

SECRET = "planted-secret"


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    reader, writer = os.pipe()
    log.configure("INFO", Redactor(lambda: [SECRET]), writer)

    def read() -> list[dict[str, Any]]:
        data = b""
        while select.select([reader], [], [], 0)[0]:
            data += os.read(reader, 1 << 20)
        return [json.loads(line) for line in data.splitlines()]

    yield read
    structlog.reset_defaults()
    log.configure("INFO", Redactor(list), 1)
    structlog.reset_defaults()
    os.close(reader)
    os.close(writer)


def record(body: bytes, facts: dict[str, Any] | None = None) -> dict[str, Any]:
    exchange, operation = answer(200, body, (("Content-Type", "text/html"),)), Op()
    return evidence(exchange, classify(operation, exchange), operation, facts or {}, Redactor(lambda: [SECRET]))


def test_a_line_has_its_time_level_event_and_fields(lines: Callable[[], list[dict[str, Any]]]) -> None:
    log.logger(stage="fail").warning("lane_held", lane="l1", tries=3)
    (line,) = lines()
    assert line.items() >= {"level": "warning", "event": "lane_held", "stage": "fail", "lane": "l1", "tries": 3}.items()
    assert line["at"].endswith("Z")


def test_every_string_of_a_line_is_redacted_and_so_is_a_traceback(lines: Callable[[], list[dict[str, Any]]]) -> None:
    try:
        raise ValueError(f"wrong: {SECRET}")
    except ValueError:
        log.logger().error(f"it broke {SECRET}", inside={"deep": [SECRET]}, other=ValueError(SECRET), exc_info=True)
    (line,) = lines()
    assert SECRET not in json.dumps(line)
    assert "ValueError: wrong: [hidden]" in line["exception"]


def test_lines_below_the_level_are_not_written(lines: Callable[[], list[dict[str, Any]]]) -> None:
    log.logger().debug("nothing")
    assert lines() == []


def test_an_attempt_is_one_line(lines: Callable[[], list[dict[str, Any]]]) -> None:
    log.attempt(record(b"<p>no</p>", {"job": "j1"}))
    (line,) = lines()
    assert (line["event"], line["job"], line["outcome"]["class"]) == ("attempt", "j1", "undocumented")
    assert line["response"]["body"]["preview"] == "<p>no</p>"


@pytest.mark.parametrize("body", [b"x" * 9000, b'"\\' * 4000, "ü€".encode() * 3000, b"<a>\n\r\t" * 2000])
def test_an_attempts_line_fits_into_one_write_of_a_pipe_and_keeps_the_hash(body: bytes) -> None:
    full = record(body)
    line = log.attempt_line(full)
    shown = json.loads(line)
    assert len(line.encode()) < 4096
    assert "\n" not in line
    assert shown["response"]["body"]["sha256"] == full["response"]["body"]["sha256"]
    assert len(shown["response"]["body"]["preview"]) > 300


def test_an_attempt_with_absurd_facts_still_says_which_job_it_was() -> None:
    line = log.attempt_line(record(b"x" * 9000, {"job": "j1", "why": "w" * 9000, "lots": ["x" * 9000]}))
    assert len(line.encode()) < 4096
    assert json.loads(line)["job"] == "j1"
    kept = json.loads(log.attempt_line(record(b"x" * 9000, {"job": "j1", "why": "w" * 9000})))
    assert kept["outcome"]["class"] == "undocumented"


def test_a_closed_output_loses_the_line_and_nothing_else() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    log.configure("INFO", Redactor(list), writer)
    try:
        with pytest.raises(BrokenPipeError):
            os.write(writer, b"nobody reads this")
        log.logger().error("unheard")
        log.attempt(record(b""))
        with pytest.raises(BrokenPipeError):  # it was closed indeed
            os.write(writer, b"x")
    finally:
        os.close(writer)
        log.configure("INFO", Redactor(list), 1)
        structlog.reset_defaults()
