"""`/v1/operations`: operations on many letters over HTTP: planned, confirmed, looked at, cancelled."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.integration.desk import Desk
from tests.integration.intake import Web, emptied, serving
from worker.store.embedded import EmbeddedServer

DISCARD: dict[str, Any] = {"kind": "discard", "filter": {"class": "malformed"}, "reason": "typed by mistake"}


@pytest.fixture(scope="module")
def web(store_server: EmbeddedServer) -> Iterator[Web]:
    with serving(emptied(store_server.url)) as made:
        yield made


@pytest.fixture
def letters(store: "redis.Redis[bytes]") -> Desk:
    """A store with three dead letters, and a desk to carry operations out with."""
    desk = Desk(store)
    desk.scripts.clock_us = None
    desk.hire()
    for _ in range(3):
        desk.put(1)
        desk.bury(desk.take(1).one)
    return desk


def made(web: Web, **changes: Any) -> dict[str, Any]:
    answer = web.ask("POST", "/v1/operations", DISCARD | changes)
    assert answer.status == 201, answer.json
    assert answer.headers["Location"] == f"/v1/operations/{answer.json['id']}"
    said: dict[str, Any] = answer.json
    return said


def carried(desk: Desk) -> None:
    while desk.decide("bulk_step", {"worker": "w1"})[1] >= 0:
        pass


def test_a_plan_says_what_would_be_done_and_does_nothing(web: Web, letters: Desk) -> None:
    said = made(web)
    assert (said["state"], said["by"], said["reason"]) == ("planned", "this machine", "typed by mistake")
    assert (said["plan"]["letters"], said["plan"]["to_do"], said["plan"]["complete"]) == (3, 3, True)
    ((problem,), (lane,)) = said["plan"]["problems"], said["plan"]["lanes"]
    assert (problem["class"], problem["count"], lane["count"]) == ("malformed", 3, 3)
    assert said["pace"] > 0 and said["plan"]["least_s"] > 0
    assert web.ask("GET", "/v1/dead-letters").json["items"][0]["discarded"] is False
    for wrong, said in (({"class": "not_fund"}, "'not_found'"), ({"since": "1h", "until": "2h"}, "before until")):
        refused = web.ask("POST", "/v1/operations", DISCARD | {"filter": wrong})
        assert refused.status in (400, 422) and said in refused.json["detail"]
    assert made(web, filter={"class": "wrong_path"})["plan"]["letters"] == 0
    assert made(web, limit=2)["plan"]["letters"] == 2


def test_what_was_planned_is_confirmed_carried_out_and_reported(web: Web, letters: Desk) -> None:
    where = f"/v1/operations/{made(web, pace=1000)['id']}"
    first = web.ask("GET", where)
    assert first.status == 200 and web.ask("GET", where, headers={"If-None-Match": first.headers["ETag"]}).status == 304
    assert web.ask("POST", f"{where}/confirm").json["state"] == "running"
    assert web.ask("POST", f"{where}/confirm").json["state"] == "running", "saying it again changes nothing"
    carried(letters)
    changed = web.ask("GET", where, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status == 200
    said = changed.json
    assert (said["state"], said["done"], said["remaining"], said["left_alone"]) == ("done", 3, 0, [])
    assert said["started_by"] == "this machine" and said["new_since"] == {"count": 0, "complete": True}
    assert len(web.ask("GET", "/v1/dead-letters?pile=discarded").json["items"]) == 3
    assert web.ask("POST", f"{where}/confirm").problem == "conflict"
    assert web.ask("POST", f"{where}/cancel").problem == "conflict"


def test_one_is_cancelled_with_a_reason(web: Web, letters: Desk) -> None:
    where = f"/v1/operations/{made(web)['id']}"
    web.ask("POST", f"{where}/confirm")
    said = web.ask("POST", f"{where}/cancel", {"reason": "the wrong ones"}).json
    assert (said["state"], said["ended_why"], said["ended_by"]) == ("cancelled", "the wrong ones", "this machine")
    assert web.ask("POST", f"{where}/cancel").json["state"] == "cancelled"
    assert web.ask("POST", f"{where}/confirm").problem == "conflict"


def test_they_are_listed_last_planned_first_in_pages(web: Web, letters: Desk) -> None:
    ids = [made(web)["id"] for _ in range(3)]
    first = web.ask("GET", "/v1/operations?limit=2").json
    rest = web.ask("GET", first["next"]).json
    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "burn"}, "expected kind to be one of redrive, discard, restore"),
        ({"kind": 1}, "expected kind to be"),
        ({"reason": " "}, "expected reason to be a few words"),
        ({"reason": "x" * 501}, "at most 500 characters"),
        ({"pace": 0}, "pace: expected 0.01 to 1000"),
        ({"pace": True}, "expected pace to be letters per second"),
        ({"limit": 0}, "limit: expected at least 1 letter"),
        ({"filter": {"colour": "red"}}, "'colour' is not known"),
        ({"filter": {"pile": "expired"}}, "discard: expected letters of the pile dead"),
        ({"filter": {"pile": "heap"}}, "expected pile to be one of"),
        ({"filter": {"class": ""}}, "expected class to be 1 to 200 characters"),
        ({"filter": {"since": "1960-01-01T00:00:00Z"}}, "before 1970"),
        ({"filter": []}, "expected filter to be an object"),
        ({"wanted": 1}, "'wanted' is not known"),
    ],
)
def test_an_order_that_cannot_be_is_refused_with_what_was_expected(
    web: Web, store: object, changes: dict[str, Any], said: str
) -> None:
    answer = web.ask("POST", "/v1/operations", DISCARD | changes)
    assert (answer.status, answer.problem) == (422, "refused")
    assert said in answer.json["detail"]


def test_what_is_no_order_is_told_apart(web: Web, store: object) -> None:
    assert web.ask("POST", "/v1/operations", DISCARD | {"filter": {"since": "yesterday"}}).problem == "malformed"
    assert web.ask("POST", "/v1/operations", b"{", {"Content-Type": "application/json"}).problem == "malformed"
    assert web.ask("POST", "/v1/operations", b"x", {"Content-Type": "text/plain"}).problem == "unsupported"
    assert web.ask("POST", "/v1/operations/op-1/confirm", {"why": 1}).problem == "refused"
    for method, path in (("GET", ""), ("POST", "/confirm"), ("POST", "/cancel")):
        for name in ("op-1", "op-" + "0" * 20):
            assert web.ask(method, f"/v1/operations/{name}{path}").problem == "not-found"
    assert "/v1/catalogue/hub.stop_session" in web.ask("GET", "/v1/operations/hub.stop_session").json["detail"]
