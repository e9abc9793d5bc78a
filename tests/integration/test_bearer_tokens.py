"""The contract of bearer tokens: one for all processes, fetched by one of them, in time, and never seen."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from settings import Settings, load
from tests.integration.token_service import TokenService, token_service
from worker.acquaint import acquaint
from worker.clock import Clock
from worker.deliver.bearer import Bearer, Bearers, Issued
from worker.deliver.outcome import CredentialRefused, NeverSent, Outcome
from worker.deliver.sealing import Seal
from worker.deliver.token_endpoint import Client, TokenEndpoint
from worker.limiter.limiter import Limiter
from worker.store.keys import Keys
from worker.store.partition import Partition
from worker.store.scripts import Scripts

FLEET = "stellantis:fleet-1"
SECRET = "client-5ecret"
CLIENT = {"Authorization": "Basic " + b64encode(f"client:{SECRET}".encode()).decode()}
SEALS = {FLEET: Seal(FLEET, SECRET)}


@pytest.fixture
def settings(redis_url: str) -> Settings:
    row = {"name": "fleet-1", "client_id": "client", "username": "client", "password": SECRET}
    own = {
        "ENVIRONMENT": "test", "ON_EMPTY_STORE": "fresh", "REDIS_URL": redis_url,
        "STELLANTIS__B2B_BASE_URL": "http://127.0.0.1:9/connectedcar/v3",
        "STELLANTIS__SUBSCRIPTIONS": json.dumps([row]), "DELIVER__TOTAL_DEADLINE_S": "25",
    }  # fmt: skip
    return load({f"PACELINE_{name}": value for name, value in own.items()})


@dataclass
class Fleet:
    """Several processes' worth of `Bearers`, each over a connection of its own. Time passes when a test says so."""

    settings: Settings
    url: str
    clients: list["redis.Redis[bytes]"] = field(default_factory=list)
    now_us: int = 1_800_000_000_000_000

    def pass_by(self, seconds: float) -> None:
        self.now_us += round(seconds * 1e6)

    def partition(self) -> Partition:
        client = redis.Redis.from_url(self.url, decode_responses=False)
        self.clients.append(client)
        return Partition(client, Keys("0"), Scripts(client, Keys("0"), lambda: self.now_us))

    def one(
        self, service: TokenService, early_s: float = 60.0, sleep: Callable[[float], None] = time.sleep
    ) -> Bearers:
        partition = self.partition()
        acquaint(self.settings, partition, "test")
        endpoint = TokenEndpoint(self.settings, Limiter(partition), {FLEET: Client(service.url, CLIENT)})
        return Bearers(partition, endpoint, SEALS, early_s, Clock(monotonic=lambda: self.now_us / 1e6, sleep=sleep))


@pytest.fixture
def fleet(settings: Settings, redis_url: str, store: "redis.Redis[bytes]") -> Iterator[Fleet]:
    made = Fleet(settings, redis_url)
    yield made
    for client in made.clients:
        client.close()


def token(answer: Bearer | Outcome) -> str:
    assert isinstance(answer, Bearer), answer
    return answer.token


@contextmanager
def asking(processes: list[Bearers], refused: str = "") -> Iterator[list[Bearer | Outcome]]:
    """All ask at once; what they have been answered so far, and in the end what all were."""
    answers: list[Bearer | Outcome] = []
    threads = [threading.Thread(target=lambda one=one: answers.append(one.get(FLEET, refused))) for one in processes]
    for thread in threads:
        thread.start()
    yield answers
    for thread in threads:
        thread.join(60)


def all_at_once(processes: list[Bearers], refused: str = "") -> list[Bearer | Outcome]:
    with asking(processes, refused) as answers:
        pass
    return answers


def test_many_processes_that_need_a_token_at_once_make_one_call(fleet: Fleet) -> None:
    with token_service(delay_s=0.3) as service:
        answers = all_at_once([fleet.one(service) for _ in range(16)])
    assert {token(answer) for answer in answers} == {service.given[0]}
    assert (len(answers), len(service.asked)) == (16, 1)
    (request,) = service.asked
    assert request.startswith(b"POST /as/token.oauth2 HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\ngrant_type=client_credentials")
    assert b"content-type: application/x-www-form-urlencoded" in request.lower()


def test_the_call_counts_in_the_control_budget_and_in_the_accounts_own_windows(fleet: Fleet) -> None:
    with token_service() as service:
        token(fleet.one(service).get(FLEET))
    limiter = Limiter(fleet.partition())
    assert [window.used for window in limiter.budget(FLEET, "control").windows] == [1, 1, 1]
    assert [window.used for window in limiter.budget(FLEET, "calls").windows] == [1, 1]


def test_a_token_is_renewed_by_one_before_it_lapses_while_the_others_go_on_with_it(fleet: Fleet) -> None:
    with token_service(life_s=30.0) as service:
        processes = [fleet.one(service, early_s=1.0) for _ in range(8)]
        first = token(processes[0].get(FLEET))
        assert {token(one.get(FLEET)) for one in processes} == {first}
        early = [fleet.one(service, early_s=40.0) for _ in range(8)]  # for these it is about to lapse
        service.open.clear()
        with asking(early) as answers:
            deadline = time.monotonic() + 30
            while len(answers) < 7:
                assert time.monotonic() < deadline, "nobody waits while the old one is good"
                time.sleep(0.01)
            service.open.set()
        assert sorted(map(token, answers)) == sorted([service.given[1], *[first] * 7])
        assert len(service.asked) == 2


def test_a_lapsed_token_is_never_used(fleet: Fleet) -> None:
    with token_service(life_s=0.3) as service:
        one, other = fleet.one(service, early_s=0.0), fleet.one(service, early_s=0.0)
        first = one.get(FLEET)
        assert isinstance(first, Bearer)
        fleet.pass_by(0.29)
        assert token(other.get(FLEET)) == token(one.get(FLEET)) == first.token
        fleet.pass_by(0.02)
        assert token(other.get(FLEET)) == token(one.get(FLEET)) == service.given[1]


def test_a_token_that_the_api_refuses_is_replaced_once_for_all_and_then_the_credential_is_refused(fleet: Fleet) -> None:
    with token_service(delay_s=0.2) as service:
        processes = [fleet.one(service) for _ in range(6)]
        first = processes[0].get(FLEET)
        assert isinstance(first, Bearer)
        second = all_at_once(processes, refused=first.version)
        assert ({token(answer) for answer in second}, len(service.asked)) == ({service.given[1]}, 2)
        bearer = processes[0].get(FLEET)
        assert isinstance(bearer, Bearer)
        third = all_at_once(processes, refused=bearer.version)
        assert ({type(answer) for answer in third}, len(service.asked)) == ({CredentialRefused}, 2)


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        ((401, {"error": "invalid_client"}), "credential_refused"),
        ((400, {"error": "invalid_client"}), "credential_refused"),
        ((400, {"error": "invalid_grant", "error_description": "gone"}), "credential_refused"),
        ((429, b""), "rate_limited"),
        ((503, b""), "server_trouble"),
        ((200, {"token_type": "Bearer"}), "undocumented"),
        ((200, {"access_token": "x y", "token_type": "Bearer"}), "undocumented"),
        ((200, {"access_token": "abc", "token_type": "mac"}), "undocumented"),
        ((200, b"<html>log in</html>"), "outcome_unknown"),
        ((302, b""), "redirected"),
    ],
)
def test_a_fetch_that_is_refused_is_told_to_all_and_not_repeated_by_the_others(
    fleet: Fleet, answer: tuple[int, object], error_class: str
) -> None:
    with token_service(answer=answer, delay_s=0.1) as service:
        answers = all_at_once([fleet.one(service) for _ in range(8)])
        assert {one.error_class for one in answers if isinstance(one, Outcome)} == {error_class}
        assert (len(answers), len(service.asked)) == (8, 1)


def test_an_endpoint_that_is_away_is_an_outcome_and_soon_asked_again(fleet: Fleet) -> None:
    with token_service() as gone:
        pass
    one = fleet.one(gone)
    assert isinstance(one.get(FLEET), NeverSent)
    with token_service() as service:
        later = fleet.one(service)
        assert not isinstance(later.get(FLEET), Bearer)
        fleet.pass_by(2.1)
        assert token(later.get(FLEET)) == service.given[0]


@dataclass
class Dying:
    """An issuer whose process is killed while it fetches: it never comes to an end that anybody hears of."""

    longest_s: float = 0.4

    def issue(self, account: str) -> Issued | Outcome:
        raise KeyboardInterrupt


def test_a_process_that_dies_while_it_fetches_holds_the_others_up_for_its_time_alone(fleet: Fleet) -> None:
    began_us = fleet.now_us
    doomed = Bearers(fleet.partition(), Dying(), SEALS)
    with pytest.raises(KeyboardInterrupt):
        doomed.get(FLEET)
    with token_service() as service:
        assert token(fleet.one(service, sleep=fleet.pass_by).get(FLEET)) == service.given[0]
    assert 0.4 <= (fleet.now_us - began_us) / 1e6 <= 0.5


def test_one_that_was_too_slow_changes_nothing(fleet: Fleet) -> None:
    with token_service() as service:
        current = token(fleet.one(service).get(FLEET))
        late = {"account": FLEET, "claim": "somebody-else", "version": "v", "lapse_us": 1}
        assert fleet.partition().decide("bearer_fetched", late, "x") == "late"
        assert token(fleet.one(service).get(FLEET)) == current


def test_no_token_is_in_the_store_in_the_open_and_a_sealed_one_opens_for_its_account_alone(
    fleet: Fleet, store: "redis.Redis[bytes]", tmp_path: Path
) -> None:
    with token_service() as service:
        one = fleet.one(service)
        given = token(one.get(FLEET))
    kept = b"".join(key + (store.dump(key) or b"") for key in store.keys("*"))
    assert given.encode() not in kept and SECRET.encode() not in kept
    assert (given in repr(one.get(FLEET)), one.secrets()) == (False, (given,))
    sealed = (store.hget(Keys("0")("bearer", FLEET), "sealed") or b"").decode()
    assert SEALS[FLEET].open(sealed) == given
    assert Seal(FLEET, "another secret").open(sealed) is None
    assert Seal("stellantis:fleet-2", SECRET).open(sealed) is None
    for changed in (sealed[:-4] + "AAAA", "", "no base64!", sealed[::-1]):
        assert SEALS[FLEET].open(changed) is None
    stranger = Bearers(fleet.partition(), Dying(), {FLEET: Seal(FLEET, "another secret")})
    assert isinstance(stranger.get(FLEET), NeverSent)
