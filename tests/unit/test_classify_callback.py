"""What a receiver's answer means: the status and nothing else."""

import pytest

from tests.unit.exchanges import Op, answer, no_answer
from worker.deliver.callback import classify, page_link

OP = Op(api="callback", name="callback.post_result")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, "success"), (201, "success"), (202, "success"), (204, "success"), (299, "success"),
        (301, "redirected"), (302, "redirected"), (304, "redirected"), (307, "redirected"),
        (400, "receiver_refused"), (401, "receiver_refused"), (403, "receiver_refused"), (404, "receiver_refused"),
        (409, "receiver_refused"), (422, "receiver_refused"), (410, "receiver_gone"), (429, "rate_limited"),
        (408, "server_trouble"), (425, "server_trouble"), (500, "server_trouble"), (599, "server_trouble"),
        (600, "undocumented"),
    ],
)  # fmt: skip
def test_the_status_decides(status: int, error: str) -> None:
    outcome = classify(OP, answer(status, {"status_code": 1000, "code": "40100"}))
    assert (outcome.error_class, outcome.vendor["http_status"] if error != "redirected" else "") == (
        error, "" if error == "redirected" else str(status),
    )  # fmt: skip


@pytest.mark.parametrize("failure", ["truncated", "oversized", "read_timeout", "reset"])
def test_a_status_counts_although_the_rest_was_lost(failure: str) -> None:
    assert classify(OP, answer(200, b"tha", failure=failure)).error_class == "success"  # type: ignore[arg-type]
    assert classify(OP, answer(410, b"go", failure=failure)).error_class == "receiver_gone"  # type: ignore[arg-type]


def test_what_a_receiver_says_of_a_refusal_is_kept_and_what_it_says_of_a_success_is_not() -> None:
    assert classify(OP, answer(400, b"<h1>bad</h1> signature")).message == "bad signature"
    assert classify(OP, answer(200, b"thank you")).message == ""


def test_a_time_to_come_again_is_read() -> None:
    refused = classify(OP, answer(429, headers=(("Retry-After", "7"),)))
    away = classify(OP, answer(503, headers=(("Retry-After", "7"),)))
    assert (refused.retry_after_s, away.retry_after_s) == (7, 7)
    assert (away.executed, classify(OP, answer(503)).executed) == (False, None)


def test_without_an_answer_it_is_as_for_every_api() -> None:
    assert classify(OP, no_answer("read_timeout", wrote=True)).error_class == "outcome_unknown"
    assert classify(OP, no_answer("dns", wrote=False)).error_class == "never_sent"
    assert classify(OP, no_answer("private_address", wrote=False)).error_class == "forbidden_address"
    assert page_link(answer(200)) is None
