"""The Stellantis answers: the status decides, in whatever shape the error comes."""

from typing import Any

import pytest

from tests.unit.exchanges import Op, answer, no_answer
from worker.deliver.exchange import Exchange
from worker.deliver.outcome import Outcome
from worker.deliver.stellantis import classify, page_link

HTML = b"<html><body>401 - Unauthorized!</body></html>"
UUID = "494f61d1-472a-4696-ac3c-2961496c3aaf"


def error(code: Any = 40499) -> dict[str, Any]:
    return {"code": code, "uuid": UUID, "message": "No data", "timestamp": "2020-01-01T00:00:00.000Z"}


def outcome(exchange: Exchange, **operation: Any) -> Outcome:
    return classify(Op(**{"api": "stellantis", "meaning": "data", "budget": "calls"} | operation), exchange)


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (200, {"energy": []}, (), "success"),
        (400, error(40001), (), "invalid_request"),
        (400, error(40499), (), "invalid_request"),
        (400, {"error": "server_error"}, (), "invalid_request"),
        (400, {"error": "invalid_grant", "error_description": "expired"}, (), "credential_refused"),
        (401, error(), (), "credential_refused"),
        (401, HTML, (), "credential_refused"),
        (403, error(40300), (), "access_refused"),
        (403, b"", (), "access_refused"),
        (404, error(40499), (), "no_data"),
        (404, error("40400"), (), "no_data"),
        (404, error(40410), (), "no_data"),
        (404, error(1001), (), "unknown_id"),
        (404, error(404123), (), "unknown_id"),
        (404, {"name": "NotFound", "debug": "ERROR_NOT_FOUND", "message": "x"}, (), "unknown_id"),
        (404, {"httpCode": "404", "httpMessage": "Not Found", "moreInformation": "no route"}, (), "wrong_path"),
        (404, HTML, (), "wrong_path"),
        (404, b"", (), "wrong_path"),
        (429, error(40499), (), "rate_limited"),
        (429, b"", (), "rate_limited"),
        (500, error(50000), (), "consent_needed"),
        (500, error("50000"), (), "consent_needed"),
        (500, error(50001), (), "server_trouble"),
        (500, b"", (), "server_trouble"),
        (502, HTML, (), "server_trouble"),
        (503, error(50000), (), "server_trouble"),
        (504, b"", (), "server_trouble"),
        (307, b"", (("Location", "/x"),), "redirected"),
        (501, error(), (), "undocumented"),
        (418, error(), (), "undocumented"),
        (304, b"", (), "undocumented"),
        (101, b"", (), "undocumented"),
        (200, error(), (), "undocumented"),
        (200, {"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "x"}, (), "undocumented"),
        (200, HTML, (), "outcome_unknown"),
        (200, [1], (), "outcome_unknown"),
        (200, b'{"energy": [', (), "outcome_unknown"),
        (200, b"null", (), "outcome_unknown"),
        (200, b"", (), "no_data"),
        (204, b"", (), "no_data"),
    ],
)
def test_a_sign_has_its_outcome(status: int, body: Any, headers: Any, expected: str) -> None:
    assert outcome(answer(status, body, headers)).error_class == expected


def test_missing_data_is_only_normal_on_a_read() -> None:
    for operation in ({"meaning": "plain"}, {"meaning": "command", "repeatable": False}, {"repeatable": False}):
        assert outcome(answer(404, error(40499)), **operation).error_class == "unknown_id"


def test_missing_data_is_marked_in_the_result() -> None:
    assert outcome(answer(404, error(40499))).result == {"no_data": True}


def test_service_unavailable_was_not_executed_only_if_it_says_when_to_return() -> None:
    assert outcome(answer(503, b"", (("Retry-After", "5"),))).executed is False
    assert outcome(answer(503, b"", (("X-RateLimit-Reset", "5"),))).executed is None
    assert outcome(answer(503)).executed is None


def test_an_undocumented_refusal_was_not_executed_and_anything_else_is_open() -> None:
    assert outcome(answer(418)).executed is False
    assert [outcome(answer(status)).executed for status in (408, 501, 599)] == [None, None, None]
    assert outcome(answer(200, error())).executed is None


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (error(40301), "40301", "No data"),
        ({"code": "500123", "debug": "D1", "message": "old"}, "500123", "old"),
        ({"httpCode": "403", "httpMessage": "Forbidden", "moreInformation": "plan"}, "http_403", "plan"),
        ({"error": "access_denied", "error_description": "no"}, "access_denied", "no"),
        ({"name": "Forbidden", "debug": "ERROR_SCOPE", "message": "new"}, "ERROR_SCOPE", "new"),
        (HTML, "http_403", "401 - Unauthorized!"),
        (b"", "http_403", ""),
        (b"\xff\xfe", "http_403", None),
    ],
)
def test_every_shape_of_error_is_read(body: Any, code: str, message: str | None) -> None:
    made = outcome(answer(403, body))
    assert made.code == code
    assert message is None or made.message == message


def test_what_support_asks_for_is_kept() -> None:
    made = outcome(answer(403, error(), (("X-Global-Transaction-ID", "t-1"),)))
    assert made.vendor == {
        "http_status": "403",
        "uuid": UUID,
        "timestamp": "2020-01-01T00:00:00.000Z",
        "transaction": "t-1",
    }


def test_a_page_gives_its_items_and_the_way_on() -> None:
    body = {
        "_links": {"self": {"href": "/a"}, "next": {"href": "https://h/v?pageToken=p2"}},
        "total": 61,
        "_embedded": {"vehicles": [{"id": "v1"}]},
    }
    made = outcome(answer(200, body), meaning="page")
    page = {"items": 1, "next": "https://h/v?pageToken=p2", "total": 61}
    assert made.result == {"data": [{"id": "v1"}], "page": page}
    assert page_link(answer(200, body)).href == "https://h/v?pageToken=p2"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "links", [None, [], {}, {"next": None}, {"next": {}}, {"next": {"href": 1}}, {"next": {"href": ""}}]
)
def test_without_a_usable_next_link_the_list_ends(links: Any) -> None:
    assert page_link(answer(200, {"_links": links, "_embedded": {}})) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"_embedded": {}}, "success"),
        ({"total": 0}, "success"),
        ({"total": 3}, "outcome_unknown"),
        ({"_embedded": {"a": [], "b": []}}, "outcome_unknown"),
        ({"_embedded": {"a": {}}}, "outcome_unknown"),
        ({}, "outcome_unknown"),
        ([], "outcome_unknown"),
    ],
)
def test_a_page_needs_exactly_one_list_or_a_total_of_none(body: Any, expected: str) -> None:
    assert outcome(answer(200, body), meaning="page").error_class == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"remoteActionId": "r1"}, "success"),
        ({}, "outcome_unknown"),
        (b"", "outcome_unknown"),
        (HTML, "outcome_unknown"),
    ],
)
def test_a_remote_action_is_accepted_only_with_its_id(body: Any, expected: str) -> None:
    assert outcome(answer(202, body), meaning="command", repeatable=False).error_class == expected


def test_a_call_without_content_may_answer_with_none() -> None:
    assert outcome(answer(204), meaning="plain").error_class == "success"
    assert outcome(answer(200, HTML), meaning="plain").error_class == "outcome_unknown"


@pytest.mark.parametrize(
    ("status", "cause", "means"),
    [
        ("Success", None, "carried out"),
        ("AlreadyDone", None, "carried out"),
        ("Failed", "SameActionInProgress", "asked for twice: the same action is in progress"),
        ("Failed", "GeneralError", "not carried out"),
        ("Failed", None, "not carried out"),
        ("WakingUpVehicle", None, "pending"),
        ("TooManyWakeUpsOverMonth", None, "pending"),
        ("SomethingNew", None, ""),
    ],
)
def test_the_state_of_a_remote_action_says_whether_it_was_carried_out(status: str, cause: Any, means: str) -> None:
    action = {"remoteActionId": "RA-1", "type": "Doors", "status": status} | ({"failureCause": cause} if cause else {})
    made = outcome(answer(200, action), meaning="plain")
    assert (made.error_class, made.detail, made.result) == ("success", means, action)


def test_only_a_remote_action_has_such_a_state() -> None:
    for other in ({"status": "Success"}, {"id": "v", "status": "Failed"}, {"remoteActionId": "RA-1"}):
        assert outcome(answer(200, other), meaning="plain").detail == ""


def test_a_resource_with_a_message_field_is_a_success() -> None:
    assert outcome(answer(200, {"message": "m", "id": "a1"})).error_class == "success"


def test_a_failure_on_the_wire_means_the_same_as_for_the_hub() -> None:
    assert outcome(no_answer("refused", False)).error_class == "never_sent"
    assert outcome(no_answer("reset", True)).error_class == "outcome_unknown"
    assert outcome(answer(429, b"", failure="truncated")).error_class == "rate_limited"
