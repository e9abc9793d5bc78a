"""`tail`: what happens to jobs, followed as it happens."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import redis

from tests.integration.desk import CAR, READ, START, Desk
from tests.integration.fate_bench import Bench
from tests.integration.terminal import Terminal
from worker.observe.news import Away, Missed, News, happenings
from worker.sandbox.server import Sandbox
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys
from worker.store.partition import Partition

ROOT = Path(__file__).resolve().parents[2]
STATUS = "stellantis.b2b.get_vehicle_status"


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    with Bench(redis_url, sandbox, tmp_path, idle=True) as made:
        yield made


def _hear_ctrl_c() -> None:
    """A suite that runs in a shell's background would hand its deafness down."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Follower:
    """A `tail` of its own, as a person runs it."""

    def __init__(self, environ: dict[str, str], *words: str) -> None:
        command = [sys.executable, "-m", "worker", "tail", *words]
        environ = {"PATH": os.environ["PATH"], **environ}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=_hear_ctrl_c,
        )  # fmt: skip
        assert self.process.stderr is not None
        self.hello = self.process.stderr.readline()
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def line(self) -> str:
        return self._lines.get(timeout=30)

    def end(self, order: signal.Signals | None = signal.SIGINT) -> tuple[int, str]:
        """Its exit code, and what it said since its first words."""
        if order is not None:
            self.process.send_signal(order)
        code = self.process.wait(30)
        self._reader.join(10)
        assert self.process.stdout is not None and self.process.stderr is not None
        said = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, said


@pytest.fixture
def follow(bench: Bench) -> Iterator[Any]:
    made: list[Follower] = []

    def begin(*words: str) -> Follower:
        made.append(Follower(bench.environ, *words))
        return made[-1]

    yield begin
    for one in made:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def test_attempts_and_ends_are_shown_as_they_occur_until_ctrl_c(bench: Bench, follow: Any) -> None:
    one = follow()
    assert one.hello == "paceline: following what happens from now on; Ctrl-C ends it.\n"
    bench.start()
    job = bench.send(STATUS)
    said = one.line()
    assert job in said and f"stellantis:fleet-1 {STATUS}" in said
    assert "attempt 1: HTTP 200 in" in said and said.endswith("success -> done: done")
    code, complaint = one.end()
    assert (code, complaint.strip()) == (130, "paceline: interrupted")


def test_programs_get_the_evidence_and_the_state_it_led_to(bench: Bench, follow: Any) -> None:
    one = follow("--json", "--limit", "3")
    bench.fault(STATUS, "status", status=503, times=1)
    bench.start()
    job = bench.send(STATUS)
    bench.wait(job, "done")
    other = bench.run(STATUS, fault={"action": "status", "status": 400}).job_id
    records = [json.loads(one.line()) for _ in range(3)]
    assert [(record["job"], record["event"], record["state"]) for record in records] == [
        (job, "attempt", "waiting"), (job, "attempt", "done"), (other, "attempt", "dead")
    ]  # fmt: skip
    assert [record["response"]["status"] for record in records] == [503, 200, 400]
    assert one.end(None) == (0, "")


def test_filters_leave_out_what_is_not_asked_for(bench: Bench, follow: Any) -> None:
    other = follow("--json", "--account", "stellantis:fleet-1", "--state", "dead", "--limit", "1")
    expired = follow("--json", "--operation", "hub.get_location", "--state", "expired", "--state", "cancelled",
                     "--limit", "2")  # fmt: skip
    bench.start()
    bench.run("hub.get_location")
    bench.run(STATUS)
    dead = bench.run(STATUS, fault={"action": "status", "status": 400}).job_id
    bench.system.broker.scripts("hold", {"scope": "account:hub:IN-ABC", "by": "me", "reason": "a test"})
    waiting = bench.send("hub.get_location")
    bench.system.broker.scripts("cancel", {"id": waiting, "by": "me", "reason": "no more"})
    late = bench.send("hub.get_location", deadline_s=0.05)
    bench.wait(late, "expired")
    assert json.loads(other.line())["job"] == dead
    assert [(record["event"], record["job"]) for record in (json.loads(expired.line()) for _ in range(2))] == [
        ("cancelled", waiting), ("ended", late)
    ]  # fmt: skip
    assert other.end(None)[0] == expired.end(None)[0] == 0


def test_a_reader_that_has_seen_enough_and_a_time_that_is_over_end_it_well(
    bench: Bench, monkeypatch: Any, capsys: Any
) -> None:
    run = Terminal(bench.environ, monkeypatch, capsys)
    said = run("tail", "--for", "100ms", "--json")
    assert (said.code, said.out) == (0, "")
    assert run("tail", "--state", "running").code == 2
    command = f"{sys.executable} -m worker tail --json | head -n 1"
    piped = subprocess.Popen(
        command, shell=True, cwd=ROOT, env={"PATH": os.environ["PATH"], **bench.environ}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert piped.stderr is not None
    assert "following" in piped.stderr.readline()
    bench.start()
    first = bench.run(STATUS).job_id
    while piped.poll() is None:  # a pipe that nobody reads is noticed by the next line
        bench.run(STATUS)
    out, err = piped.communicate(timeout=30)
    assert (json.loads(out)["job"], err) == (first, "")


def test_a_store_that_cannot_be_reached_is_said(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    run = Terminal({"PACELINE_REDIS_URL": "redis://127.0.0.1:1/0", "PACELINE_ENVIRONMENT": "test"}, monkeypatch, capsys)
    assert run("tail").code == 3


# -- what it costs ----------------------------------------------------------------------------------------------------


def follower(desk: Desk) -> News:
    made = News(Partition(desk.client, desk.keys, desk.scripts), monotonic=lambda: desk.now_us / 1e6, block_ms=20)
    made.begin()
    return made


def done(desk: Desk, count: int = 1) -> list[str]:
    jobs = desk.put(count)
    for slip in desk.take(want=count).slips:
        desk.finish(slip)
    return jobs


def seen(news: News) -> list[Any]:
    return [event if isinstance(event, Missed | Away) else (event["job"], event["state"]) for event in news.look()]


def test_nothing_is_written_while_nobody_follows(desk: Desk) -> None:
    done(desk)
    assert not desk.client.exists(desk.keys("news"))
    news = follower(desk)
    [job] = done(desk)
    assert seen(news) == [(job, "done")]
    desk.wait(16)
    done(desk)
    assert seen(news) == [], "nobody had said that they still follow when it was done"
    assert seen(news) == []
    assert 0 < desk.client.pttl(desk.keys("news")) <= 30_000


def test_who_goes_on_following_misses_nothing(desk: Desk) -> None:
    news = follower(desk)
    jobs = []
    for _ in range(5):
        jobs += done(desk)
        desk.wait(6)
        assert seen(news) == [(jobs[-1], "done")]


def test_who_falls_behind_is_told_how_much_was_missed(desk: Desk) -> None:
    desk.hire(threads=2000)
    news = follower(desk)
    for _ in range(9):
        done(desk, 100)
    found: list[Any] = []
    for _ in range(8):
        desk.wait(5)
        found += seen(news)
    [missed] = [one for one in found if isinstance(one, Missed)]
    shown = [one for one in found if not isinstance(one, Missed)]
    assert 2 * len(shown) + missed.count in (1_800, 1_801), "each is two entries; the first may be half"
    assert desk.client.xlen(desk.keys("news")) <= 1_200


def test_two_who_follow_see_the_same(desk: Desk) -> None:
    one, other = follower(desk), follower(desk)
    jobs = done(desk, 3)
    assert seen(one) == seen(other) == [(job, "done") for job in jobs]


def test_evidence_without_an_end_and_ends_without_evidence_are_events_of_their_own(desk: Desk) -> None:
    news = follower(desk)
    crashed, expired, accepted = *desk.put(1), *desk.put(1, dl=1_000_000), *desk.put(1, op=START, rep=0)
    desk.person("hold", scope=f"lane:{CAR}|{READ}")
    slip = desk.take().one
    assert slip.id == accepted
    desk.finish(slip, awaits=10**8)
    desk.wait(2)
    desk.take()
    assert seen(news) == [(accepted, None), (expired, "expired")]
    desk.person("release", scope=f"lane:{CAR}|{READ}")
    assert desk.take().one.id == crashed
    for _ in range(3):
        desk.wait(6)
        assert seen(news) == []
    assert desk.take().one.id == crashed
    assert seen(news) == [(crashed, "waiting")]


def test_events_that_do_not_belong_together_are_not_put_together() -> None:
    def entry(**words: str) -> tuple[str, dict[str, str]]:
        return ("1700000000000-0", {"job": "a", "account": CAR, "operation": READ, **words})

    words: Sequence[tuple[str, dict[str, str]]] = [
        entry(evidence="{}"), entry(evidence="not json"), entry(job="b", state="done"), entry(state="dead"),
        ("1-0", {"followed": "1"}), entry(evidence='{"event": "cancelled"}'), entry(state="cancelled"),
    ]  # fmt: skip
    assert [(event["job"], event["event"], event["state"]) for event in happenings(words)] == [
        ("a", "attempt", "waiting"), ("a", "unreadable", None), ("b", "ended", "done"), ("a", "ended", "dead"),
        ("a", "cancelled", "cancelled"),
    ]  # fmt: skip


def test_a_store_that_was_away_is_followed_again(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path) as server:
        client = redis.Redis.from_url(server.url, socket_timeout=5)
        desk = Desk(client)
        desk.hire()
        news = News(Partition(client, Keys(), desk.scripts), sleep=lambda _: server.restart())
        news.begin()
        server.stop()
        assert seen(news) == [Away()]
        [job] = done(desk)
        assert seen(news) == [(job, "done")]
        client.close()
