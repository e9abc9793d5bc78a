"""No secret of the settings is anywhere but in the request it belongs to.

A real worker process makes calls to a peer that says everything back in every way it can, beside a module that raises
exceptions full of credentials. Then everything that was written anywhere is searched: the process's output, every key
and value of the store, what Sentry got, and what each command prints.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import redis

from settings import load
from tests.integration.echoes import WAYS, echoing
from tests.integration.raw_peer import Peer, answering, peer
from worker.accept.enqueue import Enqueuer, Wanted
from worker.accept.operation import find
from worker.store.connection import connect
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys
from worker.store.scripts import Scripts

ROOT = Path(__file__).parents[2]
SECRETS = {
    "a token, raw": "pl4nted/raw&token=1Qm7Zx8Vb2",
    "a token, base64": "pl4nted+base64?token%Kd93hR",
    "the next token": "pl4nted-next#token;Lw52pT",
    "a password": 'pl4nted "pass" wörd/9Gh21s',
    "a client id": "pl4nted-client-id-Ty77Wq",
    "the store's password": "pl4nted@store:pass/Bn31cX",
    "the key of Sentry": "c0ffee00c0ffee00c0ffee00c0ffee42",
}
PIECE = 12
PATIENCE_S = 60.0
HUB, BASE64, FLEET = "hub:IN-ABC", "hub:IN-DEF", "stellantis:fleet-1"
UIDS = ("message", "long", "data", "key", "success", "html", "reason", "header", "redirect", "protocol")
CARS = ("error", "oauth", "car", "html", "reason", "header", "redirect", "protocol")


def forms(secret: str) -> set[str]:
    """The ways a secret may be written down."""
    raw = secret.encode()
    found = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    return found | {b64encode(raw).decode(), urlsafe_b64encode(raw).decode()}


def pieces(secret: str) -> set[bytes]:
    """Every part of it that is long enough to help somebody."""
    return {form[i : i + PIECE].encode() for form in forms(secret) for i in range(len(form) - PIECE + 1)}


@dataclass
class Place:
    """Where everything is, and what has been asked for."""

    environ: dict[str, str]
    api: Peer
    sentry: Peer
    admin: "redis.Redis[bytes]"

    def ask(self) -> list[str]:
        """The calls: every way of answering for both kinds of token, and for the car's password."""
        settings = load(self.environ)
        for module in settings.modules:
            importlib.import_module(module)
        with connect(self.environ["PACELINE_REDIS_URL"]) as client:
            desk = Enqueuer(settings, client, Scripts(client, Keys(settings.partition)))
            return [accepted.job_id for accepted in desk.enqueue_many(list(wanted()))]

    def ended(self, jobs: list[str]) -> bool:
        states = [self.admin.hget(f"paceline:{{0}}:job:{job}", "state") for job in jobs]
        return all(state in (b"done", b"dead", b"expired") for state in states)

    def everything_kept(self) -> bytes:
        """All keys and values of the store."""
        readers = {
            b"string": lambda key: [self.admin.get(key)],
            b"hash": lambda key: [part for pair in self.admin.hgetall(key).items() for part in pair],
            b"list": lambda key: self.admin.lrange(key, 0, -1),
            b"set": self.admin.smembers,
            b"zset": lambda key: self.admin.zrange(key, 0, -1),
        }
        found: list[bytes] = []
        for key in self.admin.scan_iter(count=1000):
            found += [key, *(part or b"" for part in readers[self.admin.type(key)](key))]
        return b"\n".join(found)

    def command(self, *words: str) -> tuple[int, bytes]:
        """One command in a process of its own; all that it writes."""
        run = [sys.executable, "-m", "worker", *words]
        done = subprocess.run(run, env=self.environ, cwd=ROOT, capture_output=True, timeout=60)
        return done.returncode, done.stdout + done.stderr


def wanted() -> Iterator[Wanted]:
    for account in (HUB, BASE64):
        for way in UIDS:
            uid = {"country_code": "IN", "party_id": account[-3:], "token_uid": f"WAY-{way}"}
            yield Wanted("hub.authorize_token", account, uid, find("hub.authorize_token").example[1])
        for name in ("hub.start_session", "hub.get_client_info", "hub.list_locations"):
            yield Wanted(name, account, *find(name).example)
    for way in CARS:
        car = {"fid": "FLEET-1", "vid": f"WAY-{way}"}
        yield Wanted("stellantis.b2b.get_vehicle_status", FLEET, car, None)
        remote = find("stellantis.b2b.send_remote").example
        yield Wanted("stellantis.b2b.send_remote", FLEET, {**remote[0], "vid": f"WAY-{way}"}, remote[1])


def toml_of(api: Peer) -> str:
    return f"""
[hub]
base_url = "{api.url("/ocpi/2.2.1")}"
[[hub.parties]]
country_code = "IN"
party_id = "ABC"
role = "EMSP"
token = {json.dumps(SECRETS["a token, raw"])}
next_token = {json.dumps(SECRETS["the next token"])}
[[hub.parties]]
country_code = "IN"
party_id = "DEF"
role = "EMSP"
token_encoding = "base64"
[stellantis]
b2b_base_url = "{api.url("/connectedcar/v3")}"
[[stellantis.subscriptions]]
name = "fleet-1"
client_id = {json.dumps(SECRETS["a client id"])}
username = "MZP000001"
"""


@contextmanager
def a_place(folder: Path) -> Iterator[Place]:
    """Settings from all sources: a TOML file, a folder of secrets, the environment."""
    with EmbeddedServer.start(folder / "store") as server, peer(echoing) as api, peer(answering()) as sentry:
        (folder / "paceline.toml").write_text(toml_of(api), encoding="utf-8")
        (folder / "secrets").mkdir()
        token = folder / "secrets" / "paceline_hub__parties__1__token"
        token.write_text(SECRETS["a token, base64"], encoding="utf-8")
        password = folder / "secrets" / "PACELINE_STELLANTIS__SUBSCRIPTIONS__0__PASSWORD"
        password.write_text(SECRETS["a password"], encoding="utf-8")
        with redis.Redis.from_url(server.url) as admin:
            store_password = SECRETS["the store's password"]
            admin.acl_setuser("paceline", enabled=True, passwords=[f"+{store_password}"], keys="*", commands=["+@all"])
            environ = {
                "PATH": os.environ["PATH"],
                "PACELINE_CONFIG": str(folder / "paceline.toml"),
                "PACELINE_SECRETS_DIR": str(folder / "secrets"),
                "PACELINE_ENVIRONMENT": "test",
                "PACELINE_ON_EMPTY_STORE": "fresh",
                "PACELINE_PUBLIC_URL": "http://127.0.0.1:9",
                "PACELINE_REDIS_URL": f"redis://paceline:{quote(store_password, safe='')}@127.0.0.1:{server.port}/0",
                "PACELINE_OBSERVE__SENTRY_DSN": f"http://{SECRETS['the key of Sentry']}@127.0.0.1:{sentry.port}/1",
                "PACELINE_OBSERVE__LOG_LEVEL": "DEBUG",
                "PACELINE_FAIL__ATTEMPTS": "2",
                "PACELINE_FAIL__BACKOFF_BASE_S": "0.05",
                "PACELINE_FAIL__BACKOFF_CAP_S": "0.1",
                "PACELINE_DELIVER__TOTAL_DEADLINE_S": "3",
                "PACELINE_DELIVER__CONNECT_TIMEOUT_S": "2",
            }
            yield Place(environ, api, sentry, admin)


def run_worker(place: Place, jobs: list[str], folder: Path) -> bytes:
    """A worker's whole life by dramatiq's own command, and everything it wrote."""
    modules = ["worker.main:broker", "tasks", "tests.integration.leaky"]
    options = ["--processes", "1", "--threads", "8", "--verbose"]
    command = [str(Path(sys.executable).with_name("dramatiq")), *modules, *options]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, env=place.environ, cwd=ROOT, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not place.ended(jobs) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(40)
    text = (folder / "worker.log").read_bytes()
    assert place.ended(jobs), text[-4000:].decode(errors="replace")
    return text


@pytest.mark.slow
def test_no_secret_is_in_any_output_any_record_or_any_answer(tmp_path: Path) -> None:
    assert set(WAYS) == {*UIDS, *CARS, "cut"}, "every way of answering is asked for"
    with a_place(tmp_path) as place:
        jobs = place.ask()
        seen = {"the worker's output": run_worker(place, jobs, tmp_path)}
        seen["the store"] = place.everything_kept()
        dead = [job.decode() for job in place.admin.zrange("paceline:{0}:dead", 0, -1)]
        assert len(dead) > len(jobs) / 2
        doors = [door for job in jobs if (door := place.admin.hget(f"paceline:{{0}}:job:{job}", "door"))]
        commands = [
            ("dlq", "export"), ("dlq", "list", "--json"), ("dlq", "problems", "--json"), ("doctor",),
            ("doctor", "--json"), ("lanes", "list", "--json"), ("workers",),
            ("jobs", "list", "--state", "dead", "--json"),
            *(("dlq", "show", job, *more) for job in dead[:2] for more in ((), ("--json",))),
            *(("jobs", "show", job, "--json") for job in jobs[4:6]), ("jobs", "wait", jobs[4], "--json"),
        ]  # fmt: skip
        for words in commands:
            code, seen[" ".join(words)] = place.command(*words)
            assert code in (0, 1, 3), (words, seen[" ".join(words)])
            assert b"Traceback" not in seen[" ".join(words)]
        events = b"\n".join(request.partition(b"\r\n\r\n")[2] for request in place.sentry.received)
        seen["Sentry"] = events
        sent = b"\n".join(place.api.received)
    assert b"somebody.else" in seen["the worker's output"]
    assert b"Traceback" in seen["the worker's output"], "exceptions are shown, without what they quote"
    assert b"[hidden]" in seen["the worker's output"]
    assert [where for where, text in seen.items() if not text] == []
    for secret in ("a token, raw", "a token, base64", "a password"):
        assert any(form.encode() in sent for form in [*forms(SECRETS[secret]), *forms(f"MZP000001:{SECRETS[secret]}")])
    assert doors, "commands had addresses for their results"
    assert {where for where, text in seen.items() if any(door in text for door in doors)} == {"the store"}
    found = {
        f"{name} in {where}: …{around(text, piece)}…"
        for name, secret in SECRETS.items()
        for where, text in seen.items()
        if (piece := next((piece for piece in sorted(pieces(secret)) if piece in text), None))
    }
    assert not found, "\n".join(sorted(found))


def around(text: bytes, piece: bytes) -> str:
    """Where it was found, so that it can be mended."""
    at = text.index(piece)
    return text[max(0, at - 120) : at + 60].decode(errors="replace")
