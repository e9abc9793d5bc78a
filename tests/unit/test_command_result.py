"""Results of commands: how they are read, and what each word means."""

import json

import pytest

from worker.accept.intake.command_results import LONGEST, read
from worker.errors import Refused
from worker.fail.command_result import OUTCOMES, unheard, verdict

BARE = {"result": "ACCEPTED", "message": [{"language": "en", "text": "done"}]}


@pytest.mark.parametrize(
    "body",
    [BARE, {"status_code": 1000, "data": BARE}, {"status_code": 1000, "data": [BARE]}, BARE | {"extra": {"deep": [1]}}],
    ids=["bare", "enveloped", "one-element list", "with unknown fields"],
)
def test_a_result_is_read_bare_or_in_an_envelope(body: object) -> None:
    came = read(json.dumps(body).encode())
    assert came.as_dict() == BARE


@pytest.mark.parametrize(
    "message", [None, "words", {"language": "en", "text": "one"}, [{}], [None, 3], []], ids=lambda value: str(value)
)
def test_a_message_of_any_shape_does_not_cost_the_result(message: object) -> None:
    assert read(json.dumps({"result": "FAILED", "message": message}).encode()).result == "FAILED"


@pytest.mark.parametrize(
    "body",
    (
        b"", b"{", b"null", b"[]", b"{}", b'{"result": 3}', b'{"result": ""}', b'{"result": "a b"}', b"\xff\xfe",
        b'{"result": "' + b"A" * 41 + b'"}', b'{"result": "ACCEPTED"}' + b" " * LONGEST,
    ),
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_result_is_refused_with_what_was_expected(body: bytes) -> None:
    with pytest.raises(Refused, match="expected a command result"):
        read(body)


def test_long_texts_and_long_lists_are_cut() -> None:
    texts = [{"language": "en", "text": "x" * 600}] * 20
    came = read(json.dumps({"result": "REJECTED", "message": texts}).encode())
    assert len(came.texts) == 20
    assert all(len(text["text"]) == 512 for text in came.texts)


def test_every_documented_word_has_a_verdict_and_only_acceptance_is_done() -> None:
    verdicts = {word: verdict(word, "") for word in OUTCOMES}
    assert {word for word, one in verdicts.items() if one["done"]} == {"ACCEPTED"}
    assert verdicts["EVSE_OCCUPIED"]["why"]["class"] == "command_rejected"
    assert verdicts["FAILED"]["why"] == {
        "class": "command_failed", "code": "FAILED", "message": "result FAILED", "alert": False,
    }  # fmt: skip


@pytest.mark.parametrize("word", ["TIMEOUT", "SOMETHING_NEW"])
def test_a_time_out_and_a_word_nobody_documented_leave_the_outcome_unknown(word: str) -> None:
    why = verdict(word, "said so")["why"]
    assert (why["class"], why["code"], why["message"], why["alert"]) == ("outcome_unknown", word, "said so", True)


def test_a_result_that_never_came_is_unknown_and_told() -> None:
    why = unheard()
    assert (why["class"], why["code"], why["alert"]) == ("outcome_unknown", "command_timeout", True)
