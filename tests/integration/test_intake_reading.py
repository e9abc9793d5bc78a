"""One job over HTTP, in a whole system: read, waited for, cancelled."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.fate_hindrances import HeldUp
from tests.integration.fate_web import listening
from worker.sandbox.server import Sandbox

READ = "stellantis.b2b.get_vehicle_status"


@dataclass
class Site:
    """A system with its web process; its worker works when it is told to."""

    bench: Bench
    url: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """Status, headers, and the JSON of the body."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        text = None if body is None else json.dumps(body).encode()
        if text is not None:
            given["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, text, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, json.loads(error.read() or b"null")

    def post(self, operation: str = READ, **more: Any) -> str:
        """Asks for a call of the catalogue's own example; its job."""
        row = next(one for one in self.ask("GET", "/v1/catalogue")[2]["items"] if one["name"] == operation)
        account = "stellantis:fleet-1" if row["api"] == "stellantis" else "hub:IN-ABC"
        call = {"operation": operation, "account": account, "params": row["example"]["params"], **more}
        if row["example"]["body"] is not None:
            call["body"] = row["example"]["body"]
        status, _, said = self.ask("POST", "/v1/jobs", call)
        assert status == 202, said
        return str(said["id"])


@pytest.fixture
def site(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Site]:
    with listening() as (url, serve), Bench(redis_url, sandbox, tmp_path, idle=True, PUBLIC_URL=url) as bench:
        serve(bench)
        site = Site(bench, url)
        bench.until(lambda: reached(site), "the web process answers")
        yield site


def reached(site: Site) -> bool:
    try:
        return site.ask("GET", "/healthz")[0] == 200
    except OSError:
        return False


def after(seconds: float, act: Callable[[], Any]) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def test_a_job_is_followed_from_its_line_to_its_result(site: Site) -> None:
    job = site.post()
    _, headers, said = site.ask("GET", f"/v1/jobs/{job}")
    assert (said["state"], said["waiting"]["place"], said["waiting"]["of"]) == ("waiting", 1, 1)
    assert "no worker is running" in said["waiting"]["waits_for"]
    assert (said["result"], said["ended"], headers["Retry-After"]) == (None, None, "2")
    site.bench.start()
    _, headers, said = site.ask("GET", f"/v1/jobs/{job}?wait=20")
    assert (said["state"], said["runs"], said["waiting"], said["problem"]) == ("done", 1, None, None)
    assert isinstance(said["result"], dict) and said["result"]
    assert said["ended"] >= said["created"]
    assert "evidence" not in said


def test_an_answer_that_has_not_changed_is_not_sent_again(site: Site) -> None:
    site.bench.start()
    job = site.post()
    _, headers, _ = site.ask("GET", f"/v1/jobs/{job}?wait=20")
    tag = headers["ETag"]
    assert tag.startswith('"') and tag.endswith('"')
    for said in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        status, headers, body = site.ask("GET", f"/v1/jobs/{job}", If_None_Match=said)
        assert (status, headers["ETag"], body) == (304, tag, None)
    assert site.ask("GET", f"/v1/jobs/{job}", If_None_Match='"other"')[0] == 200


def test_whoever_waits_is_answered_when_the_job_ends_or_the_time_is_over(site: Site) -> None:
    job = site.post()
    began = time.monotonic()
    assert site.ask("GET", f"/v1/jobs/{job}?wait=0.3")[2]["state"] == "waiting"
    assert time.monotonic() - began >= 0.3
    began = time.monotonic()
    timer = after(0.3, site.bench.start)
    with ThreadPoolExecutor(20) as pool:
        states = list(pool.map(lambda _: site.ask("GET", f"/v1/jobs/{job}?wait=30")[2]["state"], range(20)))
    timer.join()
    assert states == ["done"] * 20
    assert time.monotonic() - began < 30, "whoever was not answered at its end has waited so long"


def test_waiting_for_what_is_not_known_ends_at_once(site: Site) -> None:
    began = time.monotonic()
    status, _, said = site.ask("GET", "/v1/jobs/0-0123456789abcdef?wait=30")
    assert (status, said["type"]) == (404, "/v1/errors/not-found")
    assert time.monotonic() - began < 30
    assert site.ask("GET", "/v1/jobs/not%20an%20id")[0] == 404
    assert site.ask("GET", "/v1/jobs/0-1?wait=soon")[0] == 400
    assert site.ask("GET", "/v1/jobs/0-1?wiat=1")[2]["detail"].count("did you mean 'wait'") == 1


def test_all_pages_of_a_list_are_one_answer(site: Site) -> None:
    site.bench.start()
    job = site.post("stellantis.b2b.list_vehicles")
    said = site.ask("GET", f"/v1/jobs/{job}?wait=30")[2]
    assert (said["state"], said["pages"], said["pages_done"]) == ("done", said["pages"], said["pages"])
    assert said["pages"] > 1 and len(said["result"]) > said["pages"]


def test_a_dead_letter_says_what_is_known_and_what_can_be_done(site: Site) -> None:
    site.bench.start()
    site.bench.fault("hub.authorize_token", "ocpi", code=2001)
    job = site.post("hub.authorize_token")
    said = site.ask("GET", f"/v1/jobs/{job}?wait=30")[2]
    assert (said["state"], said["problem"]["class"], said["problem"]["code"]) == ("dead", "malformed", "2001")
    assert job in said["problem"]["safe"] and said["problem"]["explanation"]
    [letter] = site.ask("GET", "/v1/dead-letters")[2]["items"]
    assert (letter["id"], letter["class"], letter["problem"]) == (job, "malformed", said["problem"]["problem"])
    [problem] = site.ask("GET", "/v1/problems")[2]["items"]
    assert (problem["fingerprint"], problem["open"]) == (letter["problem"], 1)
    evidence = site.ask("GET", f"/v1/jobs/{job}?evidence=true")[2]
    assert {one["job"] for one in evidence["evidence"]} == {job}
    assert "012345678" not in json.dumps([evidence["evidence"], evidence["params"], evidence["body"]])


def test_what_waits_can_be_cancelled_again_and_again(site: Site) -> None:
    job = site.post()
    for _ in range(2):
        status, _, said = site.ask("POST", f"/v1/jobs/{job}/cancel")
        assert (status, said["state"]) == (200, "cancelled")
    site.bench.start()
    assert site.ask("GET", f"/v1/jobs/{job}?wait=5")[2]["state"] == "cancelled"


def test_what_is_sent_or_over_cannot_be_cancelled(site: Site) -> None:
    sent = HeldUp()
    site.bench.broker.add_middleware(sent)
    site.bench.start()
    job = site.post()
    assert sent.stopped.wait(30)
    status, _, said = site.ask("POST", f"/v1/jobs/{job}/cancel")
    sent.go_on.set()
    assert (status, said["type"], said["state"]) == (409, "/v1/errors/conflict", "running")
    assert site.ask("GET", f"/v1/jobs/{job}?wait=30")[2]["state"] == "done"
    status, _, said = site.ask("POST", f"/v1/jobs/{job}/cancel")
    assert (status, said["state"]) == (409, "done")
    assert site.ask("POST", "/v1/jobs/0-unknown/cancel")[0] == 404


def test_when_a_job_will_be_sent_is_told_with_its_acceptance(site: Site) -> None:
    site.bench.start()
    first = site.post()
    site.bench.wait(first, "done")
    site.bench.broker.client.hset(site.bench.key("holds"), "account:stellantis:fleet-1", "{}")
    held = site.ask("POST", "/v1/jobs", call := {
        "operation": READ, "account": "stellantis:fleet-1", "params": {"fid": "FLEET-1", "vid": "VEH-00002"}
    })  # fmt: skip
    assert (held[2]["expected_send_at"], held[1]["Retry-After"]) == (None, "60")
    site.bench.broker.client.hdel(site.bench.key("holds"), "account:stellantis:fleet-1")
    told = site.ask("POST", "/v1/jobs", call)
    assert told[2]["expected_send_at"] is not None
    assert 1 <= int(told[1]["Retry-After"]) <= 60
    for one in (held, told):
        site.ask("POST", f"/v1/jobs/{one[2]['id']}/cancel")
        site.bench.wait(one[2]["id"], "done", "cancelled")


def test_a_call_is_sent_in_the_trace_of_who_asked_for_it_and_so_are_its_pages(site: Site) -> None:
    site.bench.start()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    call = {"operation": "stellantis.b2b.list_vehicles", "account": "stellantis:fleet-1", "params": {"fid": "FLEET-1"}}
    _, _, said = site.ask("POST", "/v1/jobs", call, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    found = site.ask("GET", f"/v1/jobs/{said['id']}?wait=30&evidence=true")[2]
    sent = [one["request"]["headers"]["traceparent"] for one in found["evidence"] if "request" in one]
    assert found["pages"] > 1 and len(sent) == found["pages"] == len(set(sent))
    assert {one[:36] for one in sent} == {f"00-{trace}-"} and {one[-3:] for one in sent} == {"-01"}


def test_what_is_no_trace_is_left_out(site: Site) -> None:
    site.bench.start()
    for said in ("", "00-0-0-0", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff-{'a' * 32}-00f067aa0ba902b7-01"):
        call = {"operation": READ, "account": "stellantis:fleet-1", "params": {"fid": "FLEET-1", "vid": "VEH-00001"}}
        job = site.ask("POST", "/v1/jobs", call, traceparent=said)[2]["id"]
        [record] = site.ask("GET", f"/v1/jobs/{job}?wait=30&evidence=true")[2]["evidence"]
        assert "traceparent" not in record["request"]["headers"]
