"""Every kind of alert that the system can raise has a page, as long as it stands and when it is over.

The kinds are read from the decisions and from the table of errors: one that is added and not raised here fails.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

import worker
from tests.integration.alerting import CAR, HUB, OPERATION, Notebook, ask_for, bury, dies, end_next, system_of
from tests.integration.console_seat import WebSeat, seat_of
from worker.fail.fate import Fate, answered
from worker.fail.policy import ROWS
from worker.main import System
from worker.observe.alerts import Alert, Outbox
from worker.observe.sentry import links_of
from worker.store.composing import FOLDER

pytestmark = pytest.mark.usefixtures("store")
WORKER = Path(worker.__file__).parent
GROUP, LANE = f"{CAR}|calls", f"{CAR}|{OPERATION}"
FACTS = {"api": "stellantis", "account": CAR, "operation": OPERATION, "class": "rate_limited", "code": "429"}
LOOK = {
    "every": 0,
    "quota": {"share": 1.0, "ages": [-1, -1, -1]},
    "shares": {"jump": 0.01, "least": 1, "period": 900_000_000, "classes": {"stellantis": ["no_data"]}},
}


def park(**facts: Any) -> Fate:
    return Fate("park", answered(0), {"wait": 0, "attempt": 0, **facts})


def done(**facts: Any) -> Fate:
    return Fate("finish", answered(0), {"meaning": "success", **facts})


def ends(fate: Callable[[], Fate], times: int = 1) -> Callable[[System], None]:
    """A call that ends so, as often as it takes."""

    def raise_it(system: System) -> None:
        for _ in range(times):
            ask_for(system)
            end_next(system, fate())

    return raise_it


def hold() -> Fate:
    scope = f"account:{CAR}"
    held = {"cause": "credential", "by": "paceline", "reason": "401", "code": "401"}
    facts = json.dumps({"kind": "hold", "scope": scope, **FACTS})
    return park(refused=True, hold={"scope": scope, "hold": held, "facts": facts})


def notice(key: str) -> dict[str, str]:
    return {"key": key, "facts": json.dumps({"kind": "notice", **FACTS, "code": ""})}


def troubled() -> Fate:
    facts = {"kind": "trouble", "scope": f"lane:{LANE}", **FACTS}
    return done(trouble={"base": 1000, "jitter": 0, "facts": json.dumps(facts)})


def suspect(system: System) -> None:
    system.broker.scripts("suspect", {"cause": "clock", "lease_us": 15_000_000, "mode": "probe"})


def quota(system: System) -> None:
    ends(done)(system)
    system.broker.scripts("judge", LOOK | {"quota": {"share": 1e-9, "ages": [-1, -1, -1]}})


def share(system: System) -> None:
    ends(done)(system)
    system.broker.scripts("judge", LOOK)
    ends(lambda: done(tally="no_data"))(system)
    system.broker.scripts("judge", LOOK)


RAISED: Mapping[str, Callable[[System], None]] = {
    "problem: problem": lambda system: bury(system, 1) and None,
    "hold: brake": lambda system: bury(system, 3, dies("not_found", "404", alert=False)) and None,
    "hold: hold": ends(hold),
    "refusal: notice": ends(lambda: park(notices=[notice(f"refusal:{GROUP}")])),
    "no routing: notice": ends(lambda: done(notices=[notice(f"no routing:{HUB}:2026-03-01")])),
    "offline: notice": ends(lambda: done(notices=[notice(f"offline:{HUB}:2026-03-01")])),
    "trouble: trouble": ends(troubled, 10),
    "suspect: suspect": suspect,
    "quota: quota": quota,
    "share: share": share,
}
"""By how its key begins and the kind that its facts name."""


def raised(system: System, what: str) -> tuple[Alert, str]:
    """The alert that is told of it, and its kind."""
    RAISED[what](system)
    sink = Notebook()
    Outbox(system.broker, [sink]).hand_over()
    (alert,) = sink.offered
    return alert, f"{alert.key.partition(':')[0]}: {alert.facts['kind']}"


def asking(seat: WebSeat) -> int:
    """How many alerts ask for somebody, as the navigation says."""
    (found,) = re.findall(r'title="alerts that nobody knows of yet"(?: hidden)?>(\d+)<', seat.get("/workers").text)
    return int(found)


def test_every_kind_of_alert_is_raised_here() -> None:
    decisions = "".join(path.read_text() for path in FOLDER.rglob("*.lua"))
    modules = "".join(path.read_text() for path in WORKER.rglob("*.py"))
    begins = set(re.findall(r"(?:raise_alert\(|watch\(\w+, )'([^:']+):'", decisions))
    begins |= set(re.findall(r"self\._notice\(f\"([^:{\"]+):", modules))
    begins |= {row.when or row.error_class for row in ROWS if row.repeatable.kind == "done" and row.repeatable.alert}
    kinds = set(re.findall(r"\{kind = '(\w+)'", decisions)) | set(re.findall(r"self\._facts\(\"(\w+)\"", modules))
    assert {what.partition(": ")[0] for what in RAISED} == begins
    assert {what.partition(": ")[2] for what in RAISED} == kinds


@pytest.mark.parametrize("what", RAISED)
def test_an_alert_of_every_kind_is_shown_while_it_stands_and_when_it_is_over(redis_url: str, what: str) -> None:
    with system_of(redis_url, None, FAIL__BRAKE_COUNT="3") as system:
        alert, kind = raised(system, what)
        assert kind == what
        with seat_of(system) as seat:
            link = urlsplit(links_of(alert, seat.base)["alert_page"])
            page = f"{link.path}?{link.query}"
            assert page == f"/alerts/one?key={quote(alert.key, safe='')}"

            def shown() -> str:
                answer = seat.get(page)
                assert answer.status == 200
                assert f">{alert.title}</h1>" in answer.text.replace("&#39;", "'")
                return answer.text

            assert "I know of it" in shown()
            assert asking(seat) == 1
            listed = seat.get("/alerts").text.replace("&#39;", "'")
            assert f'class="wide">{alert.advice}</td>' in listed, "all of it, not its first lines"
            said = {"key": alert.key, "reason": "asked their support"}
            assert seat.post("/alerts/acknowledge", said).status == 303
            assert "asked their support" in shown()
            assert asking(seat) == 0, "somebody knows"
            assert page.replace("&", "&amp;") in seat.get("/alerts").text
            assert seat.post("/alerts/resolve", said | {"reason": "mended"}).status == 303
            assert "mended" in shown()
            assert page not in seat.get("/alerts").text
            assert page in seat.get("/alerts?pile=history").text


def test_what_another_version_raised_and_ended_is_counted_too(redis_url: str) -> None:
    with system_of(redis_url, None) as system, seat_of(system) as seat:
        bury(system)
        bury(system, 1, dies("undocumented", "1"))
        assert asking(seat) == 2
        known, over = (alert.key for alert in seat.console.alerts.find())
        system.client.hset(system.broker.keys("alert", over), "state", "resolved")
        system.client.srem(system.broker.keys("alerts_open"), known)
        system.client.sadd(system.broker.keys("alerts_open"), "problem:gone")
        system.broker.scripts("sweep", {"dead_us": 30 * 86_400 * 1_000_000})
        assert asking(seat) == 1
        assert system.client.smembers(system.broker.keys("alerts_open")) == {known.encode()}


def test_an_alert_that_names_nothing_is_shown(redis_url: str) -> None:
    with system_of(redis_url, None) as system:
        ask_for(system)
        end_next(system, park(notices=[{"key": "refusal:x", "facts": "{}"}, {"key": "what:x", "facts": '["odd"]'}]))
        with seat_of(system) as seat:
            assert seat.get("/alerts/one?key=refusal%3Ax").status == 200
            assert seat.get("/alerts/one?key=what%3Ax").status == 200
            assert seat.get("/alerts").status == 200
