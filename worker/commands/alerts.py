"""Commands: `alerts`: what somebody should know, who knows of it, and what is over.

Promise: every change names the person in the audit; several at once go on past one that cannot be changed. Scope: words
and exit codes; `worker.observe.standing` reads and acts.
"""

from __future__ import annotations

from collections.abc import Callable

import click

from worker.commands.output import Exit, emit, facts, line, say, table, times, when
from worker.commands.session import Session, with_session
from worker.commands.tree import Tree
from worker.commands.values import json_option, who
from worker.errors import Conflict, NotFound
from worker.observe.standing import Alerts, StandingAlert
from worker.store.connection import shown

Word = Callable[[Alerts], Callable[[str, str, str], None]]
"""What is said of an alert: by its key, the person and the reason."""


@click.group("alerts", cls=Tree, short_help="Look at alerts; acknowledge and resolve them.")
def alerts() -> None:
    """Look at alerts; say that you know of one, or that it is over."""


@alerts.command("list", short_help="List the alerts that stand.")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--account", metavar="A", help="Only of this account, such as hub:IN-ABC.")
@json_option
@with_session
def list_command(session: Session, everything: bool, account: str | None, as_json: bool) -> None:
    """List the alerts that stand, last changed first."""
    session.check_words(account=account)
    session.load_catalogue()  # what to do depends on the operation
    found = Alerts(session.partition).find(resolved=everything, account=account)
    if as_json:
        for alert in found:
            emit(times(alert.as_dict()))
        return
    rows = ((alert.key, _state(alert), alert.count, when(alert.opened_us), alert.title) for alert in found)
    none = "no alert" if everything else "no alert stands"
    table(("alert", "state", "count", "opened", "what"), rows, empty=f"{none} in the store at {shown(session.address)}")


def _state(alert: StandingAlert) -> str:
    known = f" by {alert.acked_by}" if alert.state == "acknowledged" else ""
    return f"{alert.state}{known}{', again' if alert.generation > 1 else ''}"


@alerts.command("show")
@click.argument("key")
@json_option
@with_session
def show_command(session: Session, key: str, as_json: bool) -> None:
    """Show one alert: what it says, what to do, who knows of it."""
    session.load_catalogue()
    alert = Alerts(session.partition).read(key)
    record = alert.as_dict()
    if as_json:
        emit(times(record))
        return
    line(alert.title)
    pairs = [("alert", key), ("state", _state(alert)), *((name, record[name]) for name in ("explanation", "advice"))]
    pairs += [("opened", when(alert.opened_us)), ("last seen", when(alert.changed_us)), ("count", alert.count)]
    pairs += [("acknowledged", when(alert.acked_us)), ("why", alert.acked_why)]
    pairs += [("resolved by", alert.ended_by), ("because", alert.ended_why)]
    pairs += [("told", "not everybody has been told yet" if alert.waits else None)]
    pairs += [(name, value) for name, value in alert.facts.items() if name not in ("advice", "explanation", "kind")]
    for text in facts(pairs):
        line(text)


def _acting(name: str, short: str, more: str, done: str) -> Callable[[Word], None]:
    """A command that says something about alerts."""

    def build(word: Word) -> None:
        @alerts.command(name, short_help=short, help=f"{short} {more}")
        @click.argument("keys", metavar="KEY...", nargs=-1, required=True)
        @click.option("--reason", default="", help="Why; kept with the alert and in the audit.")
        @json_option
        @with_session
        def command(session: Session, keys: tuple[str, ...], reason: str, as_json: bool) -> int:
            say_it = word(Alerts(session.partition))
            left: list[Exit] = []
            for key in dict.fromkeys(keys):
                why = None
                try:
                    say_it(key, who(), reason)
                except (NotFound, Conflict) as error:
                    why = str(error)
                    left.append(Exit.NOT_FOUND if isinstance(error, NotFound) else Exit.FAILED)
                _tell(key, done, why, as_json)
            if not left:
                return Exit.DONE
            if len(left) < len(set(keys)):
                return Exit.PARTLY
            return Exit.NOT_FOUND if set(left) == {Exit.NOT_FOUND} else Exit.FAILED

    return build


def _tell(key: str, done: str, why: str | None, as_json: bool) -> None:
    if as_json:
        emit({"alert": key, "done": why is None, "why": why})
    elif why is None:
        line(f"{key} is {done}")
    if why is not None:
        say(why)


_acting("ack", "Say that you know of alerts.", "They are not told again until they were over.", "acknowledged")(
    lambda book: book.acknowledge
)
_acting("resolve", "Say that alerts are over.", "What still happens opens them again.", "resolved")(
    lambda book: book.resolve
)
