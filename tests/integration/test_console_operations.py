"""The console's page Operations, without a browser: plan, confirm, progress, cancel, report."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import redis

from tests.integration.console_seat import Page, Seat
from worker.fail.bulk_plan import BulkOrder
from worker.fail.dead_letter import Filter

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def seat(store_server: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    url: str = store_server.url  # type: ignore[attr-defined]
    with redis.Redis.from_url(url) as client:
        client.flushall()
    with Seat(url, tmp_path_factory.mktemp("operations")) as made:
        yield made


def planned(seat: Seat, verb: str, **words: str) -> dict[str, str]:
    """The fields of a plan's form."""
    page = seat.get(f"/dead-letters/plan?{urlencode({'verb': verb, **words})}")
    assert page.status == 200
    return Page(page.text).hidden


def confirmed(seat: Seat, fields: dict[str, str], **more: str) -> str:
    """The address of the operation that a plan has become."""
    answer = seat.post("/operations", fields | {"reason": "a test"} | more)
    assert answer.status == 303, answer.text
    assert re.fullmatch(r"/operations/op-[0-9a-f]{20}", answer.to)
    return answer.to


def ended(seat: Seat, address: str) -> str:
    """The page of an operation that has come to its end."""
    seat.bench.until(lambda: "state done" in seat.get(address).text, "the operation")
    return seat.get(address).text


def problem_of(seat: Seat, job: str) -> str:
    return seat.parts.jobs.read(job).problem


def test_a_filter_is_planned_confirmed_carried_out_and_reported(seat: Seat) -> None:
    jobs = [seat.not_found() for _ in range(3)]
    problem = problem_of(seat, jobs[0])
    plan = seat.get(f"/dead-letters/plan?verb=discard&problem={problem}")
    assert "<b>3</b> letters fit" in plan.text and "not found (2003)" in plan.text
    assert all(seat.parts.jobs.read(job).state == "dead" for job in jobs)
    later = seat.not_found()
    address = confirmed(seat, Page(plan.text).hidden, reason="wrong ids in the import", pace="100")
    text = ended(seat, address)
    assert "<b>3</b> of 3" in text and "wrong ids in the import" in text and "console@127.0.0.1" in text
    assert "1</a> such letters died after the plan" in text
    assert all(seat.parts.jobs.read(job).discarded for job in jobs)
    assert not seat.parts.jobs.read(later).discarded, "who dies after the plan is not touched"
    listed = seat.get("/operations").text
    assert address in listed and "wrong ids in the import" in listed
    assert address in seat.get("/audit").text
    back = confirmed(seat, planned(seat, "restore", problem=problem, pile="discarded"))
    assert "taken back" in ended(seat, back)
    assert not any(seat.parts.jobs.read(job).discarded for job in jobs)


def test_what_failed_again_leads_to_its_problem(seat: Seat) -> None:
    job = seat.not_found()
    problem = problem_of(seat, job)
    assert f"/dead-letters/plan?verb=redrive&amp;problem={problem}" in seat.get(f"/problems/{problem}").text.replace(
        f"?problem={problem}&amp;verb=redrive", f"?verb=redrive&amp;problem={problem}"
    )
    address = confirmed(seat, planned(seat, "redrive", problem=problem), pace="200")
    ended(seat, address)
    seat.bench.until(lambda: "not ended yet" not in seat.get(address).text, "the calls")
    text = seat.get(address).text
    assert '<span class="state done bad">done, all failed again</span>' in text
    assert "failed again</b>" in text and f'href="/problems/{problem}"' in text
    assert "such letters died after the plan" not in text, "those that failed again are no news"


def test_it_is_stopped_from_its_page(seat: Seat) -> None:
    jobs = [seat.not_found() for _ in range(6)]
    address = confirmed(seat, planned(seat, "discard", problem=problem_of(seat, jobs[0])), pace="0.01")
    page = seat.get(address)
    assert "state running" in page.text and f'action="{address}/cancel"' in page.text
    assert seat.post(f"{address}/cancel", {}).status == 400, "a reason is asked for"
    assert seat.post(f"{address}/cancel", {"reason": "x"}, sec_fetch_site="cross-site").status == 403
    assert seat.post(f"{address}/cancel", {"reason": "the wrong ones"}).status == 303
    stopped = seat.get(address).text
    assert "state cancelled" in stopped and "the wrong ones" in stopped and "not touched" in stopped
    assert f"{address}/cancel" not in stopped
    seat.post("/operations", planned(seat, "restore", pile="discarded") | {"reason": "for the next test"})


def test_what_somebody_planned_over_http_is_confirmed_here(seat: Seat) -> None:
    job = seat.not_found()
    order = BulkOrder("discard", Filter(problem=problem_of(seat, job)), "a program", "it asked")
    made = seat.parts.bulk.make(order)
    address = f"/operations/{made.id}"
    page = seat.get(address).text
    assert "state planned" in page and f'action="{address}/start"' in page
    assert not seat.parts.jobs.read(job).discarded
    assert seat.post(f"{address}/start", {"reason": "yes"}).status == 303
    assert "by a program" in ended(seat, address)
    assert seat.parts.jobs.read(job).discarded
    seat.post(f"/dead-letters/{job}/restore", {"reason": "for the next test"})


def test_mistakes_and_what_is_not_there_are_said(seat: Seat) -> None:
    fields = planned(seat, "discard", problem=problem_of(seat, seat.not_found()))
    for more, said in (
        ({"reason": ""}, "expected a few words"),
        ({"pace": "fast"}, "expected a number of letters per second"),
        ({"pace": "nan"}, "pace: expected 0.01 to 1000"),
        ({"pace": "0"}, "pace: expected 0.01 to 1000"),
        ({"total": "5000"}, "expected the number of letters, 5000"),
        ({"verb": "burn"}, "expected one of redrive"),
        ({"as_of": "-1"}, "expected a whole number"),
        ({"pile": "expired"}, "choose another pile"),
    ):
        refused = seat.post("/operations", fields | {"reason": "x"} | more)
        assert refused.status == 400 and said in refused.text, more
    assert seat.post("/operations", fields | {"reason": "x", "as_of": "1"}).status == 409
    assert seat.post("/operations", fields | {"reason": "x"}, origin="http://elsewhere.example").status == 403
    for path in ("/operations/op-1", "/operations/op-" + "0" * 20, "/operations/" + "x" * 3000):
        assert seat.get(path).status == 404


def test_script_in_an_order_stays_text(seat: Seat) -> None:
    job = seat.not_found()
    order = BulkOrder("discard", Filter(account=HOSTILE, operation=HOSTILE), HOSTILE, HOSTILE)
    made = seat.parts.bulk.make(order)
    store, key = seat.bench.store, seat.bench.key
    store.hset(key("bulk", made.id), mapping={"some": json.dumps([[job, "x"]]), "left:<b>x</b>": 1, "again:<b>": 1})
    seat.parts.bulk.cancel(made.id, HOSTILE, HOSTILE)
    for path in ("/operations", f"/operations/{made.id}", "/audit"):
        answer = seat.get(path)
        assert answer.status == 200
        assert "<script>alert" not in answer.text and "<b>x</b>" not in answer.text
        assert all(given.get("src") != "x" for _, given in Page(answer.text).elements)


def test_where_sending_again_does_not_help_its_button_is_not_the_first_and_the_plan_says_so(seat: Seat) -> None:
    refused = {"action": "status", "status": 500, "body": {"code": 50000, "message": "CORVET Error"}}
    ended = seat.bench.run("stellantis.b2b.get_vehicle_status", fault=refused)
    assert ended.error_class == "consent_needed"
    plan = f"/dead-letters/plan?{urlencode({'verb': 'redrive', 'problem': problem_of(seat, ended.job_id)})}"
    helps = f"/dead-letters/plan?{urlencode({'verb': 'redrive', 'problem': problem_of(seat, seat.not_found())})}"
    for page, buttons in (
        (f"/problems/{problem_of(seat, ended.job_id)}", ("plan?verb=redrive", "plan?problem=")),
        (f"/dead-letters/{ended.job_id}", ("/redrive",)),
    ):
        found = [
            given.get("class")
            for tag, given in Page(seat.get(page).text).elements
            if tag in ("a", "button")
            and any(word in str(given.get("href") or given.get("formaction")) for word in buttons)
            and "discard" not in str(given)
        ]
        assert found, page
        assert not [word for word in found if "main" in str(word).split()], page
    said = seat.get(plan).text
    assert "Sending again does not help <b>1</b> of them, consent needed (50000)" in said
    assert "Have the car enrolled again" in said
    assert "<button>Send again</button>" in said
    said = seat.get(helps).text
    assert "does not help" not in said
    assert '<button class="main">Send again</button>' in said
