"""The hub's answers: each documented sign has its one outcome, and nothing else is a success."""

from typing import Any

import pytest

from tests.unit.exchanges import Op, answer, envelope, no_answer
from worker.deliver.exchange import Exchange, FailureKind
from worker.deliver.hub import NO_ROUTING, classify, page_link
from worker.deliver.outcome import Outcome

HTML = b"<html><h1>Bad Gateway</h1></html>"
RETRY_AFTER = (("Retry-After", "30"),)


def outcome(exchange: Exchange, **operation: Any) -> Outcome:
    return classify(Op(**operation), exchange)


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (200, envelope(1000, {"a": 1}), (), "success"),
        (201, envelope(1000), (), "success"),
        (200, envelope(2004), (), "rate_limited"),
        (429, envelope(2004), RETRY_AFTER, "rate_limited"),
        (429, envelope(1000), (), "rate_limited"),
        (429, HTML, (), "rate_limited"),
        (429, b"", (), "rate_limited"),
        (200, envelope(2002), (), "credential_refused"),
        (401, envelope(2002), (), "credential_refused"),
        (401, envelope(2004), (), "credential_refused"),
        (401, b"", (), "credential_refused"),
        (200, envelope(2003), (), "not_found"),
        (404, envelope(2003), (), "not_found"),
        (404, envelope(1000, {"a": 1}), (), "not_found"),
        (404, HTML, (), "wrong_path"),
        (404, b"", (), "wrong_path"),
        (404, {"detail": "Not Found"}, (), "wrong_path"),
        (404, envelope(2004), (), "wrong_path"),
        (200, envelope(2000), (), "generic_error"),
        (400, envelope(2000), (), "generic_error"),
        (200, envelope(2001), (), "malformed"),
        (400, envelope(2001), (), "malformed"),
        (200, envelope(2000, message="CPO-only endpoint called by eMSP"), (), "role_refused"),
        (403, envelope(2002, message="Party mismatch"), (), "role_refused"),
        (404, envelope(2003, message="Party mismatch"), (), "role_refused"),
        (200, envelope(3000), (), "remote_trouble"),
        (200, envelope(3001), (), "remote_trouble"),
        (200, envelope(4002), (), "remote_trouble"),
        (500, envelope(1000, {"a": 1}), (), "remote_trouble"),
        (502, HTML, (), "remote_trouble"),
        (503, HTML, (), "remote_trouble"),
        (503, HTML, (("Retry-After", "soon"),), "remote_trouble"),
        (503, HTML, RETRY_AFTER, "receiver_not_connected"),
        (200, envelope(4003), (), "receiver_not_connected"),
        (200, envelope(4001), (), "unknown_receiver"),
        (301, b"", (("Location", "https://elsewhere"),), "redirected"),
        (302, envelope(1000, {"a": 1}), (), "redirected"),
        (200, envelope(2999), (), "undocumented"),
        (200, envelope(4000), (), "undocumented"),
        (200, envelope(1001), (), "undocumented"),
        (200, envelope(1900), (), "undocumented"),
        (200, envelope("1000", {"a": 1}), (), "undocumented"),
        (200, envelope(1000.0, {"a": 1}), (), "undocumented"),
        (200, envelope(True, {"a": 1}), (), "undocumented"),
        (200, HTML, (), "undocumented"),
        (200, b"", (), "undocumented"),
        (204, b"", (), "undocumented"),
        (200, [1], (), "undocumented"),
        (200, {"data": []}, (), "undocumented"),
        (200, b'{"status_code": 1000, "data": ', (), "undocumented"),
        (200, b'{"status_code": 1000, "data": NaN}', (), "undocumented"),
        (200, b'{"status_code": 1000, "data": ' + b"[" * 5000 + b"]" * 5000 + b"}", (), "undocumented"),
        (304, b"", (), "undocumented"),
        (400, envelope(2004), (), "undocumented"),
        (400, envelope(1000, {"a": 1}), (), "undocumented"),
        (403, b"", (), "undocumented"),
        (422, {"detail": []}, (), "undocumented"),
        (101, b"", (), "undocumented"),
    ],
)
def test_a_sign_has_its_outcome(status: int, body: Any, headers: Any, expected: str) -> None:
    assert outcome(answer(status, body, headers)).error_class == expected


@pytest.mark.parametrize(
    ("kind", "wrote", "expected"),
    [
        ("refused", False, "never_sent"),
        ("dns", False, "never_sent"),
        ("tls", False, "never_sent"),
        ("connect_timeout", False, "never_sent"),
        ("pool_timeout", False, "never_sent"),
        ("write_error", False, "never_sent"),
        ("certificate", False, "certificate_trouble"),
        ("certificate", True, "certificate_trouble"),
        ("too_late", False, "too_late"),
        ("fenced", False, "fenced"),
        ("read_timeout", True, "outcome_unknown"),
        ("write_error", True, "outcome_unknown"),
        ("reset", True, "outcome_unknown"),
        ("closed", True, "outcome_unknown"),
        ("protocol", True, "outcome_unknown"),
        ("header_too_large", True, "outcome_unknown"),
    ],
)
def test_a_failure_is_unknown_as_soon_as_a_byte_went_out(kind: FailureKind, wrote: bool, expected: str) -> None:
    made = outcome(no_answer(kind, wrote))
    assert (made.error_class, made.code) == (expected, kind)
    assert made.executed is (None if expected == "outcome_unknown" else False)


@pytest.mark.parametrize("kind", ["truncated", "oversized", "read_timeout", "reset"])
def test_part_of_a_success_is_unknown_and_part_of_a_refusal_by_status_a_refusal(kind: FailureKind) -> None:
    whole = envelope(1000, {"a": 1})
    assert outcome(answer(200, whole, failure=kind)).error_class == "outcome_unknown"
    assert outcome(answer(429, whole, failure=kind)).error_class == "rate_limited"
    assert outcome(answer(401, whole, failure=kind)).error_class == "credential_refused"


@pytest.mark.parametrize(
    ("message", "executed"),
    [
        ("Invalid location_id", False),
        ("Field evse_uid is required", False),
        ("Command not allowed for this token", False),
        (None, None),
        ("Error", None),
        ("Unknown error", None),
        ("Internal error: invalid state", None),
        ("Request timed out waiting for expected reply", None),
        ("Failed to forward: receiver refused", None),
    ],
)
def test_the_generic_code_is_known_only_from_a_message_without_doubt(
    message: str | None, executed: bool | None
) -> None:
    assert outcome(answer(200, envelope(2000, message=message))).executed is executed


@pytest.mark.parametrize("allowed", ["ALLOWED", "BLOCKED", "NOT_ALLOWED", "EXPIRED", "NO_CREDIT"])
@pytest.mark.parametrize("listed", [False, True])
def test_an_answer_about_a_token_is_a_success_also_as_a_list_of_one(allowed: str, listed: bool) -> None:
    data = {"allowed": allowed, "token": {"uid": "x"}}
    made = outcome(answer(200, envelope(1000, [data] if listed else data)), meaning="authorization")
    assert (made.error_class, made.result) == ("success", data)


def test_an_unknown_authorization_is_no_answer() -> None:
    made = outcome(answer(200, envelope(1000, {"allowed": "UNKNOWN"})), meaning="authorization")
    assert made.error_class == "authorization_unknown"


@pytest.mark.parametrize(
    "data", [None, {}, [], [{"allowed": "ALLOWED"}] * 2, {"allowed": "allowed"}, {"allowed": ["ALLOWED"]}]
)
def test_an_authorization_without_a_known_answer_is_no_success(data: Any) -> None:
    made = outcome(answer(200, envelope(1000, data)), meaning="authorization")
    assert made.error_class == "undocumented"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"result": "ACCEPTED", "timeout": 30}, "success"),
        ({"result": "REJECTED"}, "command_rejected"),
        ({"result": "NOT_SUPPORTED"}, "command_unsupported"),
        ({"result": "UNKNOWN_SESSION"}, "command_unsupported"),
        ({"result": "accepted"}, "undocumented"),
        ({}, "undocumented"),
        (None, "undocumented"),
        ([{"result": "ACCEPTED", "timeout": 30}], "success"),
        ([{"result": "REJECTED"}], "command_rejected"),
        ([{"result": "ACCEPTED"}] * 2, "undocumented"),
        ([], "undocumented"),
    ],
)
def test_a_command_is_accepted_only_in_so_many_words(data: Any, expected: str) -> None:
    made = outcome(answer(200, envelope(1000, data)), meaning="command", repeatable=False)
    assert made.error_class == expected
    if expected == "success":
        assert made.result == {"result": "ACCEPTED", "timeout": 30}


def test_a_page_gives_its_items_and_the_way_on() -> None:
    link = (("Link", '<https://h/ocpi?offset=0>; rel="first", <https://h/ocpi?offset=50&limit=50>; rel="next"'),)
    made = outcome(answer(200, envelope(1000, [{"id": 1}]), (*link, ("X-Total-Count", "80"))), meaning="page")
    following = "https://h/ocpi?offset=50&limit=50"
    assert made.result == {"data": [{"id": 1}], "page": {"items": 1, "next": following, "total": 80}}


@pytest.mark.parametrize(
    ("value", "href"),
    [
        ("<https://h/a>; rel=next", "https://h/a"),
        ("<https://h/a?x=1,2>; rel='x'; rel=\"prev next\"", "https://h/a?x=1,2"),
        ('<https://h/a>; rel="prev"', None),
        ('<https://h/a>; rel="nextish"', None),
        ("https://h/a; rel=next", None),
        ("", None),
    ],
)
def test_only_a_link_that_says_next_is_the_next_page(value: str, href: str | None) -> None:
    link = page_link(answer(200, envelope(1000, []), (("link", value),)))
    assert (link.href if link else None) == href


@pytest.mark.parametrize(
    ("url", "marked"),
    [
        ("https://h/locations", True),
        ("https://h/locations?offset=0&limit=50", True),
        ("https://h/locations?offset=50", False),
        ("https://h/locations?date_from=2026-01-01T00:00:00Z", False),
    ],
)
def test_no_locations_at_all_is_marked_as_missing_routing(url: str, marked: bool) -> None:
    made = outcome(answer(200, envelope(1000, []), url=url), meaning="page", budget="locations")
    assert made.error_class == "success"
    assert (made.detail == NO_ROUTING) is marked


@pytest.mark.parametrize("data", [None, {"a": 1}, "text"])
def test_a_page_must_be_a_list(data: Any) -> None:
    assert outcome(answer(200, envelope(1000, data)), meaning="page").error_class == "undocumented"


def test_a_read_without_data_is_no_success() -> None:
    assert outcome(answer(200, envelope(1000)), meaning="data").error_class == "undocumented"


def test_a_refusal_for_rate_carries_the_wait_and_what_was_said() -> None:
    made = outcome(answer(200, envelope(2004, message="slow down"), RETRY_AFTER))
    assert (made.retry_after_s, made.hint, made.code, made.message) == (30.0, "ok", "2004", "slow down")
    assert made.vendor == {"http_status": "200", "timestamp": "2026-03-01T12:00:00Z"}
