"""Lists over HTTP: one grammar of filters, pages that lose nothing, numbers for Prometheus."""

import csv
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.desk import CAR, READ, START, Desk
from tests.integration.intake import Web, emptied, serving
from worker.store.embedded import EmbeddedServer

PATHS = ("/v1/lanes", "/v1/problems", "/v1/dead-letters")


@pytest.fixture(scope="module")
def served(store_server: EmbeddedServer) -> Iterator[Web]:
    with serving(emptied(store_server.url)) as web:
        yield web


@pytest.fixture
def desk(store: "redis.Redis[bytes]") -> Desk:
    """A desk an hour ago: the web process goes by the store's own clock."""
    made = Desk(store)
    made.now_us = int((time.time() - 3600) * 1e6)
    made.hire()
    return made


@pytest.fixture
def web(served: Web, desk: Desk) -> Web:
    """The web process, over the desk's store."""
    return served


def bury(desk: Desk, count: int, **changes: Any) -> list[str]:
    """So many dead letters."""
    jobs = desk.put(count, **changes)
    while slips := desk.take(want=count).slips:
        for slip in slips:
            desk.bury(slip, error="not_found" if changes.get("op") == START else "malformed")
    return jobs


def walk(web: Web, path: str) -> list[list[Any]]:
    """All pages of a list."""
    pages = []
    following: str | None = path
    while following:
        said = web.ask("GET", following)
        assert said.status == 200, said.body
        pages.append(said.json["items"])
        following = said.json["next"]
        assert len(pages) < 100
    return pages


def test_pages_of_dead_letters_hold_each_once_though_many_died_at_one_moment(web: Web, desk: Desk) -> None:
    jobs = bury(desk, 7)
    desk.wait(1)
    jobs += bury(desk, 5)
    moment = desk.now_us
    desk.client.zadd(desk.keys("dead"), dict.fromkeys(jobs[3:], moment))
    pages = walk(web, "/v1/dead-letters?limit=2")
    assert [len(page) for page in pages] == [2] * 6
    assert sorted(one["id"] for page in pages for one in page) == sorted(jobs)
    assert [one["id"] for page in pages for one in page][-3:] == jobs[2::-1], "last died first"


def test_a_walk_is_not_upset_by_letters_that_leave_or_arrive(web: Web, desk: Desk) -> None:
    jobs = bury(desk, 6)
    first = web.ask("GET", "/v1/dead-letters?limit=2").json
    seen = [one["id"] for one in first["items"]]
    desk.person("discard", id=seen[1])
    desk.wait(1)
    bury(desk, 2)
    rest = [one["id"] for page in walk(web, first["next"]) for one in page]
    assert sorted(seen + rest) == sorted(jobs)


def test_letters_are_found_by_every_filter(web: Web, desk: Desk) -> None:
    ours, others = bury(desk, 3), bury(desk, 2, op=START, rep=0)
    [problem] = [one for one in web.ask("GET", "/v1/problems").json["items"] if one["operation"] == START]
    found = {
        query: {one["id"] for one in web.ask("GET", f"/v1/dead-letters?{query}").json["items"]}
        for query in (f"operation={READ}", "class=not_found", f"problem={problem['fingerprint']}",
                      f"account={CAR}&operation={START}", "account=hub:IN-ABC", "since=2h",
                      "until=2h", "pile=discarded", "pile=expired")
    }  # fmt: skip
    everything = {*ours, *others}
    assert list(found.values()) == [
        set(ours), set(others), set(others), set(others), set(), everything, set(), set(), set()
    ]  # fmt: skip


def test_what_was_set_aside_and_what_expired_are_piles_of_their_own(web: Web, desk: Desk) -> None:
    jobs = bury(desk, 3)
    desk.wait(1)
    for job in jobs[:2]:
        desk.person("discard", id=job)
    pages = walk(web, "/v1/dead-letters?pile=discarded&limit=1")
    assert sorted(one["id"] for page in pages for one in page) == sorted(jobs[:2])
    assert [one["id"] for one in web.ask("GET", "/v1/dead-letters").json["items"]] == jobs[2:]


def test_problems_are_paged_by_when_they_were_last_seen(web: Web, desk: Desk) -> None:
    for n in range(5):
        bury(desk, 2, op=f"car.read{n}")
        desk.wait(1)
    pages = walk(web, "/v1/problems?limit=2")
    assert [[one["operation"] for one in page] for page in pages] == [
        ["car.read4", "car.read3"], ["car.read2", "car.read1"], ["car.read0"]
    ]  # fmt: skip
    assert {one["open"] for page in pages for one in page} == {2}


def test_lanes_are_paged_by_name_and_can_be_the_busy_ones_alone(web: Web, desk: Desk) -> None:
    desk.put(3)
    bury(desk, 3)
    for n in range(3):
        desk.put(n + 1, op=f"car.read{n}")
    pages = walk(web, "/v1/lanes?limit=2")
    lanes = [one for page in pages for one in page]
    assert [one["operation"] for one in lanes] == [READ, "car.read0", "car.read1", "car.read2"]
    assert [sum(one["waiting"].values()) for one in lanes[1:]] == [1, 2, 3]
    busy = web.ask("GET", f"/v1/lanes?busy=true&operation=car.read1&account={CAR}").json["items"]
    assert [one["operation"] for one in busy] == ["car.read1"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=W10", "cursor=%00", "color=red", "limit=1&limit=2",
     "operation=", f"operation={'x' * 201}"],
)  # fmt: skip
def test_a_query_that_is_not_understood_is_refused_and_never_ignored(web: Web, path: str, query: str) -> None:
    said = web.ask("GET", f"{path}?{query}")
    assert (said.status, said.problem) == (400, "malformed")
    assert query.partition("=")[0] in said.json["detail"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/v1/dead-letters?class=not_fund", "did you mean 'not_found'"),
        ("/v1/problems?class=not_fund", "did you mean 'not_found'"),
        ("/v1/dead-letters?account=hub:XX", "expected ?account= to be an account"),
        ("/v1/lanes?account=stellantis:flet-1", f"did you mean '{CAR}'"),
        ("/v1/jobs?account=hub:XX", "expected ?account= to be an account"),
        ("/v1/jobs?operation=stellantis.b2b.get_vehicle_stat", "did you mean 'stellantis.b2b.get_vehicle_status'"),
        ("/v1/dead-letters?since=1h&until=2h", "expected ?since= to be before ?until="),
        ("/v1/dead-letters?since=2099-01-01T00:00:00Z", "got one in the future"),
        ("/v1/problems?since=2099-01-01T00:00:00Z", "got one in the future"),
    ],
)
def test_a_misspelt_value_is_refused_and_never_taken_for_an_empty_list(web: Web, address: str, said: str) -> None:
    answer = web.ask("GET", address)
    assert (answer.status, answer.problem) == (400, "malformed")
    assert said in answer.json["detail"]


def test_what_died_of_an_operation_that_is_gone_stays_findable(web: Web, desk: Desk) -> None:
    """The desk's operations and account are in no catalogue and no settings of the web process."""
    jobs = bury(desk, 2)
    for path in ("/v1/dead-letters?", "/v1/jobs?state=dead&"):
        found = web.ask("GET", f"{path}operation={READ}&account={CAR}").json["items"]
        assert sorted(one["id"] for one in found) == sorted(jobs), path


def test_a_list_is_had_as_a_file_with_all_that_fits(web: Web, desk: Desk) -> None:
    jobs: list[str] = []
    for _ in range(6):  # more than the longest page
        jobs += bury(desk, 40)
        desk.wait(61)
    reads = jobs[:]
    jobs += bury(desk, 3, op=START)
    desk.client.hset(desk.keys("job", jobs[0]), "why", "=SUM(A1:A9)")
    said = web.ask("GET", f"/v1/dead-letters?format=jsonl&operation={READ}")
    lines = [json.loads(line) for line in said.body.splitlines()]
    assert (said.status, said.headers["content-type"]) == (200, "application/jsonl")
    assert "dead-letters.jsonl" in said.headers["content-disposition"]
    assert [line["id"] for line in lines] == reads[::-1], "every page of it, in the list's order"
    assert lines[0] == web.ask("GET", f"/v1/dead-letters?limit=1&operation={READ}").json["items"][0]
    table = web.ask("GET", "/v1/dead-letters?format=csv").body.decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert sorted(row["id"] for row in rows) == sorted(jobs)
    assert next(row for row in rows if row["id"] == jobs[0])["message"] == "'=SUM(A1:A9)"
    assert len(web.ask("GET", "/v1/dead-letters?format=jsonl&limit=7").body.splitlines()) == 7
    for path in ("/v1/jobs?state=dead&", "/v1/problems?", "/v1/lanes?", "/v1/operations?"):
        rows = list(csv.DictReader(io.StringIO(web.ask("GET", f"{path}format=csv").body.decode())))
        assert len(rows) == {"/v1/jobs?state=dead&": 243, "/v1/operations?": 0}.get(path, 2), path
    assert web.ask("GET", "/v1/lanes?format=xml").problem == "malformed"
    assert web.ask("GET", "/v1/dead-letters?format=csv&since=soon").problem == "malformed"


@pytest.mark.parametrize("since", ["yesterday", "2h30", "2026-13-01T00:00:00Z", "2026-01-01", "-5m", "9999999999d"])
def test_a_time_of_another_form_is_refused(web: Web, since: str) -> None:
    assert web.ask("GET", f"/v1/dead-letters?since={since}").problem == "malformed"


def test_the_catalogue_is_given_with_schemas(web: Web) -> None:
    items = web.ask("GET", "/v1/catalogue").json["items"]
    one = web.ask("GET", f"/v1/catalogue/{items[0]['name']}").json
    assert one == items[0] and one["schema"]["params"]["type"] == "object"
    assert web.ask("GET", "/v1/catalogue/nothing").status == 404
    for kind in ("refused", "key-reused"):
        assert web.ask("GET", f"/v1/errors/{kind}").json["status"] == 422
    assert web.ask("GET", "/v1/errors/nothing").status == 404


def numbers(web: Web) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    said = web.ask("GET", "/metrics")
    assert said.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(said.body.decode())
    samples = [one for family in families for one in family.samples]
    return {(one.name, *(one.labels[name] for name in sorted(one.labels))): one.value for one in samples}


def test_metrics_tell_lines_quota_letters_and_holds_of_each_lane(
    web: Web, desk: Desk, store: "redis.Redis[bytes]"
) -> None:
    bury(desk, 2)
    desk.put(2, op=START)
    desk.take()
    desk.person("hold", scope=f"lane:{CAR}|{START}")
    found = numbers(web)
    assert found["paceline_jobs_waiting", CAR, START, "normal"] == 1
    assert found["paceline_jobs_in_flight", CAR, START] == 1
    assert found["paceline_dead_letters", CAR, READ] == 2
    assert found["paceline_window_limit", CAR, "minute"] == 1000
    assert found["paceline_window_used", CAR, "minute"] >= 1
    assert found["paceline_lane_held", CAR, "operator", START] == 1
    assert found["paceline_jobs_total", "accepted"] == 4
    assert found["paceline_workers",] == 1
    assert found["paceline_oldest_waiting_seconds", CAR, START] >= 0


def test_series_do_not_grow_with_jobs(web: Web, desk: Desk) -> None:
    bury(desk, 1)
    before = len(numbers(web))
    bury(desk, 20)
    desk.put(500)
    assert len(numbers(web)) == before
