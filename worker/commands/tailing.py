"""Commands: `tail`: what happens to jobs, as it happens, in all worker and web processes of this store.

Promise: following changes nothing and costs the workers next to nothing; events are printed as they come, redacted as
they were written; Ctrl-C ends it. Scope: words; the reading is `observe/news.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from worker.accept.job_search import LISTED
from worker.commands.output import emit, line, many, say
from worker.commands.session import Session, with_session
from worker.commands.timeline import event_of
from worker.commands.values import LENGTH, json_option, lane_options
from worker.errors import Refused
from worker.observe.news import Away, Missed, News

STATES = tuple(state for state in LISTED if state != "running")


@click.command("tail", short_help="Follow attempts and ends as they occur; Ctrl-C ends it.")
@lane_options
@click.option("--state", "states", multiple=True, metavar="S", help="Only what led to this state; may be given again.")
@click.option("--for", "for_s", type=LENGTH, metavar="10s", help="Ends by itself after this time.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Ends by itself after so many events.")
@json_option
@with_session
def tail_command(
    session: Session,
    account: str | None,
    operation: str | None,
    states: tuple[str, ...],
    for_s: float | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Follow what happens from now on: every attempt, and how each job ended. Of a busy store the newest thousand
    events between two looks are shown, and how many were missed is said.

    States are waiting (it will be tried again), awaiting (a command was accepted), done, dead, cancelled, expired.
    """
    if strange := sorted(set(states) - set(STATES)):
        raise Refused(f"--state: expected one of {', '.join(STATES)}, got {', '.join(strange)[:80]}; correct it.")
    session.check_words(account=account, operation=operation)
    news = News(session.partition)
    news.begin()
    say("following what happens from now on; Ctrl-C ends it.")
    shown = 0
    for event in _events(news, for_s):
        if account not in (None, event["account"]) or operation not in (None, event["operation"]):
            continue
        if states and event["state"] not in states:
            continue
        emit(event) if as_json else line(_words(event))
        sys.stdout.flush()
        shown += 1
        if shown == limit:
            return


def _events(news: News, for_s: float | None) -> Iterator[dict[str, Any]]:
    until = None if for_s is None else time.monotonic() + for_s
    while until is None or time.monotonic() < until:
        for event in news.look():
            if isinstance(event, Missed):
                say(f"{many(event.count, 'event')} came faster than they could be shown and were left out.")
            elif isinstance(event, Away):
                say("the store was away; it is followed again from here.")
            else:
                yield event


def _words(event: dict[str, Any]) -> str:
    what = event["state"] if event["event"] == "ended" else event_of(event)
    if event["ended"] and event["event"] not in ("ended", event["state"]):
        what += f": {event['state']}"
    at = str(event["at"])[:23].removesuffix("Z") + "Z"
    return f"{at}  {event['job']}  {event['account']} {event['operation']}  {what}"
