"""Headers: what a response says about limits and waits, believed only as far as it can be."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.limiter.headers import read_rate_headers

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def test_numbered_windows_are_read_by_their_number() -> None:
    read = read_rate_headers(
        {
            "X-RateLimit-Limit-1": "100000",
            "X-RateLimit-Remaining-1": "90502",
            "X-RateLimit-Limit-2": "100",
            "X-RateLimit-Remaining-2": "47",
            "X-RateLimit-Reset": "1045",
            "Retry-After": "1045",
        },
        NOW,
    )
    assert read.windows == {"1": (100000, 90502), "2": (100, 47)}
    assert (read.retry_after_s, read.hint) == (1045.0, "ok")


def test_a_window_without_a_number_stands_under_the_empty_name() -> None:
    read = read_rate_headers([("x-ratelimit-limit", "60"), ("X-RATELIMIT-REMAINING", "0")], NOW)
    assert read.windows == {"": (60, 0)}
    assert read.hint == "none"


def test_a_gateways_named_limit_is_read() -> None:
    assert read_rate_headers({"X-RateLimit-Limit": "name=default,100;"}, NOW).windows == {"": (100, None)}


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("31536000", 31536000.0),
        (format_datetime(datetime(2026, 3, 1, 12, 2, 0, tzinfo=UTC), usegmt=True), 120.0),
        (format_datetime(datetime(2026, 3, 1, 11, 0, 0, tzinfo=UTC), usegmt=True), 0.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30.0),
        ("2026-03-01T12:01:00Z", 60.0),
        (str(int(NOW.timestamp()) + 90), 90.0),
        (str((int(NOW.timestamp()) + 90) * 1000), 90.0),
    ],
)
@pytest.mark.parametrize("name", ["Retry-After", "X-RateLimit-Reset"])
def test_a_wait_is_read_in_every_usual_form(name: str, value: str, wait: float) -> None:
    read = read_rate_headers({name: value}, NOW)
    assert (read.retry_after_s, read.hint) == (wait, "ok")


@pytest.mark.parametrize(
    "value",
    ["-1", "soon", "", "120 s", "1e3", "inf", "nan", "999999999", "9" * 40, "\u0663", "0x10", "31 Feb 2026", "1,2"],
)
def test_a_wait_no_clock_can_obey_is_nonsense(value: str) -> None:
    read = read_rate_headers({"Retry-After": value}, NOW)
    assert (read.retry_after_s, read.hint) == (None, "nonsense")


def test_of_two_waits_the_longer_is_taken_and_both_are_told() -> None:
    read = read_rate_headers({"Retry-After": "5", "X-RateLimit-Reset": "60"}, NOW)
    assert (read.retry_after_s, read.after_s, read.reset_s) == (60.0, 5.0, 60.0)


def test_one_readable_wait_is_enough() -> None:
    read = read_rate_headers({"Retry-After": "later", "X-RateLimit-Reset": "60"}, NOW)
    assert (read.retry_after_s, read.hint) == (60.0, "ok")


def test_a_date_is_compared_with_the_other_sides_clock() -> None:
    theirs = datetime(2026, 3, 1, 13, 0, 0, tzinfo=UTC)
    until = datetime(2026, 3, 1, 13, 0, 10, tzinfo=UTC)
    headers = {"Date": format_datetime(theirs, usegmt=True), "Retry-After": format_datetime(until, usegmt=True)}
    assert read_rate_headers(headers, NOW).retry_after_s == 10.0


def test_contradictions_are_read_the_careful_way() -> None:
    read = read_rate_headers(
        [
            ("X-RateLimit-Limit-1", "100"),
            ("X-RateLimit-Limit-1", "50"),
            ("X-RateLimit-Remaining-1", "900"),
            ("X-RateLimit-Limit-2", "-4"),
            ("X-RateLimit-Remaining-2", "-4"),
            ("X-RateLimit-Limit-3", "many"),
        ],
        NOW,
    )
    assert read.windows == {"1": (50, None), "2": (None, 0)}


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from(["Retry-After", "Date", "X-RateLimit-Reset", "X-RateLimit-Limit-1"]), st.text()))
)
def test_any_text_whatever_gives_a_reading(headers: list[tuple[str, str]]) -> None:
    read = read_rate_headers(headers, NOW)
    assert (read.hint == "ok") == (read.retry_after_s is not None)
    assert read.retry_after_s is None or read.retry_after_s >= 0
