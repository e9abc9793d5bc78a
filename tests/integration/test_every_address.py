"""Every address of the web process, as the process itself lists them: who comes in, and what harm can be tried there.

The list is the running application's own, so an address that is added later is looked at here without being named.
"""

import contextlib
import http.client
import importlib
import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
import redis
from fastapi.routing import APIRoute
from starlette.routing import Route

from settings import load
from tests.integration.intake import ACCOUNTS, Web, emptied, entry, serving
from worker.accept.enqueue import Enqueuer
from worker.accept.intake.app import create_app
from worker.accept.intake.guard import DOOR, OPEN
from worker.accept.intake.parts import Parts
from worker.accept.intake.routes import ways
from worker.console.mount import console
from worker.console.parts import Parts as ConsoleParts
from worker.console.visitor import COOKIE, cookie_for
from worker.observe.redact import Redactor
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys
from worker.store.partition import Partition
from worker.store.scripts import Scripts

ROLES = ("enqueue", "view", "operate", "admin")
SECRETS = {role: f"pace_{role}-of-every-address-of-the-tests" for role in ROLES}
SPELLINGS = ("/{0}", "{0}/", "{0}%00", "{0};x", "/x/..{0}", "/healthz/..{0}", "/healthz%2f..{0}", "//healthz{0}",
             "/static/..{0}", "/sign-in/..{0}", "/v1/command-results/..{0}", "/v1/command-results/x/../..{0}",
             "{1}", "/.{0}", "http://127.0.0.1{0}")  # fmt: skip
BIG = 3_000_000


@dataclass(frozen=True, order=True)
class Place:
    """A method of an address, with words where the address has room for them; its roles, where the table names them."""

    method: str
    path: str
    page: bool
    roles: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def open(self) -> bool:
        """Whether it needs no key, by design."""
        return self.path in OPEN or self.path.startswith(DOOR)


def parts() -> Parts:
    """As a web process has them; nothing here asks the store."""
    settings = load({"PACELINE_ENVIRONMENT": "test", "PACELINE_REDIS_URL": "redis://127.0.0.1:1/0", **ACCOUNTS})
    client = redis.Redis.from_url("redis://127.0.0.1:1/0")
    scripts = Scripts(client, Keys())
    partition = Partition(client, Keys(), scripts)
    return Parts(settings, partition, Enqueuer(settings, client, scripts), Redactor(list))


def filled(path: str) -> str:
    words = {"fingerprint": "0" * 16, "form": "json", "job_id": "0-1", "verb": "discard"}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: words.get(found[1], "x"), path)


def every_place() -> list[Place]:
    importlib.import_module("tasks")
    made = parts()
    roles = {(way.method, way.path): way.roles for way in ways(made, dict)}
    found = []
    for route in create_app(made).routes:
        assert isinstance(route, APIRoute), f"{route} is neither of the table nor the door for results"
        found += [Place(method, filled(route.path), False, roles.get((method, route.path))) for method in route.methods]
    for page in console(ConsoleParts.of(made)).routes:
        if isinstance(page, Route):
            methods = (page.methods or set()) - {"HEAD"}
            found += [Place(method, filled(page.path), True) for method in methods]
    return sorted(found, key=str)


PLACES = every_place()
ASKED = [place for place in PLACES if not place.page and not place.open]
PAGES = [place for place in PLACES if place.page and place.path not in ("/sign-in", "/sign-out")]
CHANGES = [place for place in PAGES if place.method == "POST"]


def turned_away(place: Place, status: int, headers: http.client.HTTPMessage) -> bool:
    """Whether a page was not shown: it leads to the sign-in, a change is refused, a stream ends without a word."""
    if place.path == "/live" and status == 204:
        return True
    return status == 403 or (status == 303 and headers["location"].partition("?")[0] == "/sign-in")


def each(places: list[Place]) -> Any:
    return pytest.mark.parametrize("place", places, ids=str)


def ask(
    web: Web, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"",
    host: str = "127.0.0.1",
) -> tuple[int, http.client.HTTPMessage]:  # fmt: skip
    """Status and headers; a stream is not waited for. The path is sent as it is."""
    connection = http.client.HTTPConnection(host, web.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        given = {"Host": f"127.0.0.1:{web.port}", "Content-Length": str(len(body)), **(headers or {})}
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was answered before it was read
            connection.send(body)
        answer = connection.getresponse()
        return answer.status, answer.headers
    finally:
        connection.close()


def bearer(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRETS[role]}"}


def of_a_page(web: Web, role: str) -> dict[str, str]:
    """What a browser sends with a form of our own page, signed in."""
    return {"Cookie": f"{COOKIE}={cookie_for(SECRETS[role])}", "Sec-Fetch-Site": "same-origin",
            "Origin": f"http://127.0.0.1:{web.port}", "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip


@pytest.fixture(scope="module")
def keyed(store_server: EmbeddedServer) -> Iterator[Web]:
    keys = [entry(role, SECRETS[role], role) for role in ROLES]
    with serving(emptied(store_server.url), INTAKE__KEYS=json.dumps(keys), INTAKE__MAX_BODY_BYTES="50000") as web:
        yield web


@pytest.fixture(scope="module")
def keyless(store_server: EmbeddedServer) -> Iterator[Web]:
    """It listens on all addresses."""
    with serving(emptied(store_server.url), host="0.0.0.0") as web:
        yield web


@pytest.fixture(scope="module")
def outside() -> str:
    """An address of this machine that is no loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def test_the_list_is_the_whole_of_it() -> None:
    assert len(ASKED) > 12 and len(PAGES) > 20
    assert [str(place) for place in PLACES if place.open] == [
        "GET /healthz", "GET /readyz", "POST /v1/command-results/0-1/x"
    ]  # fmt: skip
    assert [place for place in ASKED if not place.roles] == [], "what is not open names its roles"


@each(PLACES)
def test_without_any_key_nothing_but_health_is_served_to_the_outside(keyless: Web, outside: str, place: Place) -> None:
    forged = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1",
              "Sec-Fetch-Site": "same-origin", "Origin": f"http://127.0.0.1:{keyless.port}"}  # fmt: skip
    forged["Cookie"] = f"{COOKIE}={cookie_for(SECRETS['admin'])}"
    for headers in ({}, forged):
        status, answer = ask(keyless, place.method, place.path, headers, host=outside)
        if place.open:
            assert status in ((400, 404) if place.path.startswith(DOOR) else (200,))
        else:
            assert turned_away(place, status, answer) and status != 303


@each(PLACES)
def test_where_there_are_keys_nobody_comes_in_without_one(keyed: Web, place: Place) -> None:
    status, headers = ask(keyed, place.method, place.path)
    if place.path.startswith(DOOR):
        assert status in (400, 404)  # its secret is its key
    elif place.path in OPEN or str(place) == "GET /sign-in":
        assert status == 200
    elif place.page:
        assert turned_away(place, status, headers)
    else:
        assert status == 401


@each(ASKED)
def test_each_role_may_what_the_table_says_and_no_more(keyed: Web, store: Any, place: Place) -> None:
    for role in ROLES:
        status, headers = ask(keyed, place.method, place.path, bearer(role))
        allowed = role == "admin" or role in (place.roles or ())
        assert (status == 403) == (not allowed) and status not in (401, 500), (role, status)
        assert headers["X-Content-Type-Options"] == "nosniff"


@each(PAGES)
def test_pages_are_for_those_who_may_look_and_changes_for_those_who_may_act(
    keyed: Web, store: Any, place: Place
) -> None:
    for role in ROLES:
        status, headers = ask(keyed, place.method, place.path, of_a_page(keyed, role))
        allowed = role in (("operate", "admin") if place.method == "POST" else ("view", "operate", "admin"))
        refused = status == 204 if place.path == "/live" else status == 403
        assert refused == (not allowed) and status < 500, (role, status)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"


@each(PAGES)
def test_a_forged_cookie_opens_no_page(keyed: Web, place: Place) -> None:
    until, proof = cookie_for(SECRETS["admin"]).split(".")
    longer = f"{int(until) + 1}.{proof}"
    for value in (f"{until}.{'0' * 64}", longer, f".{proof}", SECRETS["admin"], f"{until}.{proof}x"):
        forged = of_a_page(keyed, "admin") | {"Cookie": f"{COOKIE}={value}"}
        assert turned_away(place, *ask(keyed, place.method, place.path, forged)), value


@each([*CHANGES, *(place for place in PLACES if str(place) in ("POST /sign-in", "POST /sign-out"))])
def test_nothing_is_changed_by_a_page_of_another_site(keyed: Web, store: Any, place: Place) -> None:
    mine = of_a_page(keyed, "admin")
    silent = {name: value for name, value in mine.items() if name != "Sec-Fetch-Site"}
    for headers in (
        mine | {"Sec-Fetch-Site": "cross-site"}, mine | {"Sec-Fetch-Site": "same-site"},
        mine | {"Sec-Fetch-Site": "none"}, mine | {"Origin": "https://elsewhere.example"}, mine | {"Origin": "null"},
        silent | {"Origin": "https://elsewhere.example"}, {n: v for n, v in silent.items() if n != "Origin"},
    ):  # fmt: skip
        assert ask(keyed, place.method, place.path, headers, b"reason=x")[0] == 403


@each(ASKED)
def test_while_there_is_no_key_a_page_of_another_site_asks_nothing_of_the_api(
    keyless: Web, store: Any, place: Place
) -> None:
    for headers in (
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://elsewhere.example"},
        {"Origin": "null"}, {"Host": "rebound.example"}, {"Host": f"rebound.example:{keyless.port}"},
        {"Via": "1.1 elsewhere"},
    ):  # fmt: skip
        assert ask(keyless, place.method, place.path, headers)[0] == 403, headers
    assert ask(keyless, place.method, place.path)[0] not in (401, 403, 500)


@each(PLACES)
def test_no_other_spelling_of_an_address_comes_further_than_the_address(keyed: Web, place: Place) -> None:
    if place.open or place.path == "/sign-in":
        return
    for spelling in SPELLINGS:
        path = spelling.format(place.path, place.path.upper() if place.path != "/" else "/%2e")
        status, headers = ask(keyed, place.method, path)
        assert turned_away(place, status, headers) or status in (400, 401, 404, 405), (path, status)


@each([place for place in PLACES if place.method == "POST"])
def test_a_body_without_end_is_refused_or_left_unread(keyed: Web, store: Any, place: Place) -> None:
    headers = of_a_page(keyed, "admin") if place.page else bearer("admin") | {"Content-Type": "application/json"}
    form = urlencode({"reason": "x" * BIG}).encode() if place.page else b'{"a": "' + b"x" * BIG + b'"}'
    status, _ = ask(keyed, place.method, place.path, headers, form)
    assert status in ((413,) if place.page else (400, 404, 413, 422)), status
    assert ask(keyed, "GET", "/healthz")[0] == 200


@each(ASKED)
def test_what_nobody_expects_in_a_query_breaks_nothing(keyed: Web, store: Any, place: Place) -> None:
    strange = ("%00", "a=%ff%fe", "a=" + "x" * 5_000, "&".join(f"n{n}=1" for n in range(500)), "limit=%D9%A3",
               "cursor=1~%3Cscript%3E", "account=<script>alert(1)</script>")  # fmt: skip
    for query in strange:
        status, headers = ask(keyed, place.method, f"{place.path}?{query}", bearer("admin"))
        assert status < 500, (query, status)
        assert "html" not in str(headers["content-type"]), "no answer of the API is read as a page"
