"""The console's pages over a real socket: what they show, what they do, and what they never let through."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

from tests.integration.console_seat import NOWHERE, PAGES, Page, Seat
from worker.fail.dead_letter import Filter
from worker.store.embedded import EmbeddedServer

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\'{{7*7}}'


@pytest.fixture(scope="module")
def seat(store_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    with Seat(store_server.url, tmp_path_factory.mktemp("console")) as made:
        yield made


def problem_of(seat: Seat, job: str) -> str:
    return seat.parts.jobs.read(job).problem


def test_every_page_answers_and_names_what_it_shows(seat: Seat) -> None:
    job, careful, waits = seat.not_found(), seat.unknown(), seat.waiting()
    for path in PAGES:
        answer = seat.get(path)
        assert answer.status == 200, path
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"
    letter = seat.get(f"/dead-letters/{job}").text
    assert "not found (2003)" in letter and "Attempt 1: HTTP 404" in letter and "[hidden]" in letter
    assert "The other side did not carry it out." in letter
    assert "I have found out that it was <strong>not</strong> carried out" in seat.get(f"/dead-letters/{careful}").text
    problem = seat.get(f"/problems/{problem_of(seat, job)}").text
    assert "The thing asked about does not exist" in problem
    assert "so that it waits" in seat.get(f"/jobs/{waits}").text
    assert f"/jobs/{waits}" in seat.get("/jobs?account=hub:IN-ABC").text
    assert "so that it waits" in seat.get("/").text


def test_links_of_alerts_lead_to_pages(seat: Seat) -> None:
    job = seat.not_found()
    assert seat.get(f"/dead-letters/{job}").status == 200
    assert seat.get(f"/problems/{problem_of(seat, job)}").status == 200
    waits = seat.waiting()
    assert seat.get(f"/dead-letters/{waits}").to == f"/jobs/{waits}", "no letter any more: shown as the job it is"


def test_a_letter_is_sent_again_with_a_reason_and_a_name_in_the_audit(seat: Seat) -> None:
    job = seat.not_found()
    without = seat.post(f"/dead-letters/{job}/redrive")
    assert without.status == 400 and "expected a few words" in without.text
    assert seat.post(f"/dead-letters/{job}/redrive", {"reason": "the location exists now"}).status == 303
    seat.bench.wait(job, "dead")
    shown = seat.get(f"/dead-letters/{job}").text
    assert "by console@127.0.0.1" in shown and "the location exists now" in shown
    audit = seat.get("/audit").text
    assert "redrive" in audit and "the location exists now" in audit and "console@127.0.0.1" in audit


def test_a_letter_is_set_aside_and_taken_back(seat: Seat) -> None:
    job = seat.not_found()
    assert seat.post(f"/dead-letters/{job}/discard", {"reason": "a typing mistake"}).to.endswith("?did=discard")
    assert job in seat.get("/dead-letters?pile=discarded").text
    assert job not in seat.get("/dead-letters").text
    assert seat.post(f"/dead-letters/{job}/redrive", {"reason": "again"}).status == 409
    assert seat.post(f"/dead-letters/{job}/restore", {"reason": "it was none"}).status == 303
    assert job in seat.get("/dead-letters").text


def test_a_call_that_may_have_been_carried_out_is_not_sent_again_by_habit(seat: Seat) -> None:
    job = seat.unknown()
    refused = seat.post(f"/dead-letters/{job}/redrive", {"reason": "just try"})
    assert refused.status == 409 and "nobody knows whether it was carried out" in refused.text
    assert seat.parts.jobs.read(job).state == "dead"
    told = {"reason": "the CPO has no such session", "even_if_unknown": "yes"}
    assert seat.post(f"/dead-letters/{job}/redrive", told).status == 303
    assert seat.parts.jobs.read(job).state != "dead"


def test_lanes_are_held_and_released_with_a_reason(seat: Seat) -> None:
    scope = "account:stellantis:fleet-1"
    assert seat.post("/lanes/hold", {"scope": scope}).status == 400
    assert seat.post("/lanes/hold", {"scope": "account:stellantis:nobody", "reason": "x"}).status == 400
    assert seat.post("/lanes/hold", {"scope": scope, "reason": "maintenance"}).status == 303
    assert seat.post("/lanes/hold", {"scope": scope, "reason": "maintenance"}).status == 409
    assert seat.parts.holds.all()[scope].by == "console@127.0.0.1"
    assert "maintenance" in seat.get("/lanes").text
    assert "stellantis:fleet-1 is held (operator, by console@127.0.0.1): maintenance." in seat.get("/").text
    assert seat.post("/lanes/release", {"scope": scope, "reason": "over"}).status == 303
    assert scope not in seat.parts.holds.all()
    assert seat.post("/lanes/release", {"scope": scope, "reason": "over"}).status == 404


def test_what_a_wrong_answer_taught_is_forgotten_with_a_reason(seat: Seat) -> None:
    account, client, key = "hub:IN-ABC", seat.parts.partition.client, seat.parts.partition.key
    seat.waiting()
    assert seat.post("/lanes/relearn", {"account": account, "reason": "x"}).status == 404, "nothing was taught"
    client.hset(key("window", f"{account}|locations"), "lim", 1)
    assert f"<option>{account}</option>" in seat.get("/lanes").text
    assert seat.post("/lanes/relearn", {"account": account}).status == 400
    assert seat.post("/lanes/relearn", {"account": "hub:IN-XYZ", "reason": "x"}).status == 400
    assert seat.post("/lanes/relearn", {"account": account, "reason": "their mistake"}).status == 303
    assert int(client.hget(key("window", f"{account}|locations"), "lim") or 0) > 1
    assert "relearn" in seat.get("/audit").text and "their mistake" in seat.get("/audit").text


def test_whoever_knows_of_a_problem_says_so(seat: Seat) -> None:
    problem = problem_of(seat, seat.unknown())
    assert "I know of it" in seat.get(f"/problems/{problem}").text
    said = {"mark": "acknowledged", "reason": "asked their support"}
    assert seat.post(f"/problems/{problem}/mark", said).status == 303
    shown = seat.get(f"/problems/{problem}").text
    assert "acknowledged</a> by console@127.0.0.1" in shown and "I know of it" not in shown
    assert "console@127.0.0.1 knows" in seat.get("/problems").text
    assert seat.post(f"/problems/{problem}/mark", said).status == 409
    assert "asked their support" in seat.get("/audit").text


def test_a_waiting_job_is_cancelled_and_that_is_audited(seat: Seat) -> None:
    job = seat.waiting()
    assert seat.post(f"/jobs/{job}/cancel", {"reason": "not wanted any more"}).status == 303
    assert seat.parts.jobs.read(job).state == "cancelled"
    assert "not wanted any more" in seat.get("/audit").text
    assert seat.post(f"/jobs/{job}/cancel", {"reason": "again"}).status == 303, "cancelled twice is cancelled"


def test_a_job_is_found_by_its_id_and_by_its_key(seat: Seat) -> None:
    job = seat.waiting()
    keyed = seat.bench.send("hub.list_locations", key="order 7/8 <b>")
    assert seat.get(f"/jobs?q={job}").to == f"/jobs/{job}"
    assert seat.get(f"/jobs?q={quote('order 7/8 <b>')}").to == f"/jobs/{keyed}"
    nothing = seat.get("/jobs?q=nobody")
    assert nothing.status == 200 and "Nothing has this id or key" in nothing.text


def test_jobs_are_filtered_as_the_form_says_and_saved_so(seat: Seat) -> None:
    job = seat.bench.run("hub.get_location", params=NOWHERE | {"location_id": "LOC-0001"}).job_id
    seat.bench.until(lambda: job in seat.get("/jobs?state=done").text, "the list")
    page = seat.get("/jobs?state=done&operation=hub.get_location").text
    assert "<option selected>done</option>" in page and "<option selected>hub.get_location</option>" in page
    assert job in page and "<option selected>" not in seat.get("/jobs").text
    rows = [json.loads(line) for line in seat.get("/export/jobs.jsonl?state=done").text.splitlines()]
    assert job in {row["id"] for row in rows} and {row["state"] for row in rows} == {"done"}
    assert "No such job" in seat.get("/jobs?state=expired&account=nobody").text
    assert seat.get("/export/jobs.csv?state=x").status == 400


def test_until_is_read_as_since_is_and_goes_into_the_plan(seat: Seat) -> None:
    job = seat.not_found()
    assert job in seat.get("/dead-letters?until=2100-01-01T00:00:00Z").text
    assert "No letter fits" in seat.get("/dead-letters?until=1h").text
    plan = Page(seat.get("/dead-letters/plan?verb=redrive&until=2100-01-01T00:00:00Z").text)
    assert plan.hidden["until"] == "2100-01-01T00:00:00Z" and plan.hidden["as_of"].isdecimal()


def test_letters_come_page_by_page_without_gap_or_repeat(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        seat.not_found()
    monkeypatch.setattr("worker.console.finding.PAGE", 3)
    for address in ("/dead-letters?class=not_found", "/dead-letters?account=hub:IN-ABC&class=not_found"):
        wanted = _all(seat)
        found: list[str] = []
        following: str | None = address
        while following:
            page = Page(seat.get(following).text)
            rows = [given for tag, given in page.elements if tag == "a" and "row-link" in str(given.get("class"))]
            found += [str(given["href"]).rpartition("/")[2] for given in rows]
            more = [given["href"] for tag, given in page.elements if given.get("rel") == "next"]
            following = more[0] if more else None
        assert found == wanted


def _all(seat: Seat) -> list[str]:
    return [job.id for job in seat.parts.letters.find(Filter(error_class="not_found"))]


def test_bundles_are_saved_and_not_shown(seat: Seat) -> None:
    job = seat.not_found()
    for base in (f"/dead-letters/{job}", f"/problems/{problem_of(seat, job)}"):
        text, data = seat.get(f"{base}/bundle.md"), seat.get(f"{base}/bundle.json")
        assert text.headers["content-disposition"].startswith('attachment; filename="support-')
        assert text.text.startswith("# Support request: hub.get_location")
        assert json.loads(data.text)["cases"]
        assert seat.get(f"{base}/bundle.html").status == 404


def test_mistakes_in_an_address_are_said(seat: Seat) -> None:
    for address, said in (
        ("/dead-letters?since=yesterday", "a length of time such as 30s"),
        ("/dead-letters?until=2h30", "2026-01-31T09:00:00Z"),
        ("/dead-letters?pile=heap", "expected one of dead"),
        ("/dead-letters?problem=x", "expected 16 hexadecimal digits"),
        ("/dead-letters?before=x", "begin with the newest"),
        ("/dead-letters?account=" + "x" * 200, "expected at most 120"),
        ("/dead-letters/plan?verb=burn", "expected one of redrive"),
        ("/dead-letters/plan?verb=redrive&pile=discarded", "choose another pile"),
        ("/jobs?state=odd", "expected one of"),
        ("/audit?after=-1", "expected a number"),
    ):
        answer = seat.get(address)
        assert answer.status == 400 and said in answer.text, address
        assert HOSTILE not in answer.text


def test_a_filter_that_cannot_be_used_is_shown_on_its_page_with_what_is_wrong(seat: Seat) -> None:
    for address, said, kept in (
        ("/dead-letters?account=hub:IN-ABC&since=yesterday", "a length of time such as 30s", 'value="yesterday"'),
        ("/dead-letters?since=1h&until=2h", "expected since to be before until", 'value="1h"'),
        ("/dead-letters?since=2099-01-01T00:00:00Z", "got one in the future", "2099-01-01"),
        ("/problems?since=soon", "a length of time such as 30s", 'value="soon"'),
        ("/problems?state=odd", "expected one of open", 'name="since"'),
        ("/jobs?state=odd&priority=bulk", "state: expected one of", "<option selected>bulk"),
    ):
        answer = seat.get(address)
        assert (answer.status, said in answer.text, kept in answer.text) == (400, True, True), address
        assert 'class="filters"' in answer.text and 'aria-label="Pages"' in answer.text, address


def test_an_address_with_a_word_that_nothing_has_is_still_a_page_and_says_so(seat: Seat) -> None:
    for address, said in (
        ("/dead-letters?class=not_fund", "not_found"),
        ("/dead-letters?account=hub:XX", "expected account to be an account"),
        ("/problems?operation=hub.get_locatoin", "hub.get_location"),
        ("/jobs?account=hub:XX", "expected account to be an account"),
    ):
        answer = seat.get(address)
        assert (answer.status, said in answer.text, 'role="alert"' in answer.text) == (200, True, True), address
    for name in ("dead-letters", "problems", "jobs"):
        assert seat.get(f"/export/{name}.csv?operation=hub.nope").status == 400
    assert 'role="alert"' not in seat.get("/dead-letters?class=not_found&account=hub:IN-ABC&since=2h").text


def test_what_is_not_there_is_a_page_that_says_so(seat: Seat) -> None:
    for path in ("/problems/0123456789abcdef", "/dead-letters/0-none", "/jobs/0-none", "/lanes/x/y", "/static/none.css",
                 "/static/../mount.py", "/static/%2e%2e/mount.py", "/static/..%2fmount.py", "/dead-letters/%00",
                 "/problems/" + quote(HOSTILE, safe=""), "/dead-letters/" + "x" * 3000):  # fmt: skip
        answer = seat.get(path)
        assert answer.status == 404, path
        assert "alert(1)</script>" not in answer.text and "docstring" not in answer.text
    assert seat.get("/static/console.css").status == 200
    assert seat.post("/problems").status == 405
    assert seat.get("/v1/nothing").headers["content-type"].startswith("application/problem+json"), "the API's own"


def test_script_in_any_stored_field_stays_text(seat: Seat) -> None:
    job, waits = seat.not_found(), seat.waiting()
    fingerprint = problem_of(seat, job)
    store, key = seat.bench.store, seat.bench.key
    before = {name: store.hgetall(name) for name in (key("job", job), key("job", waits), key("problem", fingerprint))}
    for name in ("op", "acct", "api", "budget", "err", "code", "why", "chain"):
        store.hset(key("job", job), name, HOSTILE)
    for name in ("err", "code", "why"):
        store.hset(key("job", waits), name, HOSTILE)
    for name in ("op", "api", "class", "code", "sample"):
        store.hset(key("problem", fingerprint), name, HOSTILE)
    evil = {"at": HOSTILE, "worker": HOSTILE, "attempt": HOSTILE, "method": HOSTILE, "url": HOSTILE, "why": HOSTILE,
            "decision": HOSTILE, "ids": {HOSTILE: HOSTILE}, "wrote": True, "latency_ms": HOSTILE,
            "outcome": {"class": HOSTILE, "code": HOSTILE, "message": HOSTILE, "vendor": {HOSTILE: HOSTILE}},
            "request": {"headers": {HOSTILE: HOSTILE}, "body": {"preview": HOSTILE, "length": 5, "sha256": HOSTILE}},
            "response": {"status": HOSTILE, "headers": {HOSTILE: HOSTILE}, "body": {"preview": HOSTILE}},
            "failure": {"kind": HOSTILE, "detail": HOSTILE}}  # fmt: skip
    for record in (evil, {"event": HOSTILE, "by": HOSTILE, "reason": HOSTILE, HOSTILE: HOSTILE}, [HOSTILE], HOSTILE):
        store.rpush(key("evidence", job), json.dumps(record))
    store.set(key("message", job), json.dumps({"kwargs": {"params": {HOSTILE: HOSTILE}, "body": HOSTILE}}))
    store.hset(key("holds"), f"account:{HOSTILE}", json.dumps({"cause": HOSTILE, "by": HOSTILE, "reason": HOSTILE}))
    store.zadd(key("workers"), {HOSTILE: 1})
    store.hset(key("worker", HOSTILE), mapping={"host": HOSTILE, "version": HOSTILE})
    entry = dict.fromkeys(("what", "by", "reason", "scope", HOSTILE), HOSTILE)
    store.lpush(key("audit"), json.dumps(entry | {"filter": {HOSTILE: HOSTILE}, "jobs": [HOSTILE]}))
    store.sadd(key("lanes"), f"{HOSTILE}|{HOSTILE}|{HOSTILE}")
    asked = quote(HOSTILE)
    try:
        for path in (
            *PAGES, f"/dead-letters/{job}", f"/jobs/{waits}", f"/problems/{fingerprint}", f"/jobs?q={asked}",
            f"/dead-letters?account={asked}&operation={asked}&class={asked}", f"/problems?operation={asked}",
            f"/dead-letters/plan?verb=redrive&class={asked}", "/dead-letters/plan?verb=redrive",
            f"/lanes?account={asked}", f"/dead-letters/{job}?did={asked}", f"/sign-in?next={asked}",
        ):  # fmt: skip
            answer = seat.get(path)
            assert answer.status == 200, path
            for tag, given in Page(answer.text).elements:
                assert not (tag == "script" and not str(given.get("src")).startswith("/static/")), path
                assert not any(name.startswith("on") for name in given), (path, tag, given)
                assert given.get("src") != "x", (path, tag, given)
                assert not str(given.get("href") or "").lower().startswith("javascript:"), path
            assert "49'" not in answer.text and "<style" not in answer.text and " style=" not in answer.text
    finally:
        store.hdel(key("holds"), f"account:{HOSTILE}")
        store.zrem(key("workers"), HOSTILE)
        store.srem(key("lanes"), f"{HOSTILE}|{HOSTILE}|{HOSTILE}")
        for name, facts in before.items():
            store.hset(name, mapping=facts)


def test_nothing_is_changed_from_elsewhere(seat: Seat) -> None:
    job = seat.not_found()
    where, form = f"/dead-letters/{job}/discard", {"reason": "x"}
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
        {"origin": f"http://127.0.0.1:{seat.port + 1}"},
        {"sec_fetch_site": "", "origin": "http://elsewhere.example"},
        {"sec_fetch_site": "", "origin": ""},
    ):
        assert seat.post(where, form, **headers).status == 403, headers
    assert not seat.parts.jobs.read(job).discarded
    assert seat.get(where).status == 405, "a link changes nothing"
    assert seat.post(where, form, sec_fetch_site="").status == 303, "an old browser sends Origin alone"


def test_a_form_that_is_too_long_is_not_read(seat: Seat) -> None:
    assert seat.post("/lanes/hold", {"reason": "x" * 100_000}).status == 413
    assert seat.post("/lanes/hold", {f"f{n}": "x" for n in range(100)}).status == 413


def test_only_this_machine_is_let_in_while_there_is_no_key(seat: Seat) -> None:
    for headers in (
        {"host": "console.example"}, {"host": "[::1"}, {"host": "a b"}, {"host": ":"},
        {"x_forwarded_for": "10.0.0.1"}, {"forwarded": "for=10.0.0.1"}, {"via": "1.1 x"},
    ):  # fmt: skip
        answer = seat.get("/", **headers)
        assert answer.status == 403 and "The console is closed" in answer.text, headers
        assert "Workers</dt>" not in answer.text
    assert seat.get("/", host=f"localhost:{seat.port}").status == 200


def test_a_store_that_does_not_answer_is_said_in_a_page(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise redis.exceptions.ConnectionError("secret details")

    monkeypatch.setattr(type(seat.partition), "ask", away)
    for path in ("/", "/problems", "/dead-letters", "/jobs", "/lanes", "/workers", "/audit", "/jobs/0-1"):
        answer = seat.get(path)
        assert answer.status == 503 and "The store does not answer" in answer.text and "secret" not in answer.text, path


def test_a_page_that_breaks_says_so_and_nothing_of_the_inside(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr(type(seat.parts.problems), "find", broken)
    answer = seat.get("/problems")
    assert answer.status == 500 and "Something broke here" in answer.text and "secret details" not in answer.text


def test_vendored_files_are_what_they_are_said_to_be() -> None:
    folder = Path(__file__).parents[2] / "worker/console/static/vendor"
    said = json.loads((folder / "vendored.json").read_text(encoding="utf-8"))
    present = {path.name for path in folder.iterdir() if path.suffix in (".js", ".css")}
    assert present == set(said)
    for name, facts in said.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts["sha256"], name
        assert (folder / f"{name.partition('.')[0]}.LICENSE").exists()
