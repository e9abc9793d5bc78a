"""Jobs found by state, account, operation, priority, id and key: over HTTP, on the command line and in the console."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.integration.desk import CAR, START, Desk
from tests.integration.intake import ACCOUNTS, Web, emptied, serving
from tests.integration.intake import READ as CALL
from tests.integration.terminal import Terminal
from worker.accept.job_search import LOOKED_AT, JobSearch, Sought
from worker.store.embedded import EmbeddedServer
from worker.store.partition import Partition


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


@pytest.fixture
def run(store_server: EmbeddedServer, desk: Desk, monkeypatch: Any, capsys: Any) -> Terminal:
    environ = {"PACELINE_ENVIRONMENT": "test", "PACELINE_REDIS_URL": store_server.url, **ACCOUNTS}
    return Terminal(environ, monkeypatch, capsys)


def walk(web: Web, query: str) -> list[list[Any]]:
    """All pages of a list."""
    pages = []
    following: str | None = f"/v1/jobs?{query}"
    while following:
        said = web.ask("GET", following)
        assert said.status == 200, said.body
        pages.append(said.json["items"])
        following = said.json["next"]
        assert len(pages) < 200
    return pages


def ids(pages: list[list[Any]]) -> list[str]:
    return [one["id"] for page in pages for one in page]


def in_every_state(desk: Desk) -> dict[str, list[str]]:
    """Some jobs in each state that there is."""
    found = {state: desk.put(2) for state in ("cancelled", "dead", "done")}
    found["awaiting"] = desk.put(1, op=START, rep=0)
    for job in found["cancelled"]:
        desk.person("cancel", id=job)
    for slip in desk.take(want=5).slips:
        if slip.id in found["dead"]:
            desk.bury(slip, error="not_found")
        elif slip.id in found["done"]:
            desk.finish(slip)
        else:
            desk.finish(slip, awaits=7_200_000_000)
    desk.scripts("recent", {"jobs": [[job, 0] for job in found["done"]]})
    found["expired"] = desk.put(2, dl=1_000_000)
    desk.wait(2)
    desk.take(want=1)
    found["running"] = desk.put(3)
    assert len(desk.take(want=3).slips) == 3
    found["waiting"] = [*desk.put(3), *desk.put(2, prio=0), *desk.put(2, op=START, rep=0)]
    return found


def test_jobs_of_every_state_are_listed_page_by_page(web: Web, desk: Desk) -> None:
    found = in_every_state(desk)
    assert {state: sorted(ids(walk(web, f"state={state}&limit=1"))) for state in found} == {
        state: sorted(jobs) for state, jobs in found.items()
    }
    everything = walk(web, "limit=2")
    assert sorted(ids(everything)) == sorted(found["running"] + found["awaiting"] + found["waiting"])
    assert [len(page) for page in everything[:-1]] == [2] * (len(everything) - 1)
    assert [one["state"] for page in everything for one in page] == ["running"] * 3 + ["awaiting"] + ["waiting"] * 7


def test_every_filter_means_the_same_over_http_and_on_the_command_line(web: Web, desk: Desk, run: Terminal) -> None:
    found = in_every_state(desk)
    waiting = found["waiting"]
    cases: dict[tuple[tuple[str, str], ...], list[str]] = {
        (("state", "waiting"), ("priority", "urgent")): waiting[3:5],
        (("state", "waiting"), ("operation", START)): waiting[5:],
        (("state", "waiting"), ("operation", START), ("priority", "urgent")): [],
        (("state", "dead"), ("account", CAR)): found["dead"],
        (("state", "dead"), ("operation", START)): [],
        (("state", "awaiting"), ("operation", START)): found["awaiting"],
        (("state", "done"), ("account", "hub:IN-ABC")): [],
        (("priority", "urgent"),): waiting[3:5],
        (("id", waiting[0]),): waiting[:1],
        (("id", waiting[0]), ("state", "dead")): [],
        (("id", "0-nothing"),): [],
    }
    for words, jobs in cases.items():
        query = "&".join(f"{name}={value}" for name, value in words)
        assert sorted(ids(walk(web, query))) == sorted(jobs), query
        options = [text for name, value in words for text in (f"--{name}", value)]
        said = run("jobs", "list", *options, "--json")
        assert (said.code, sorted(one["id"] for one in said.records)) == (0, sorted(jobs)), options


def test_a_job_is_found_by_the_key_of_whoever_asked_for_it(web: Web, run: Terminal) -> None:
    job = web.post(CALL, idempotency_key="of-mine").json["id"]
    [one] = web.ask("GET", "/v1/jobs?key=of-mine").json["items"]
    assert (one["id"], one["state"], one["call"]) == (job, "waiting", f"/v1/jobs/{job}")
    assert web.ask("GET", "/v1/jobs?key=of-others").json["items"] == []
    assert web.ask("GET", f"/v1/jobs?key=of-mine&id={job}").json["items"] == [one]
    params = ("--account", CALL["account"], "--params", json.dumps(CALL["params"]))
    other = run("enqueue", str(CALL["operation"]), *map(str, params), "--key", "of-mine").out.strip()
    assert [record["id"] for record in run("jobs", "list", "--key", "of-mine", "--json").records] == [other, job]


def test_a_walk_through_a_line_is_not_upset_by_who_leaves_or_joins_it(web: Web, desk: Desk) -> None:
    jobs = desk.put(9)
    first = web.ask("GET", "/v1/jobs?state=waiting&limit=3").json
    desk.person("cancel", id=jobs[2])
    desk.person("cancel", id=jobs[5])
    late = desk.put(1)
    rest = ids(walk(web, first["next"].partition("?")[2]))
    assert [one["id"] for one in first["items"]] + rest == [*jobs[:5], *jobs[6:], *late]


def test_ends_of_one_moment_are_each_listed_once(web: Web, desk: Desk) -> None:
    jobs = desk.put(7)
    for job in jobs:
        desk.person("cancel", id=job)
    desk.client.zadd(desk.keys("recent"), dict.fromkeys(jobs, desk.now_us))
    assert ids(walk(web, "state=cancelled&limit=2")) == sorted(jobs, reverse=True)


def test_a_page_looks_at_a_bounded_part_and_can_be_gone_on_from(desk: Desk) -> None:
    search = JobSearch(Partition(desk.client, desk.keys))
    [job] = desk.put(1)
    desk.person("cancel", id=job)
    strangers = {f"0-{n:06d}f": desk.now_us + 1 + n for n in range(2 * LOOKED_AT)}
    desk.client.zadd(desk.keys("recent"), strangers)
    wanted = Sought(("cancelled",))
    first = search.page(wanted)
    assert (first.jobs, first.cut) == ([], True)
    assert [found.id for found in search.all(wanted, 5)] == [job]


def test_a_page_of_a_long_line_reads_no_more_than_a_page(desk: Desk) -> None:
    for _ in range(20):
        desk.put(100)
    search = JobSearch(Partition(desk.client, desk.keys))

    def touched() -> int:
        stats = desk.client.info("commandstats")
        return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("hgetall", "zrangebyscore"))

    before = touched()
    page = search.page(Sought(("waiting",)), size=20)
    assert len(page.jobs) == 20
    assert touched() - before < 30
    before = touched()
    assert len(search.page(Sought(("waiting",)), page.more, 20).jobs) == 20
    assert touched() - before < 30


def test_the_list_of_what_was_done_is_bounded(desk: Desk) -> None:
    for start in range(0, 10_400, 400):
        desk.scripts("recent", {"jobs": [[f"0-{n:06d}", 10**6 - n] for n in range(start, start + 400)]})
    assert desk.client.zcard(desk.keys("recent")) == 10_000
    assert desk.client.zrange(desk.keys("recent"), -1, -1) == [b"0-010399"]


@pytest.mark.parametrize(
    "query",
    ["state=finished", "state=", "priority=high", "color=red", "cursor=1~x", "cursor=1~done", "cursor=1~waiting/",
     f"key={'x' * 256}", "id=", "state=dead&state=done"],
)  # fmt: skip
def test_a_query_that_is_not_understood_is_refused(web: Web, query: str) -> None:
    said = web.ask("GET", f"/v1/jobs?{query}")
    assert (said.status, said.problem) == (400, "malformed")


def test_the_console_finds_what_the_api_finds(web: Web, desk: Desk) -> None:
    found = in_every_state(desk)
    for state, jobs in found.items():
        page = web.ask("GET", f"/jobs?state={state}").body.decode()
        assert all(job in page for job in jobs), state
    many = desk.put(120)
    page = web.ask("GET", "/jobs?state=waiting&priority=normal").body.decode()
    assert many[10] in page and many[119] not in page
    following = page.partition('<a href="/jobs?')[2].partition('"')[0].replace("&amp;", "&")
    assert many[119] in web.ask("GET", f"/jobs?{following}").body.decode()
    assert web.ask("GET", "/jobs?after=x").status == 400
