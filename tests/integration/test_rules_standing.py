"""What people say about alerts: that they know of one, that one is over; and what that changes."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.integration.desk import ANSWERED, CAR, Desk
from tests.integration.meter import out
from tests.integration.test_rules_advice import told
from worker.errors import Conflict, NotFound
from worker.observe.standing import Alerts
from worker.store.partition import Partition

HOUR_S = 3600


def book_of(desk: Desk) -> Alerts:
    return Alerts(Partition(desk.client, desk.keys, desk.scripts))


def die(desk: Desk, code: str = "1") -> str:
    """A dead letter of one problem, which is told; returns the alert's key."""
    [slip] = out(desk, 1)
    why: Mapping[str, Any] = {"class": "undocumented", "code": code, "message": "what is this", "alert": True}
    desk.bury(slip, ANSWERED, why=why)
    return f"problem:{desk.read(slip.id)['fp']}"


def test_an_acknowledged_problem_is_not_told_again_after_an_hour(desk: Desk) -> None:
    key = die(desk)
    assert len(told(desk)) == 1
    book_of(desk).acknowledge(key, "ann", "on it")
    desk.wait(2 * HOUR_S)
    die(desk)
    assert told(desk) == []
    alert = book_of(desk).read(key)
    assert (alert.state, alert.acked_by, alert.acked_why, alert.count) == ("acknowledged", "ann", "on it", 2)


def test_an_acknowledged_problem_that_was_over_is_told_when_it_comes_back(desk: Desk) -> None:
    key = die(desk)
    book_of(desk).acknowledge(key, "ann", "")
    book_of(desk).resolve(key, "bob", "mended")
    told(desk)
    assert die(desk) == key
    assert len(told(desk)) == 1
    alert = book_of(desk).read(key)
    assert (alert.state, alert.generation, alert.acked_by, alert.ended_by) == ("open", 2, "", "")


def test_an_alert_that_somebody_ends_is_told_as_resolved_and_stands_no_more(desk: Desk) -> None:
    key = die(desk)
    told(desk)
    book_of(desk).resolve(key, "bob", "mended")
    assert len(told(desk, "resolved")) == 1
    assert list(book_of(desk).find()) == []
    (alert,) = book_of(desk).find(resolved=True)
    assert (alert.key, alert.state, alert.ended_by, alert.ended_why) == (key, "resolved", "bob", "mended")


def test_who_said_what_of_an_alert_is_in_the_audit(desk: Desk) -> None:
    key = die(desk)
    book_of(desk).acknowledge(key, "ann", "on it")
    book_of(desk).resolve(key, "bob", "mended")
    entries = [json.loads(text) for text in desk.client.lrange(desk.keys("audit"), 0, -1)]
    assert [(entry["what"], entry["by"], entry["reason"], entry["alert"]) for entry in entries] == [
        ("alert_resolved", "bob", "mended", key),
        ("alert_acknowledged", "ann", "on it", key),
    ]


def test_what_cannot_be_said_is_refused(desk: Desk) -> None:
    key = die(desk)
    book = book_of(desk)
    with pytest.raises(NotFound, match="did you mean problem:"):
        book.acknowledge(key[:-1] + "x", "ann", "")
    with pytest.raises(NotFound, match="no alert 'else' is known"):
        book.read("else")
    book.acknowledge(key, "ann", "")
    with pytest.raises(Conflict, match="acknowledged already, by ann"):
        book.acknowledge(key, "bob", "")
    book.resolve(key, "bob", "")
    for word in (book.resolve, book.acknowledge):
        with pytest.raises(Conflict, match="resolved already"):
            word(key, "bob", "")


def test_alerts_are_listed_as_they_changed_and_by_account(desk: Desk) -> None:
    keys = []
    for code in ("1", "2", "3"):
        keys.append(die(desk, code))
        desk.wait(1)
    assert [alert.key for alert in book_of(desk).find()] == keys[::-1]
    assert len(list(book_of(desk).find(account=CAR))) == 3
    assert list(book_of(desk).find(account="hub:IN-ABC")) == []
    assert all(alert.waits for alert in book_of(desk).find())
    told(desk)
    assert not any(alert.waits for alert in book_of(desk).find())
