"""Unit: how often a call was sent, in words that never say more than is known."""

from types import SimpleNamespace
from typing import Any

import pytest

from worker.commands.answers import efforts

SESSION: Any = SimpleNamespace(settings=SimpleNamespace(effort=lambda _: SimpleNamespace(attempts=5)))


@pytest.mark.parametrize(
    ("runs", "attempts", "crashes", "words"),
    [
        (0, 0, 0, "not yet"),
        (2, 1, 0, "2 times; 1 of 5 attempts used up"),
        (0, 0, 1, "no answer came back; 1 worker crashed with it"),
    ],
)
def test_a_call_whose_worker_crashed_is_not_said_to_be_unsent(
    runs: int, attempts: int, crashes: int, words: str
) -> None:
    sums = {"runs": runs, "attempts": attempts, "crashes": crashes, "redrives": 0}
    assert dict(efforts(SESSION, "hub", sums))["sent"] == words
