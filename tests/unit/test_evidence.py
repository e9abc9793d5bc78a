"""Evidence: what support and our own people ask for, as JSON, with nothing private in it."""

import dataclasses
import json

from tests.unit.exchanges import Op, answer, envelope, no_answer
from worker.deliver.exchange import Exchange, Request
from worker.deliver.hub import classify
from worker.observe.evidence import evidence
from worker.observe.redact import Redactor

FACTS = {
    "job": "j1",
    "attempt": 2,
    "worker": "w1",
    "account": "hub:IN-ABC",
    "action": "retry",
    "wait_s": 3.5,
    "why": "3001",
}


def recorded(exchange: Exchange) -> dict[str, object]:
    operation = Op()
    return evidence(exchange, classify(operation, exchange), operation, FACTS, Redactor(lambda: ["planted-secret"]))


def test_an_attempt_leaves_everything_support_asks_for() -> None:
    headers = (
        ("X-Correlation-ID", "c1"),
        ("Date", "Sun, 01 Mar 2026 12:00:00 GMT"),
        ("Content-Type", "application/json"),
    )
    made = answer(200, envelope(3001, message="upstream"), headers, url="https://h/ocpi/locations?offset=0")
    request = Request("GET", made.request.url, (("X-Request-ID", "r1"), ("Authorization", "Token planted-secret")), b"")
    record = recorded(dataclasses.replace(made, request=request))
    assert record["ids"] == {"request_id": "r1", "correlation_id": "c1"}
    assert (record["at"], record["method"]) == ("2026-03-01T12:00:00.000+00:00", "GET")
    assert record["url"] == "https://h/ocpi/locations?offset=0"
    assert record["outcome"] == {
        "class": "remote_trouble",
        "code": "3001",
        "message": "upstream",
        "detail": "",
        "executed": None,
        "retry_after_s": None,
        "hint": "none",
        "vendor": {"http_status": "200", "timestamp": "2026-03-01T12:00:00Z"},
    }
    assert (record["latency_ms"], record["sent_ms"], record["first_byte_ms"]) == (250.0, 10.0, 200.0)
    assert FACTS.items() <= record.items()
    assert "planted-secret" not in json.dumps(record)


def test_an_attempt_without_an_answer_says_why() -> None:
    record = recorded(no_answer("refused", False))
    assert record["response"] is None
    assert record["failure"] == {"kind": "refused", "detail": "as the test wants it"}
    assert (record["wrote"], record["sent_ms"]) == (False, None)


def test_a_secret_in_any_part_of_an_attempt_is_masked() -> None:
    secret = "planted-secret"
    made = answer(403, envelope(2003, {"x": secret}, secret), (("Server", secret), ("Link", f"<https://h/{secret}>")))
    request = Request("PUT", f"https://h/{secret}?client_id={secret}", (("User-Agent", secret),), secret.encode())
    operation = Op()
    exchange = dataclasses.replace(made, request=request)
    record = evidence(
        exchange,
        classify(operation, exchange),
        operation,
        {"why": secret, "more": [{"a": secret}]},
        Redactor(lambda: [secret]),
    )
    assert secret not in json.dumps(record)
