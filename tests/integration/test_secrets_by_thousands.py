"""Ten thousand planted values go through every way a call can fail, and none of them is seen by anybody else.

Planted are 2,000 credentials, which change in their files between rounds (hub tokens, raw and encoded, the tokens to
come, passwords), and 8,000 values of people (vehicles' numbers, cards, addresses, positions). A peer says them back in
headers, bodies of every form, codes and addresses; a delivery and a middleware raise with them; a command's receiver
reports them. Then all that is made for others is searched, for the values and for what is left of one cut in two.

Excepted in the store, and only for people: `msg:*` (a job's own message: its call is made from it) and `res:*` (its
caller's answer). Credentials are looked for there too. By the project's promise a vehicle's number and an address are
known by their look, a card in free text only where the call names it, and a position or another's card by its field;
so that is how they are planted.
"""

import json
import random
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import Any
from urllib.parse import quote

import pytest
import redis
from dramatiq import Broker, MessageProxy, Middleware

from tests.integration.alerting import Kent
from tests.integration.echoes import answer, envelope
from tests.integration.fate_bench import Bench
from tests.integration.fate_web import listening
from tests.integration.raw_peer import Peer, answering, peer
from tests.integration.terminal import Terminal
from worker.accept.operation import find
from worker.observe.redact import Redactor
from worker.sandbox.server import Sandbox

ROUNDS, PER_ROUND = 25, 10
PARTIES, FLEETS, CREDENTIALS = 32, 16, 8
"""In each round 32 tokens, 32 tokens to come and 16 passwords are in force: 8 for each of its 10 calls."""
PIECE = 12
"""So much of a value, from its beginning, helps somebody."""
EXCEPTED = ("msg:", "res:")
SIGNING = "whsec_cGFjZWxpbmUtc2lnbnMtdGhpcy13ZWJob29rISE="
HUB, CAR = "hub.start_session", "stellantis.b2b.get_vehicle_status"
LETTERS, CAPITALS = "abcdefghijkmnpqrstuvwxyz23456789", "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


@dataclass
class Case:
    """One call, its forty values, and how it is answered."""

    way: str
    credentials: list[str]
    vins: list[str]
    emails: list[str]
    own: list[str]
    cards: list[str]
    places: list[str]
    job: str = ""

    @property
    def people(self) -> list[str]:
        return [*self.vins, *self.emails, *self.own, *self.cards, *self.places]

    @property
    def text(self) -> str:
        """Free text with all that is known by its look or by the call; bounds cut it at any value."""
        words = [*self.credentials, *self.vins, *self.emails, *([] if self.way.startswith("car") else self.own)]
        return " | ".join([*words, *(b64encode(one.encode()).decode() for one in self.credentials)])

    @property
    def fields(self) -> dict[str, Any]:
        """JSON, in which others' cards and places stand under their names."""
        points = [{"type": "Point", "coordinates": [float(one), 2.5]} for one in self.places]
        return {
            "cards": [{"uid": one, "contract_id": own} for one, own in zip(self.cards, self.own, strict=True)],
            "lastPosition": {"geometry": points[0]}, "deep": [{"er": [{"geometry": point}]} for point in points[1:]],
            "latitude": self.places[0], "authorization": self.credentials, "vin": self.vins[0],
            "driver": {"email": self.emails[0]}, self.text: 1, "said": self.text, "message": self.text,
        }  # fmt: skip


def page(case: Case) -> bytes:
    return f"<html><pre>{case.text}</pre><script>x={json.dumps(case.fields)}</script></html>".encode()


def refused(status: str, code: Any, case: Case) -> bytes:
    said = {"code": code, "message": case.text, "uuid": case.vins[1], "timestamp": case.emails[1], **case.fields}
    return answer(status, json.dumps(said).encode())


def with_headers(case: Case) -> bytes:
    body = json.dumps(case.fields).encode()
    link = f"<http://{quote(case.emails[0])}@x/{quote(case.text)}?offset={quote(case.text)}>; rel=\"next\""
    names = ("X-Request-ID", "Server", "Via", "X-Else", "WWW-Authenticate", "Retry-After")
    return answer(
        "404 Not Found", body, "application/json", *(f"{name}: {case.text}" for name in names), f"Link: {link}"
    )


def redirect(case: Case, form: str) -> bytes:
    where = f"http://me:{quote(case.credentials[0])}@x.invalid/{form.join(map(quote, case.text.split(' | ')))}"
    location = f"Location: {where}?t={case.vins[0]}"
    return answer("302 Found", json.dumps(case.fields).encode(), "application/json", location)


def hub_said(code: int, case: Case, first: str = "") -> bytes:
    return envelope(code, first + case.text, {"nested": [case.fields]})


def cut_off(case: Case) -> bytes:
    return answer("200 OK", b'{"status_code": 1000, "data": ' + json.dumps(case.fields).encode()[:-9], length=90_000)


ACCEPTED = envelope(1000, "", {"result": "ACCEPTED", "timeout": 60})
WAYS = {
    "message": lambda case: hub_said(2003, case),
    "late": lambda case: hub_said(3001, case, "x" * (500 - PIECE - len(case.own))),
    "odd": lambda case: hub_said(2999, case),
    "html": lambda case: answer("502 Bad Gateway", page(case), "text/html"),
    "text": lambda case: answer("500 Oops", (case.text + json.dumps(case.fields)).encode(), "text/plain"),
    "reason": lambda case: answer(f"500 {case.text}"[:600], json.dumps(case.fields).encode()),
    "headers": with_headers,
    "redirect": lambda case: redirect(case, "/"),
    "redirect-whole": lambda case: redirect(case, "%20"),
    "cut": cut_off,
    "protocol": lambda case: f"{case.text} {json.dumps(case.fields)}\r\n\r\n".encode(),
    "raised": lambda case: hub_said(2003, case),
    "middleware": lambda case: hub_said(2003, case),
    "result": lambda case: ACCEPTED,
    "car": lambda case: refused("403 Forbidden", 40300, case),
    "car-code-car": lambda case: refused("400 Bad Request", case.vins[2], case),
    "car-code-secret": lambda case: refused("400 Bad Request", case.credentials[1], case),
    "car-oauth": lambda case: answer("400 Bad Request", json.dumps(
        {"error": case.emails[2], "error_description": case.text, **case.fields}).encode()),
    "car-gateway": lambda case: answer("500 Oops", json.dumps(
        {"httpCode": 500, "httpMessage": case.emails[3], "moreInformation": case.text, **case.fields}).encode()),
    "car-good": lambda case: answer("200 OK", json.dumps(case.fields).encode()),
}  # fmt: skip


class Planted:
    """The cases, from a fixed seed."""

    def __init__(self) -> None:
        self.rng = random.Random(20260131)
        self.cases: list[Case] = []
        self.credentials: list[list[str]] = []
        ways = list(WAYS)
        for _ in range(ROUNDS):
            live = [f"{self.word(8)}/{self.word(6)}+{self.word(8)}" for _ in range(PER_ROUND * CREDENTIALS)]
            self.credentials.append(live)
            for number in range(PER_ROUND):
                # Tokens, tokens to come and passwords for each call.
                self.cases.append(self.case(ways[len(self.cases) % len(ways)], live[number::PER_ROUND]))

    def case(self, way: str, credentials: list[str]) -> Case:
        vins = ["VF3" + self.word(6, CAPITALS) + self.digits(8) for _ in range(10)]
        emails = [f"{self.word(12)}.{self.word(4)}@{self.word(6)}.example" for _ in range(10)]
        own = [self.word(14, CAPITALS) for _ in range(4)]
        cards = [self.word(14, CAPITALS) for _ in range(4)]
        places = [f"{self.rng.randint(10, 80)}.{self.digits(11)}7" for _ in range(4)]
        return Case(way, credentials, vins, emails, own, cards, places)

    def word(self, length: int, letters: str = LETTERS) -> str:
        return "".join(self.rng.choices(letters, k=length))

    def digits(self, length: int) -> str:
        return self.word(length, "123456789")

    @property
    def secrets(self) -> list[str]:
        return [one for live in self.credentials for one in live]

    @property
    def people(self) -> list[str]:
        return [one for case in self.cases for one in case.people]


class Search:
    """Finds values in texts: a value's beginning in any of its spellings."""

    def __init__(self, values: list[str]) -> None:
        self.pieces: dict[str, str] = {}
        for value in values:
            for form in (value, quote(value), quote(value, safe=""), b64encode(value.encode()).decode()):
                self.pieces[form[:PIECE]] = value

    def found(self, text: str) -> dict[str, str]:
        """The values, each with what stands around it."""
        known = self.pieces
        hits = [at for at in range(len(text)) if text[at : at + PIECE] in known]
        return {known[text[at : at + PIECE]]: text[max(0, at - 90) : at + 40] for at in hits}


@dataclass
class Place:
    """The system and the files its credentials come from."""

    folder: Path
    planted: Planted
    bench: Bench = field(init=False)

    def settings(self, peer_url: str, dsn: str, hook: str, public: str) -> dict[str, str]:
        self.write(0)
        free = {"limit": 1_000_000, "window_s": 60}
        parties = [
            {"country_code": "IN", "party_id": f"P{n:02}", "role": "EMSP", "token": self.file(n),
             "next_token": self.file(PARTIES + n), "token_encoding": ("raw", "base64")[n % 2],
             "limits": {"commands": free}} for n in range(PARTIES)
        ]  # fmt: skip
        fleets = [
            {"name": f"fleet-{n}", "kind": "b2b", "client_id": f"client-of-{n}", "username": f"MZP{n}",
             "password": self.file(2 * PARTIES + n), "limit_per_second": 1_000_000} for n in range(FLEETS)
        ]  # fmt: skip
        return {
            "HUB__BASE_URL": peer_url + "/ocpi/2.2.1", "HUB__PARTIES": json.dumps(parties),
            "STELLANTIS__B2B_BASE_URL": peer_url + "/connectedcar/v3", "STELLANTIS__SUBSCRIPTIONS": json.dumps(fleets),
            "OBSERVE__SENTRY_DSN": dsn, "OBSERVE__WEBHOOK_URL": hook, "OBSERVE__WEBHOOK_SECRET": SIGNING,
            "OBSERVE__LOG_LEVEL": "DEBUG", "PUBLIC_URL": public, "FAIL__BRAKE_COUNT": "1000000",
        }  # fmt: skip

    def file(self, number: int) -> dict[str, str]:
        return {"file": str(self.folder / f"credential-{number}")}

    def write(self, number: int) -> None:
        for at, value in enumerate(self.planted.credentials[number]):
            Path(self.file(at)["file"]).write_text(value, encoding="utf-8")

    def round(self, number: int) -> None:
        """New credentials come into force; then this round's calls are made, each to its end."""
        self.write(number)
        self.bench.system.credentials.changed()  # as the worker's own watch does every few seconds
        first = number * PER_ROUND
        chosen = range(first, first + PER_ROUND)
        for at in chosen:
            self.ask(at, self.planted.cases[at])
        for at in chosen:
            case = self.planted.cases[at]
            ended = self.bench.wait(case.job, patience_s=60)
            if case.way == "result":
                assert ended.state == "awaiting"
                self.report(case, ended.record["door"])
                self.bench.wait(case.job, "dead", "done", patience_s=60)

    def ask(self, at: int, case: Case) -> None:
        if case.way.startswith("car"):
            car = {"fid": f"CASE-{at}", "vid": case.vins[0]}
            case.job = self.bench.send(CAR, f"stellantis:fleet-{at % FLEETS}", car)
            return
        uid, contract, number, group = case.own
        card = find(HUB).example[1]["token"] | {
            "uid": uid, "contract_id": contract, "visual_number": number, "group_id": group}  # type: ignore[index]
        body = {"token": card, "location_id": f"CASE-{at}"}
        case.job = self.bench.send(HUB, f"hub:IN-P{at % PARTIES:02}", {}, body)

    def report(self, case: Case, door: str) -> None:
        """The receiver's own word."""
        said = {"result": "FAILED", "message": [{"language": "en", "text": case.text}], **case.fields}
        url = f"{self.bench.settings.public_url}/v1/command-results/{case.job}/{door}"
        request = urllib.request.Request(url, json.dumps(said).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.status < 300


class Breaking(Middleware):
    """Raises after the calls of one way, with all that there is in the text."""

    def __init__(self, planted: Planted) -> None:
        self.by_name = {f"CASE-{at}": case for at, case in enumerate(planted.cases)}

    def after_process_message(self, broker: Broker, message: MessageProxy, **_: Any) -> None:
        case = self.by_name.get((message.kwargs.get("body") or {}).get("location_id", ""))
        if case is not None and case.way == "middleware":
            raise RuntimeError(f"{case.text} {message.kwargs}")

    def delivery(self, deliver: Any) -> Any:
        """The actor itself raises after the answer has come."""

        def delivered(operation: Any, card: Any, account: str, params: Any, body: Any) -> Any:
            fate = deliver(operation, card, account, params, body)
            case = self.by_name.get((body or {}).get("location_id", ""))
            if case is not None and case.way == "raised":
                raise ValueError(f"{case.text} {body}")
            return fate

        return delivered


def echoing(planted: Planted) -> Any:
    def act(running: Peer, conn: socket) -> None:
        while request := running.request(conn):
            at = int(request.split(b"CASE-")[1].split(b"/")[0].split(b'"')[0])
            case = planted.cases[at]
            conn.sendall(WAYS[case.way](case))
            if case.way in ("cut", "protocol"):
                return

    return act


@pytest.fixture
def planted() -> Planted:
    return Planted()


@pytest.fixture
def place(
    planted: Planted, redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path
) -> Iterator[tuple[Place, Peer, Peer, Kent]]:
    made = Place(tmp_path, planted)
    kent = Kent().start()
    try:
        with (
            peer(echoing(planted)) as api,
            peer(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as hook,
            listening() as (public, serve),
        ):
            settings = made.settings(api.url("").rstrip("/"), kent.dsn, hook.url("/hooks"), public)
            breaking = Breaking(planted)
            with Bench(redis_url, sandbox, tmp_path, threads=8, middleware=[breaking], **settings) as made.bench:
                made.bench.broker.deliver = breaking.delivery(made.bench.broker.deliver)
                serve(made.bench)
                yield made, api, hook, kent
    finally:
        kent.stop()


def kept(bench: Bench) -> tuple[str, str]:
    """The whole store: what is excepted for people, and all else."""
    read = {
        b"string": lambda key: [bench.store.get(key)],
        b"hash": lambda key: [part for pair in bench.store.hgetall(key).items() for part in pair],
        b"list": lambda key: bench.store.lrange(key, 0, -1),
        b"set": bench.store.smembers,
        b"zset": lambda key: bench.store.zrange(key, 0, -1),
    }
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    for key in bench.store.scan_iter(count=1000):
        name = key.decode().removeprefix(bench.key.prefix)
        sides[not name.startswith(EXCEPTED)].extend([key, *(part or b"" for part in read[bench.store.type(key)](key))])
    own, others = (b"\n".join(side).decode(errors="replace") for side in sides)
    return own, others


def printed(run: Terminal, bench: Bench) -> dict[str, str]:
    """Exports, lists and bundles of every problem and of a letter of every way."""
    problems = [one["fingerprint"] for one in run("dlq", "problems", "--limit", "1000", "--json").records]
    letters = [job.decode() for job in bench.store.zrange(bench.key("dead"), 0, -1)]
    bundle = ("--bundle", "--output", "-")
    commands = [
        ("dlq", "export"), ("dlq", "list", "--json"), ("dlq", "problems", "--limit", "1000", "--json"),
        ("alerts", "list", "--json"), ("jobs", "list", "--state", "dead", "--json"), ("lanes", "list", "--json"),
        *(("dlq", "show", one, *bundle, *form) for one in (*problems, *letters[:40]) for form in ((), ("--json",))),
        *(("jobs", "show", one, "--json") for one in letters[:40]),
    ]  # fmt: skip
    found = {}
    for words in commands:
        said = run(*words)
        assert said.code in (0, 1), (words, said.err)
        found[" ".join(words)] = said.out + said.err
    return found


@pytest.mark.slow
def test_of_ten_thousand_values_none_is_seen_by_others(
    place: tuple[Place, Peer, Peer, Kent], planted: Planted, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    made, api, hook, kent = place
    bench = made.bench
    secrets, people = planted.secrets, planted.people
    assert (len(set(secrets)), len(set(people))) == (2000, 8000)
    for number in range(ROUNDS):
        made.round(number)
    bench.until(lambda: not bench.store.zcard(bench.key("outbox")), "every alert was handed over")
    own, others = kept(bench)
    run = Terminal(bench.environ, monkeypatch, capsys)
    places = {
        "log lines": bench.log_file.read_text(encoding="utf-8"), "other log records": caplog.text, "the store": others,
        "Kent": kent.everything(), "webhooks": b"\n".join(hook.received).decode(), **printed(run, bench),
    }  # fmt: skip
    both, known = Search([*secrets, *people]), Search(secrets)
    leaks = {where: found for where, text in places.items() if (found := both.found(text))}
    if found := known.found(own):
        leaks["the callers' own"] = found
    with capsys.disabled():
        size = sum(map(len, places.values())) + len(own)
        print(f"\n{len(secrets) + len(people)} values planted, {len(places) + 1} places searched ({size} characters)")
    assert len(api.received) >= len(planted.cases), "each was answered with its values"
    assert 0 < len(kent.events()) < 100, "Kent keeps a hundred"
    assert [where for where, text in places.items() if not text] == []
    states = {case.way: bench.state(case.job) for case in planted.cases}
    assert {way for way, state in states.items() if state != "dead"} <= {"car-good"}, states
    told = [f"{len(found)} in {where}: {list(found.items())[:6]}" for where, found in leaks.items()]
    assert not told, "\n".join(told)


@pytest.mark.slow
def test_the_search_finds_what_was_planted_once_nothing_is_masked(
    place: tuple[Place, Peer, Peer, Kent], planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with the one door open, the first rounds' values stand in the log and in the store."""
    made, *_ = place
    for name in ("_masked_text", "_url"):
        monkeypatch.setattr(Redactor, name, lambda self, text: text)
    monkeypatch.setattr(Redactor, "_json_preview", lambda self, body, asked: body.decode("utf-8", "replace"))
    monkeypatch.setattr(Redactor, "_fragment_preview", lambda self, body: body.decode("utf-8", "replace"))
    for number in range(2):
        made.round(number)
    log_lines, others = made.bench.log_file.read_text(encoding="utf-8"), kept(made.bench)[1]
    cases = [case for case in planted.cases[: 2 * PER_ROUND] if case.way != "result"]
    for kind in ("credentials", "vins", "emails", "own", "cards", "places"):
        values = [value for case in cases for value in getattr(case, kind)]
        assert len(Search(values).found(others)) > len(values) / 2, kind
        assert Search(values).found(log_lines), kind
