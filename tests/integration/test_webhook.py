"""Alerts as a webhook gets them: read, and their signatures checked, at a real receiver."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from settings import SettingsError, load
from tests.integration.alerting import (
    CAR,
    OPERATION,
    SECRETS,
    VIN,
    Clock,
    Notebook,
    ask_for,
    bury,
    dies,
    system_of,
    wait_until,
    waiting,
    working,
)
from worker.main import System
from worker.observe.alerts import Outbox
from worker.observe.beside import Beside
from worker.observe.webhook import webhook_sinks
from worker.sandbox.server import Sandbox

pytestmark = pytest.mark.usefixtures("store")
KEY = "whsec_cGFjZWxpbmUtc2lnbnMtdGhpcy13ZWJob29rISE="
OTHER_KEY = "whsec_YW5vdGhlci1rZXktb2YtdGhpcnR5LXR3by1ieXRlcyE="


class Receiver:
    """Keeps what is posted to it, and answers as it is told: 204, until `answers` says otherwise."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append((self.path, headers, body))
                status, more = receiver.answers.pop(0) if receiver.answers else (204, {})
                self.send_response(status)
                for name, value in {"content-length": "0", **more}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.block_on_close = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks?room=ops"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.requests]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.requests]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def hooked(redis_url: str, url: str, clock: Clock | None = None, **changes: str) -> Any:
    return system_of(redis_url, None, clock, OBSERVE__WEBHOOK_URL=url, OBSERVE__WEBHOOK_SECRET=KEY, **changes)


def outbox_of(system: System, *, again_s: float = 60.0, **how: Any) -> Outbox:
    return Outbox(system.broker, webhook_sinks(system.settings, system.credentials, system.redactor, **how),
                  again_s=again_s, poll_s=0.01)  # fmt: skip


def hand_over(system: System, outbox: Outbox) -> None:
    """Until everything has been taken."""
    outbox.hand_over()
    wait_until(lambda: bool(outbox.hand_over() or not waiting(system)), "all is handed over")


def test_an_alert_arrives_with_a_signature_that_its_receiver_can_check(redis_url: str, receiver: Receiver) -> None:
    with hooked(redis_url, receiver.url) as system:
        (job,) = bury(system)
        outbox = outbox_of(system)
        hand_over(system, outbox)
        outbox.finish()
        assert waiting(system) == 0
    ((path, headers, body),) = receiver.requests
    assert path == "/hooks?room=ops"
    assert headers["content-type"] == "application/json"
    message = Webhook(KEY).verify(body, headers)
    assert message == json.loads(body)
    for changed in ({"webhook-id": "alert_other"}, {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(KEY).verify(body, headers | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_KEY).verify(body, headers)
    assert message["type"] == "alert.opened"
    assert message["data"]["title"] == f"Dead letters of {OPERATION}: undocumented (41800)"
    assert message["data"]["dead_letter"] == f"https://console.example/ops/dead-letters/{job}"
    assert (message["data"]["count"], message["data"]["facts"]["account"]) == (1, CAR)
    assert 0 <= time.time() - int(headers["webhook-timestamp"]) < 60


def test_what_is_about_no_problem_links_to_its_own_page(redis_url: str, receiver: Receiver) -> None:
    with hooked(redis_url, receiver.url) as system:
        bury(system)
        system.broker.scripts("suspect", {"cause": "clock", "lease_us": 1, "mode": "probe"})
        outbox = outbox_of(system)
        hand_over(system, outbox)
        outbox.finish()
    found = {message["data"]["facts"]["kind"]: message["data"] for message in receiver.messages}
    page = "https://console.example/ops/alerts/one?key=suspect%3Aclock"
    assert (found["suspect"]["link"], found["suspect"]["alert_page"]) == (page, page)
    problem = found["problem"]["fingerprint"]
    assert found["problem"]["link"] == f"https://console.example/ops/problems/{problem}"
    assert found["problem"]["alert_page"] == f"https://console.example/ops/alerts/one?key=problem%3A{problem}"


def test_what_is_resolved_is_posted_too_and_under_an_id_of_its_own(redis_url: str, receiver: Receiver) -> None:
    with hooked(redis_url, receiver.url) as system:
        outbox = outbox_of(system)
        (job,) = bury(system)
        hand_over(system, outbox)
        system.broker.scripts("redrive", {"id": job, "by": "somebody"})
        hand_over(system, outbox)
        outbox.finish()
    assert [message["type"] for message in receiver.messages] == ["alert.opened", "alert.resolved"]
    assert len(set(receiver.ids)) == 2


@pytest.mark.parametrize("refusal", [(500, {}), (404, {}), (302, {"location": "/login"}), (307, {"location": "/else"})])
def test_only_the_receivers_own_2xx_is_a_confirmation_and_the_id_stays(
    redis_url: str, receiver: Receiver, refusal: tuple[int, dict[str, str]]
) -> None:
    now, clock = 0.0, Clock()
    receiver.answers.append(refusal)
    with hooked(redis_url, receiver.url, clock) as system:
        outbox = outbox_of(system, monotonic=lambda: now)
        bury(system)
        outbox.hand_over()
        outbox.finish()
        assert waiting(system) == 1
        now = 61.0
        clock.wait(61)
        hand_over(system, outbox)
        outbox.finish()
        assert waiting(system) == 0
    assert [path for path, _, _ in receiver.requests] == ["/hooks?room=ops"] * 2
    assert len(set(receiver.ids)) == 1
    for _, headers, body in receiver.requests:
        Webhook(KEY).verify(body, headers)


def test_a_receiver_that_asks_for_a_pause_is_left_alone(redis_url: str, receiver: Receiver) -> None:
    now = 0.0
    receiver.answers.append((503, {"retry-after": "60"}))
    with hooked(redis_url, receiver.url) as system:
        (beside,) = webhook_sinks(system.settings, system.credentials, system.redactor, monotonic=lambda: now)
        assert isinstance(beside, Beside)
        bury(system, fate=dies(code="1"))
        notebook = Notebook()
        Outbox(system.broker, [notebook]).hand_over()
        (alert,) = notebook.offered
        for now in (0.0, 1.0, 59.0):  # noqa: B007
            assert not beside.sink.deliver(alert)
        assert len(receiver.requests) == 1
        now = 60.0
        assert beside.sink.deliver(alert)
    assert len(receiver.requests) == 2


class Silent:
    """A receiver that takes connections and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def test_a_receiver_that_hangs_delays_neither_a_job_nor_another_sink(redis_url: str, sandbox: Sandbox) -> None:
    there = {name.removeprefix("PACELINE_"): value for name, value in sandbox.environment().items()}
    with Silent() as silent, hooked(redis_url, silent.url, **there) as system:
        notebook = Notebook()
        (hung,) = webhook_sinks(system.settings, system.credentials, system.redactor, patience_s=600)
        hung.finish = lambda patience_s: None  # type: ignore[attr-defined]  # the process does not wait for it here
        system.sinks[:] = [hung, notebook]
        with working(system):
            for code in ("41801", "41802", "41803"):
                sandbox.fault("error_body", {"api": "stellantis"}, times=1, status=418, code=int(code))
                told = len(notebook.offered)
                ask_for(system)
                wait_until(lambda: len(notebook.offered) > told, "the other sink is told while the first one hangs")  # noqa: B023
            ask_for(system)
            wait_until(lambda: system.client.hget(system.broker.keys("counts"), "done") == b"1", "a job is done")
        assert {alert.facts["code"] for alert in notebook.offered} == {"41801", "41802", "41803"}
        assert len(notebook.offered) == 3
        assert waiting(system) == 3


def test_a_sink_beside_the_others_is_confirmed_without_being_offered_again(redis_url: str, receiver: Receiver) -> None:
    """And what was confirmed in a process's last moment is not left for another."""
    with hooked(redis_url, receiver.url) as system:
        outbox = outbox_of(system, again_s=600)
        outbox.start()
        bury(system)
        outbox.poke()
        outbox.stop()
        outbox.join(20)
        assert waiting(system) == 0
    assert len(receiver.requests) == 1


def test_the_line_beside_is_bounded(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.observe.beside.MOST", 2)
    go = threading.Event()

    class Slow(Notebook):
        def deliver(self, alert: Any) -> bool:
            go.wait(30)
            return super().deliver(alert)

    with system_of(redis_url, None) as system:
        slow = Slow()
        outbox = Outbox(system.broker, [Beside(slow, "slow")], again_s=0.000001)
        for code in ("1", "2", "3", "4"):
            bury(system, fate=dies(code=code))
        outbox.hand_over()
        go.set()
        outbox.finish()
        assert len(slow.offered) == 2
        wait_until(lambda: bool(outbox.hand_over() or not waiting(system)), "the rest is offered again")
        outbox.finish()
        wait_until(lambda: bool(outbox.hand_over() or not waiting(system)), "the rest is confirmed")
        outbox.finish()
    assert len({alert.member for alert in slow.offered}) == 4


def test_no_secret_and_no_car_reaches_the_receiver_and_the_key_is_known_as_a_secret(
    redis_url: str, receiver: Receiver
) -> None:
    said = f"car {VIN} of driver@example.com, with " + " and ".join((*SECRETS.values(), KEY, KEY.partition("_")[2]))
    with hooked(redis_url, receiver.url) as system:
        bury(system, fate=dies(code=VIN, message=said))
        outbox = outbox_of(system)
        hand_over(system, outbox)
        outbox.finish()
        assert {KEY, KEY.partition("_")[2], receiver.url} <= set(system.credentials.secrets())
        assert KEY not in repr(system.settings) + json.dumps(system.settings.describe())
    text = receiver.requests[0][2].decode() + json.dumps(receiver.requests[0][1])
    assert "Dead letters of" in text
    for planted in (*SECRETS.values(), VIN, "driver@example.com", KEY.partition("_")[2]):
        assert planted not in text


def test_a_key_that_is_replaced_in_its_file_signs_the_next_message(
    redis_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    reference = json.dumps({"file": str(file)})
    with system_of(
        redis_url, None, OBSERVE__WEBHOOK_URL=receiver.url, OBSERVE__WEBHOOK_SECRET=reference
    ) as system:
        outbox = outbox_of(system)
        for number, key in enumerate((KEY, OTHER_KEY)):
            file.write_text(key)
            bury(system, fate=dies(code=str(number)))
            hand_over(system, outbox)
        outbox.finish()
        assert {KEY, OTHER_KEY} <= set(system.credentials.secrets())
        file.write_text("nonsense")
        assert system.credentials.signing_secrets("webhook") == (OTHER_KEY,)
        (problem,) = system.credentials.problems()
        assert "webhook: the file" in problem
    for (_, headers, body), key in zip(receiver.requests, (KEY, OTHER_KEY), strict=True):
        Webhook(key).verify(body, headers)


@pytest.mark.parametrize(
    ("url", "secret", "said"),
    [
        ("https://ops.example/hook", None, "PACELINE_OBSERVE__WEBHOOK_SECRET: expected a value, since"),
        (None, KEY, "PACELINE_OBSERVE__WEBHOOK_URL: expected a value, since"),
        ("https://ops.example/hook", "whsec_c2hvcnQ=", "expected whsec_ and the Base64 of 24 to 64 bytes"),
        ("https://ops.example/hook", KEY.partition("_")[2], "expected whsec_ and the Base64 of 24 to 64 bytes"),
        ("https://me:pass@ops.example/hook", KEY, "PACELINE_OBSERVE__WEBHOOK_URL: expected an absolute http"),
        ("ftp://ops.example/hook", KEY, "PACELINE_OBSERVE__WEBHOOK_URL: expected an absolute http"),
    ],
)
def test_a_webhook_that_cannot_work_is_a_mistake_in_the_settings(
    url: str | None, secret: str | None, said: str
) -> None:
    given = {"PACELINE_OBSERVE__WEBHOOK_URL": url, "PACELINE_OBSERVE__WEBHOOK_SECRET": secret}
    with pytest.raises(SettingsError) as caught:
        load({name: value for name, value in given.items() if value is not None})
    assert said in str(caught.value)
    for value in (url, secret):
        assert value is None or value not in str(caught.value)


def test_production_posts_alerts_over_tls_only() -> None:
    given = {"ENVIRONMENT": "production", "REDIS_URL": "redis://store:6390/0", "OBSERVE__WEBHOOK_SECRET": KEY}
    given["OBSERVE__WEBHOOK_URL"] = "http://ops.example/hook"
    with pytest.raises(SettingsError, match="PACELINE_OBSERVE__WEBHOOK_URL: expected an https address"):
        load({f"PACELINE_{name}": value for name, value in given.items()})
