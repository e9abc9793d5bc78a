"""A hundred thousand answers that nobody would send: one outcome each, and a success only where the documents say so.

The oracle below is written from the vendors' pages and shares nothing with the classifiers but Python's JSON.
"""

import json
import random
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.exchanges import Op, answer, no_answer
from worker.deliver import hub, stellantis
from worker.deliver.outcome import ALL
from worker.fail.policy import ROWS, decide

ROUNDS, EACH = 500, 200
MEANINGS = ("plain", "authorization", "command", "page", "data")
STATUSES = (*(200,) * 12, 201, 202, 203, 204, 206, 226, 299, 100, 101, 199, 300, 301, 302, 303, 304, 307, 308, 400, 401,
            402, 403, 404, 405, 408, 409, 410, 412, 418, 422, 425, 429, 451, 499, 500, 501, 502, 503, 504, 505, 599,
            600, 999)  # fmt: skip
FAILURES = (*(None,) * 9, "truncated", "oversized", "read_timeout")
WORDS = ("ACCEPTED", "REJECTED", "ALLOWED", "BLOCKED", "UNKNOWN", "allowed", "Accepted", "", " ACCEPTED", "1000", "OK",
         "40499", "50000", "null", "invalid", "Party mismatch", "\u0000", "é", "🚗")  # fmt: skip
NUMBERS = (1000, 1000.0, -1000, 1001, 10000, 100, 0, 1, 2000, 2001, 2002, 2003, 2004, 3001, 4001, 4002, 4003, 40499,
           404, 404991, 50000, 10**30, 1e308, True, False, None)  # fmt: skip
KEYS = ("status_code", "status_message", "data", "timestamp", "code", "message", "uuid", "httpCode", "error",
        "error_description", "name", "debug", "_links", "_embedded", "total", "remoteActionId", "result", "allowed",
        "status", "failureCause", "x")  # fmt: skip
HEADERS = (("Retry-After", ("5", "-1", "soon", "", "1e9", "Wed, 21 Oct 2099 07:28:00 GMT", "9" * 400)),
           ("X-RateLimit-Remaining-1", ("0", "x", "-3")), ("Link", ('<https://h/x>; rel="next"', "<>", "rel=next")),
           ("Location", ("https://elsewhere/", "//", ":")), ("Content-Type", ("text/html",)),
           ("X-Global-Transaction-ID", ("é", "x" * 5000)))  # fmt: skip


class Fuzz:
    """Answers made of what a success is made of, spoilt."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def pick(self, some: Any) -> Any:
        return self.rng.choice(some)

    def value(self, depth: int = 0) -> Any:
        kind = self.rng.random()
        if depth > 3 or kind < 0.35:
            return self.pick(WORDS)
        if kind < 0.6:
            return self.pick(NUMBERS)
        if kind < 0.8:
            return [self.value(depth + 1) for _ in range(self.rng.randrange(3))]
        return {self.pick(KEYS): self.value(depth + 1) for _ in range(self.rng.randrange(4))}

    def right(self, api: str, meaning: str) -> dict[str, Any]:
        """A success as documented."""
        inside: Any = {
            "authorization": {"allowed": self.pick(("ALLOWED", "BLOCKED", "NOT_ALLOWED", "EXPIRED", "NO_CREDIT"))},
            "command": {"result": "ACCEPTED", "timeout": 30},
            "page": [{"id": "L"}], "data": {"id": "L"}, "plain": None,
        }[meaning]  # fmt: skip
        if api == "hub":
            data = [inside] if meaning in ("authorization", "command") and self.rng.random() < 0.3 else inside
            return {"status_code": 1000, "data": data, "timestamp": "2026-01-01T00:00:00Z"}
        if meaning == "page":
            return {"_embedded": {"cars": inside}, "total": 1}
        return {"remoteActionId": "R"} if meaning == "command" else {"id": "V", "energy": []}

    def body(self, api: str, meaning: str) -> bytes:
        whole: Any = self.right(api, meaning)
        for _ in range(self.pick((0, 0, 1, 1, 2, 3))):
            spot = whole
            while isinstance(spot, dict) and self.rng.random() < 0.4:
                inner = [one for one in spot.values() if isinstance(one, dict)]
                if not inner:
                    break
                spot = self.pick(inner)
            key = self.pick((*spot, *KEYS)) if spot else self.pick(KEYS)
            if self.rng.random() < 0.3:
                spot.pop(key, None)
            else:
                spot[key] = self.value()
        text = json.dumps(self.value() if self.rng.random() < 0.1 else whole)
        return self.spoilt(text.encode())

    def spoilt(self, text: bytes) -> bytes:
        """The bytes as they are, cut off, changed, wrapped, or something else."""
        kind = self.rng.random()
        if kind < 0.7:
            return text
        at = self.rng.randrange(len(text) + 1)
        if kind < 0.78:
            return text[:at]
        if kind < 0.9:
            return text[:at] + self.rng.randbytes(self.rng.randrange(4)) + text[at + self.rng.randrange(3) :]
        return self.pick(
            (b"", b" ", b"null", b"1000", b"\xff\xfe" + text, b"\xef\xbb\xbf" + text, text + text, b"[" + text + b"]",
             b"<html>" + text, text.replace(b"1000", b"NaN"), text.replace(b"1000", b"1e3"), b"[" * 3000, b'"' + text,
             text.replace(b'"status_code"', b'"status_code": 2002, "status_code"'))
        )  # fmt: skip

    def headers(self) -> tuple[tuple[str, str], ...]:
        chosen = [self.pick(HEADERS) for _ in range(self.rng.randrange(3))]
        return tuple((name, self.pick(values)) for name, values in chosen)


def strict(body: bytes) -> Any:
    """The JSON value, or None. A number that no JSON text could give back is not taken for one."""

    def none_such(text: str) -> Any:
        raise ValueError(text)

    def finite(text: str) -> float:
        return float(text) if abs(float(text)) <= sys.float_info.max else none_such(text)

    try:
        return json.loads(body, parse_constant=none_such, parse_float=finite)
    except (ValueError, RecursionError):
        return None


def documented_success(api: str, meaning: str, status: int, body: bytes, failure: str | None) -> bool:
    """Whether the pages call this a success."""
    if failure is not None or not 200 <= status <= 299:
        return False
    value = strict(body)
    if api == "hub":
        return type(value) is dict and type(value.get("status_code")) is int and value["status_code"] == 1000 and (
            hub_content(meaning, value.get("data"))
        )  # fmt: skip
    if value is None and meaning == "plain":
        return not body.strip()
    if type(value) is not dict or stellantis_error(value):
        return False
    if meaning == "command":
        named = value.get("remoteActionId")  # a text; a number is read as one
        return type(named) in (str, int, float) and named != ""
    if meaning == "page":
        inside = value.get("_embedded")
        lists = [one for one in inside.values() if type(one) is list] if type(inside) is dict else []
        return len(lists) == 1 or inside == {} or (inside is None and value.get("total") == 0)
    return True


def hub_content(meaning: str, data: Any) -> bool:
    one = data[0] if type(data) is list and len(data) == 1 else data
    if meaning == "authorization":
        return type(one) is dict and one.get("allowed") in ("ALLOWED", "BLOCKED", "NOT_ALLOWED", "EXPIRED", "NO_CREDIT")
    if meaning == "command":
        return type(one) is dict and one.get("result") == "ACCEPTED"
    return {"page": type(data) is list, "data": type(one) in (dict, list)}.get(meaning, True)


def stellantis_error(value: dict[str, Any]) -> bool:
    """One of the error shapes, and nothing of a resource."""
    shapes = ({"code", "message"}, {"httpCode"}, {"error_description"})
    return not {"_links", "_embedded"} & value.keys() and any(shape <= value.keys() for shape in shapes)


def check_one(fuzz: Fuzz) -> str:
    operation = Op(
        api=fuzz.pick(("hub", "stellantis")), meaning=fuzz.pick(MEANINGS), repeatable=fuzz.pick((True, False)),
        budget=fuzz.pick(("locations", "calls")),
    )  # fmt: skip
    status, failure = fuzz.pick(STATUSES), fuzz.pick(FAILURES)
    body = fuzz.body(operation.api, operation.meaning) if fuzz.rng.random() < 0.95 else fuzz.rng.randbytes(40)
    exchange = answer(status, body, fuzz.headers(), failure=failure)
    outcome = (hub if operation.api == "hub" else stellantis).classify(operation, exchange)
    told = (operation, status, body, failure, outcome)
    assert type(outcome) in ALL, told
    json.dumps([outcome.result, dict(outcome.vendor)], allow_nan=False)
    row, action = decide(outcome, operation, longest_window_s=60.0)
    assert row in ROWS and row.error_class == outcome.error_class, told
    right = documented_success(operation.api, operation.meaning, status, body, failure)
    if outcome.error_class == "success":
        assert right, told
    elif right and outcome.error_class != "no_data":
        raise AssertionError(f"a documented success was not taken for one: {told}")
    if outcome.error_class == "no_data":
        assert operation.api == "stellantis" and operation.meaning in ("data", "page"), told
    assert (action.kind == "done") == (outcome.error_class in ("success", "no_data")), told
    if not operation.repeatable and action.sends_again:
        assert outcome.executed is False, told
    return outcome.error_class


def batch(seed: int) -> Counter[str]:
    fuzz = Fuzz(seed)
    return Counter(check_one(fuzz) for _ in range(EACH))


@settings(max_examples=ROUNDS, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**64 - 1))
def hundred_thousand(seed: int) -> None:
    SEEN.update(batch(seed))


SEEN: Counter[str] = Counter()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_answers_have_one_outcome_each_and_no_success_by_accident() -> None:
    SEEN.clear()
    hundred_thousand()
    assert SEEN.total() >= ROUNDS * EACH
    reached = {"success", "undocumented", "outcome_unknown", "rate_limited", "credential_refused", "not_found",
               "redirected", "wrong_path", "remote_trouble", "server_trouble", "no_data", "invalid_request",
               "unknown_id"}  # fmt: skip
    assert reached <= SEEN.keys(), SEEN
    assert SEEN["success"] > ROUNDS * EACH / 50, "the generator must make successes, or it proves nothing"


@pytest.mark.parametrize("seed", range(10))
def test_a_few_thousand_of_them_every_time(seed: int) -> None:
    assert batch(seed).total() == EACH


def test_the_oracle_knows_a_success_and_a_near_miss() -> None:
    right = json.dumps({"status_code": 1000, "data": {"result": "ACCEPTED"}}).encode()
    assert documented_success("hub", "command", 200, right, None)
    for status, body in ((404, right), (200, right.replace(b"1000", b'"1000"')), (200, right.replace(b"1000", b"1e3")),
                         (200, right.replace(b"ACCEPTED", b"accepted")), (200, right[:-1])):  # fmt: skip
        assert not documented_success("hub", "command", status, body, None)
    assert hub.classify(Op(), no_answer("reset", True)).error_class == "outcome_unknown"
