"""What people say in the console and what it keeps: alerts, how problems stand, notes, kept views, files."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

from tests.integration.console_seat import Page, Seat
from worker.accept.intake.callers import KeyRing
from worker.console.visitor import COOKIE, cookie_for
from worker.observe.standing import Alerts
from worker.store.embedded import EmbeddedServer

HOSTILE = '"><script>alert(1)</script>\'{{7*7}}'


@pytest.fixture(scope="module")
def seat(store_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    with Seat(store_server.url, tmp_path_factory.mktemp("words")) as made:
        yield made


def problem_of(seat: Seat, job: str) -> str:
    return seat.parts.jobs.read(job).problem


def alert_of(seat: Seat) -> str:
    """An alert that stands, of a problem."""
    return f"problem:{problem_of(seat, seat.unknown())}"


def test_alerts_are_listed_shown_acknowledged_and_ended(seat: Seat) -> None:
    key = alert_of(seat)
    title = Alerts(seat.partition).read(key).title
    assert title in seat.get("/alerts").text and title in seat.get("/alerts?account=hub:IN-ABC").text
    assert title not in seat.get("/alerts?account=stellantis:fleet-1").text
    one = seat.get(f"/alerts/one?key={quote(key)}")
    assert one.status == 200 and title in one.text and "I know of it" in one.text
    said = {"key": key, "reason": "asked their support"}
    assert seat.post("/alerts/acknowledge", {"key": key}).status == 400, "without a reason"
    assert seat.post("/alerts/acknowledge", said).to.endswith("did=acknowledge")
    shown = seat.get(f"/alerts/one?key={quote(key)}").text
    assert "console@127.0.0.1" in shown and "asked their support" in shown and "I know of it" not in shown
    assert seat.post("/alerts/acknowledge", said).status == 409
    assert seat.post("/alerts/resolve", said | {"reason": "mended"}).status == 303
    assert title not in seat.get("/alerts").text
    history = seat.get("/alerts?pile=history").text
    assert title in history and "resolved" in history
    assert seat.post("/alerts/resolve", said).status == 409
    assert seat.get("/alerts/one?key=none").status == 404
    assert seat.get("/alerts?pile=heap").status == 400


def test_a_problem_stands_as_somebody_says(seat: Seat) -> None:
    fingerprint = problem_of(seat, seat.not_found())
    where = f"/problems/{fingerprint}/mark"
    link = f'href="/problems/{fingerprint}"'
    for word, tab in (("ignored", "ignored"), ("resolved", "resolved"), ("acknowledged", "open"), ("open", "open")):
        assert seat.post(where, {"mark": word, "reason": "said so"}).to.endswith(f"did={word}")
        assert (link in seat.get("/").text) == (tab == "open"), "the overview names what asks for somebody"
        for one in ("open", "ignored", "resolved"):
            assert (link in seat.get(f"/problems?state={one}").text) == (one == tab), (word, one)
        assert link in seat.get("/problems?state=all").text
    assert seat.post(where, {"mark": "gone", "reason": "x"}).status == 400
    assert seat.post(where, {"mark": "ignored"}).status == 400, "without a reason"
    assert "problem ignored" in seat.get("/audit").text


def test_a_problem_leads_to_sentry_where_settings_say_where_it_is(store_server: EmbeddedServer, tmp_path: Path) -> None:
    pages = {"OBSERVE__SENTRY_PAGES": "https://example.sentry.example/issues/"}
    with Seat(store_server.url, tmp_path, **pages) as seat:
        fingerprint = problem_of(seat, seat.not_found())
        links = [given for tag, given in Page(seat.get(f"/problems/{fingerprint}").text).elements if tag == "a"]
        (found,) = [one for one in links if "sentry" in str(one.get("href"))]
        assert found["href"] == f"https://example.sentry.example/issues/?query=problem%3A{fingerprint}"
        assert found["rel"] == "noreferrer noopener"


def test_notes_are_written_shown_as_text_and_go_into_the_bundle(seat: Seat) -> None:
    job = seat.not_found()
    fingerprint = problem_of(seat, job)
    secret = seat.bench.system.credentials.secrets()[0]
    text = f"asked them {HOSTILE}\nkey {secret}"
    assert seat.post(f"/dead-letters/{job}/note", {"note": text}).to.endswith("did=note#notes")
    assert seat.post(f"/problems/{fingerprint}/note", {"note": "the import was wrong"}).status == 303
    page = seat.get(f"/dead-letters/{job}").text
    assert "asked them &#34;&gt;&lt;script&gt;" in page and "<script>alert" not in page and secret not in page
    assert "the import was wrong" in seat.get(f"/problems/{fingerprint}").text
    for form in ("md", "json"):
        bundle = seat.get(f"/dead-letters/{job}/bundle.{form}").text
        assert "asked them" in bundle and secret not in bundle
        assert "the import was wrong" in seat.get(f"/problems/{fingerprint}/bundle.{form}").text
    said = json.loads(seat.get(f"/dead-letters/{job}/bundle.json").text)["cases"][0]["notes"]
    assert [note["by"] for note in said] == ["console@127.0.0.1"]
    assert seat.post(f"/dead-letters/{job}/note", {"note": "  "}).status == 400
    assert seat.post(f"/dead-letters/{job}/note", {"note": "x" * 3000}).status == 400
    assert seat.post("/dead-letters/0-none/note", {"note": "x"}).status == 404
    assert "the import was wrong" in seat.get("/audit").text


def test_views_are_kept_opened_and_dropped(seat: Seat) -> None:
    address = "/dead-letters?class=not_found&since=2h"
    form = {"name": f"not found {HOSTILE}", "address": address + "&before=1.a&did=x"}
    assert seat.post("/views/keep", form).to == "/dead-letters?class=not_found&since=2h"
    shown = Page(seat.get("/dead-letters").text)
    assert [given["href"] for tag, given in shown.elements if given.get("class") == "view"] == [address]
    assert "<script>alert" not in seat.get("/dead-letters").text
    assert 'class="view"' not in seat.get("/problems").text, "views belong to their list"
    for wrong in ("https://elsewhere.example/jobs", "//elsewhere.example/jobs", "/audit", "/problems/x"):
        assert seat.post("/views/keep", {"name": "x", "address": wrong}).status == 400, wrong
    assert seat.post("/views/keep", {"name": " ", "address": address}).status == 400
    seat.bench.store.hset(seat.bench.key("views"), "broken", "{")
    assert seat.get("/dead-letters").status == 200
    assert seat.post("/views/drop", form).status == 303
    assert seat.post("/views/drop", form).status == 404
    assert "view kept" in seat.get("/audit").text and "view dropped" in seat.get("/audit").text


def test_there_are_never_too_many_views(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.console.views.MOST", 2)
    seat.bench.store.delete(seat.bench.key("views"))
    for name, status in (("a", 303), ("b", 303), ("c", 409), ("a", 303)):
        assert seat.post("/views/keep", {"name": name, "address": "/problems"}).status == status


def test_lists_are_files_with_everything_that_fits(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.console.finding.PAGE", 2)
    jobs = [seat.not_found() for _ in range(5)]
    seat.bench.store.hset(seat.bench.key("job", jobs[0]), "why", '=HYPERLINK("http://elsewhere.example")\nsecond, line')
    answer = seat.get("/export/dead-letters.csv?class=not_found")
    assert answer.headers["content-disposition"] == 'attachment; filename="dead-letters.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert set(jobs) <= {row["id"] for row in rows}
    assert next(row for row in rows if row["id"] == jobs[0])["because"].startswith("'=HYPERLINK"), "text, no formula"
    lines = [json.loads(line) for line in seat.get("/export/dead-letters.jsonl?class=not_found").text.splitlines()]
    assert {line["id"] for line in lines} == {row["id"] for row in rows}
    assert seat.get("/export/dead-letters.csv?class=wrong_path").text.startswith("id,state")
    for name in ("problems", "alerts", "audit"):
        for form in ("csv", "jsonl"):
            assert seat.get(f"/export/{name}.{form}").status == 200, (name, form)
    assert "problem" in json.loads(seat.get("/export/problems.jsonl?state=all").text.splitlines()[0])
    assert seat.get("/export/workers.csv").status == 404
    assert seat.get("/export/dead-letters.xml").status == 404
    assert seat.get("/export/dead-letters.csv?since=x").status == 400


def test_a_file_of_a_store_that_is_away_is_a_page_that_says_so(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise redis.exceptions.ConnectionError("secret details")

    monkeypatch.setattr(type(seat.partition), "ask", away)
    answer = seat.get("/export/dead-letters.csv")
    assert answer.status == 503 and "The store does not answer" in answer.text and "secret" not in answer.text


def test_who_may_only_look_changes_nothing_and_takes_files(seat: Seat) -> None:
    job, key = seat.not_found(), alert_of(seat)
    fingerprint = problem_of(seat, job)
    ring = KeyRing(seat.partition)
    _, viewer = ring.create("looks", ("view",), None, "test")
    seat.parts.callers.refresh()
    cookie = f"{COOKIE}={cookie_for(viewer)}"
    try:
        for path, form in (
            (f"/dead-letters/{job}/note", {"note": "x"}), (f"/problems/{fingerprint}/note", {"note": "x"}),
            (f"/problems/{fingerprint}/mark", {"mark": "ignored", "reason": "x"}),
            ("/alerts/acknowledge", {"key": key, "reason": "x"}), ("/alerts/resolve", {"key": key, "reason": "x"}),
            ("/views/keep", {"name": "x", "address": "/problems"}),
            ("/views/drop", {"name": "x", "address": "/problems"}),
        ):  # fmt: skip
            assert seat.post(path, form, cookie=cookie).status == 403, path
        for path in (f"/dead-letters/{job}", f"/problems/{fingerprint}", f"/alerts/one?key={quote(key)}", "/problems"):
            forms = [given for tag, given in Page(seat.get(path, cookie=cookie).text).elements
                     if tag == "form" and given.get("method") == "post"]  # fmt: skip
            assert [one["action"] for one in forms] == ["/sign-out"], path
        assert seat.get("/export/audit.csv", cookie=cookie).status == 200
        assert seat.get("/export/audit.csv").status == 303, "nobody takes nothing"
    finally:
        ring.revoke("looks", "test", "over")
        seat.parts.callers.refresh()


def test_the_overview_draws_the_hours(seat: Seat) -> None:
    seat.not_found()
    nothing = f"{seat.partition.now_us()} 0 0 0 0 0 0"
    seat.bench.store.lpush(seat.bench.key("minutes"), nothing)  # all that has died since is of this minute
    for span in ("1h", "3h", "24h"):
        answer = seat.get(f"/?hours={span}")
        strips = [given for _, given in Page(answer.text).elements if "data-strip" in given]
        assert [one["data-strip"] for one in strips] == ["done", "retried", "died"]
        times = answer.text.partition('<p class="axis">')[2].partition("</p>")[0]
        assert re.fullmatch(r"[^<]*\d\d:\d\d UTC [^<]*\d\d:\d\d now", " ".join(re.findall(r">([^<]+)<", times))), span
        assert re.search(rf"at most \d+ {'in 10 min' if span == '24h' else 'a minute'}", answer.text)
    assert seat.get("/?hours=9h").status == 400
