"""Accept, over HTTP: the results of hub commands, at the address that each command named.

Promise: whoever knows the secret of the address, and nobody else, settles that command, once; repeats and results that
come before the call is answered, or days later, are fine. Nothing is stored that is not understood, and nothing longer
than `LONGEST`. Scope: one request, checked; `fail/command_result.py` says what it means, `answer.lua` what follows.
Source: OCPI 2.2.1, Commands module, `POST response_url` with a CommandResult.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.errors import NotFound, Refused
from worker.fail.command_result import verdict
from worker.fail.policy import TABLE, Table
from worker.observe.redact import Redactor
from worker.store.partition import Partition

LONGEST = 16_384
"""Bytes of a result. A result word and a few translated lines are some hundred."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """`result` is one word of CommandResultType; `texts` are `{language, text}` for the driver."""

    result: str
    texts: tuple[dict[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        return {"result": self.result, "message": [dict(text) for text in self.texts]}


def read(body: bytes) -> CommandResult:
    """A bare CommandResult, or one inside an OCPI envelope's `data`. Raises `Refused`."""
    if len(body) > LONGEST:
        raise Refused(f"expected a command result of at most {LONGEST} bytes, got {len(body)}.")
    try:
        said = json.loads(body)
    except ValueError:
        raise Refused("expected a command result as JSON, got something else.") from None
    if isinstance(said, dict) and "result" not in said:
        said = said.get("data")
    if isinstance(said, list) and len(said) == 1:
        said = said[0]
    word = said.get("result") if isinstance(said, dict) else None
    if not isinstance(word, str) or not word.replace("_", "").isalnum() or len(word) > 40:
        raise Refused('expected a command result such as {"result": "ACCEPTED"}, got no "result".')
    return CommandResult(word.upper(), _texts(said.get("message")))


def _texts(message: Any) -> tuple[dict[str, str], ...]:
    texts = message if isinstance(message, list) else [message]
    return tuple(
        {"language": str(one.get("language", ""))[:8], "text": str(one["text"])[:512]}
        for one in texts[:20]
        if isinstance(one, Mapping) and one.get("text")
    )


class CommandResults:
    """Takes results in, for one partition."""

    def __init__(self, partition: Partition, redactor: Redactor, table: Table = TABLE) -> None:
        self._partition = partition
        self._redactor = redactor
        self._table = table

    def take(self, job_id: str, door: str, body: bytes) -> str:
        """What `answer.lua` says came of it. Raises `NotFound` for an address that was never given, and `Refused`."""
        came = read(body)
        words = self._redactor.redact_text("; ".join(text["text"] for text in came.texts))
        record = {
            "event": "command_result",
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "result": came.result,
            "message": words,
        }
        facts = {
            "id": job_id,
            "door": door,
            "heard": json.dumps(came.as_dict()),
            "verdict": verdict(came.result, words, self._table),
        }
        status = str(self._partition.decide("answer", facts, json.dumps(record)))
        if status == "stranger":
            raise NotFound("nothing is expected at this address.")
        return status
