"""Signing in to the console: with a key, by its role, until it is taken away."""

from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest

from tests.integration.console_seat import Answer, Seat
from worker.accept.intake.callers import KeyRing, digest_of
from worker.console.visitor import COOKIE, cookie_for
from worker.store.embedded import EmbeddedServer


@pytest.fixture(scope="module")
def seat(store_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    with Seat(store_server.url, tmp_path_factory.mktemp("console")) as made:
        yield made


@pytest.fixture
def keys(seat: Seat) -> Iterator[dict[str, str]]:
    """A key for each role, by the role's name."""
    ring = KeyRing(seat.partition)
    made = {role: ring.create(f"a-{role}", [role], None, "test")[1] for role in ("enqueue", "view", "operate", "admin")}
    seat.parts.callers.refresh()
    yield made
    for role in made:
        ring.revoke(f"a-{role}", "test", "over")
    seat.parts.callers.refresh()


def sign_in(seat: Seat, key: str, to: str = "/") -> tuple[Answer, str]:
    """The answer, and the cookie for later requests."""
    answer = seat.post("/sign-in", {"key": key, "next": to})
    cookie = SimpleCookie(answer.headers.get("set-cookie", "")).get(COOKIE)
    return answer, f"{COOKIE}={cookie.value}" if cookie else ""


def test_where_keys_exist_everybody_signs_in_this_machine_too(seat: Seat, keys: dict[str, str]) -> None:
    for path in ("/", "/problems", "/dead-letters/0-1", "/audit"):
        answer = seat.get(path)
        assert (answer.status, answer.to) == (303, f"/sign-in?next={path}")
    assert seat.get("/sign-in").status == 200
    assert seat.post("/lanes/hold", {"scope": "account:hub:IN-ABC", "reason": "x"}).status == 303
    assert seat.parts.holds.all() == {}
    assert seat.get("/static/console.css").status == 200, "looks are no secret"


def test_a_key_opens_the_page_that_was_asked_for(seat: Seat, keys: dict[str, str]) -> None:
    answer, cookie = sign_in(seat, keys["operate"], "/problems")
    assert (answer.status, answer.to) == (303, "/problems")
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said and "samesite=strict" in said
    assert keys["operate"] not in said and digest_of(keys["operate"]) not in said
    assert seat.get("/problems", cookie=cookie).status == 200
    assert "a-operate" in seat.get("/", cookie=cookie).text


def test_after_signing_in_nobody_is_sent_elsewhere(seat: Seat, keys: dict[str, str]) -> None:
    for path in ("//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example", "javascript:alert(1)",
                 "/sign-out", "/\n//x", ""):  # fmt: skip
        assert sign_in(seat, keys["view"], path)[0].to == "/", path


def test_a_wrong_key_is_refused_and_not_shown_again(seat: Seat, keys: dict[str, str]) -> None:
    for key in ("pace_wrong", "", "x" * 5000, keys["view"] + "x"):
        answer, cookie = sign_in(seat, key)
        assert answer.status == 401 and cookie == ""
        assert not key or key not in answer.text


def test_a_key_that_may_look_at_nothing_is_turned_away_at_the_door(seat: Seat, keys: dict[str, str]) -> None:
    answer, cookie = sign_in(seat, keys["enqueue"])
    assert (answer.status, cookie) == (403, "")
    assert "a-enqueue may enqueue, and look at nothing" in answer.text and keys["enqueue"] not in answer.text
    made_up = f"{COOKIE}={cookie_for(keys['enqueue'])}"
    assert seat.get("/", cookie=made_up).status == 403
    assert seat.post("/lanes/hold", {"scope": "account:hub:IN-ABC", "reason": "x"}, cookie=made_up).status == 403


def test_roles_say_what_one_may(seat: Seat, keys: dict[str, str]) -> None:
    job = seat.not_found()
    form = {"reason": "x"}
    _, viewer = sign_in(seat, keys["view"])
    page = seat.get(f"/dead-letters/{job}", cookie=viewer)
    assert page.status == 200 and "Send again" not in page.text
    assert seat.post(f"/dead-letters/{job}/discard", form, cookie=viewer).status == 403
    assert seat.post("/operations", form, cookie=viewer).status == 403
    assert not seat.parts.jobs.read(job).discarded
    for role, verb in (("operate", "discard"), ("admin", "restore")):
        _, cookie = sign_in(seat, keys[role])
        assert seat.post(f"/dead-letters/{job}/{verb}", form, cookie=cookie).status == 303
    assert "a-operate" in seat.get("/audit", cookie=viewer).text, "the audit names the key"
    assert seat.post(f"/dead-letters/{job}/discard", form, cookie=cookie, sec_fetch_site="cross-site").status == 403


def test_forged_and_old_cookies_open_nothing(seat: Seat, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, good = sign_in(seat, keys["admin"])
    until, proof = good.partition("=")[2].split(".")
    digest = digest_of(keys["admin"])
    for value in (
        "", ".", "x", f"{until}.", f"{until}.{'0' * 64}", f"{int(until) + 1}.{proof}", f"9999999999.{proof}",
        f"-1.{proof}", f"{until}.{proof}x", f"{until}.{digest}", keys["admin"], digest, f"{until}.é",
        f"{'9' * 40}.{proof}", f"٣.{proof}",
    ):  # fmt: skip
        answer = seat.get("/", cookie=f"{COOKIE}={value.encode().decode('latin-1')}")
        assert answer.status == 303 and answer.to.startswith("/sign-in"), value
    assert seat.get("/", cookie=good).status == 200
    monkeypatch.setattr("worker.console.visitor.HOLDS_S", -1)
    assert seat.get("/", cookie=f"{COOKIE}={cookie_for(keys['admin'])}").status == 303, "past its time"


def test_a_key_that_is_taken_away_ends_the_visit(seat: Seat, keys: dict[str, str]) -> None:
    ring = KeyRing(seat.partition)
    made, key = ring.create("leaving", ["admin"], None, "test")
    seat.parts.callers.refresh()
    _, cookie = sign_in(seat, key)
    assert seat.get("/", cookie=cookie).status == 200
    ring.revoke(made.id, "test", "left")
    seat.parts.callers.refresh()
    assert seat.get("/", cookie=cookie).status == 303


def test_signing_out_takes_the_cookie_back(seat: Seat, keys: dict[str, str]) -> None:
    _, cookie = sign_in(seat, keys["view"])
    answer = seat.post("/sign-out", cookie=cookie)
    assert answer.to == "/sign-in" and 'max-age=0' in answer.headers["set-cookie"].lower()


def test_signing_in_is_for_our_own_page_alone(seat: Seat, keys: dict[str, str]) -> None:
    assert seat.post("/sign-in", {"key": keys["admin"]}, sec_fetch_site="cross-site").status == 403
    assert seat.post("/sign-in", {"key": keys["admin"]}, origin="http://elsewhere.example").status == 403


def test_the_cookie_is_no_key_for_the_api(seat: Seat, keys: dict[str, str]) -> None:
    _, cookie = sign_in(seat, keys["admin"])
    assert seat.get("/v1/lanes", cookie=cookie).status == 401
    token = cookie.partition("=")[2]
    assert seat.get("/v1/lanes", authorization=f"Bearer {token}").status == 401
