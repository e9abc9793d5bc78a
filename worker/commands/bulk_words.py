"""Commands: how an operation on many letters is told: its plan before, its progress and report after.

Promise: what would be or was left alone is named with its reason and with what makes it possible all the same; a figure
that is not the whole says so. Scope: wording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from worker.commands.output import ago, facts, many, span, times, when
from worker.fail.bulk import BulkAction
from worker.fail.bulk_plan import LEFT, TO_FORCE, Plan
from worker.fail.dead_letter import Filter
from worker.fail.redrive import Verb

DONE_WORDS: dict[Verb, str] = {"redrive": "sent again", "discard": "set aside", "restore": "taken back"}
SHOWN = 12


def left_words(word: str) -> str:
    """Why a letter is left alone, and what can be done about it."""
    said = LEFT.get(word, f"it is {word} now")
    return f"{said}; {TO_FORCE[word]}" if word in TO_FORCE else said


def plan_lines(plan: Plan, *, sends: bool) -> Iterator[str]:
    """What would be done."""
    more = "" if plan.complete else " or more"
    yield f"{plan.letters}{more} {'letter fits' if plan.letters == 1 else 'letters fit'}."
    for one in plan.problems[:SHOWN]:
        cause = " ".join(word for word in (one.operation, one.error_class, one.code) if word)
        yield f"{one.count} of them: {cause}{f' (problem {one.fingerprint})' if one.fingerprint else ''}."
    if len(plan.problems) > SHOWN:
        yield f"and {many(len(plan.problems) - SHOWN, 'more problem')}."
    for one in plan.problems if sends else ():
        if one.futile:
            yield f"{one.count} of them would die again: {one.futile}"
    for word, count in plan.left.items():
        yield f"{count} of them would be left alone: {left_words(word)}."
    if plan.to_do:
        limits = ", within the limits" if sends else ""
        yield f"At {plan.pace:g} per second{limits}, that takes {span(plan.least_s)} at least."


def filter_words(wanted: Filter) -> str:
    """The filter as options."""
    named = {"account": wanted.account, "operation": wanted.operation, "class": wanted.error_class,
             "problem": wanted.problem}  # fmt: skip
    words = [f"--{name} {value}" for name, value in named.items() if value]
    return " ".join([*words, *([] if wanted.which == "dead" else [f"--{wanted.which}"])]) or "--all"


def state_words(action: BulkAction, now_us: int) -> str:
    """How it stands, in a word or two."""
    rests = action.rests(now_us)
    return f"{action.state}, and rests: {rests}" if rests else action.state


def progress_words(action: BulkAction) -> str:
    """How far it is, in one line."""
    said = f"{action.done} {DONE_WORDS[action.kind]}"
    if action.left_alone:
        said += f", {action.left_alone} left alone"
    if action.kind == "redrive" and action.done:
        said += f"; of those {action.ends['done']} done, {action.ends['dead']} failed again"
        others = action.ends["expired"] + action.ends["cancelled"]
        said += f", {others} expired or cancelled" if others else ""
        said += f", {action.under_way} not ended yet" if action.under_way else ""
    return said + (f"; {action.remaining} to go" if action.remaining and not action.ended else "")


def report_lines(action: BulkAction, fresh: tuple[int, bool], now_us: int) -> Iterator[str]:
    """Everything about it, for people."""
    yield from facts(
        (
            ("operation", action.id),
            ("does", action.kind),
            ("state", state_words(action, now_us)),
            ("letters", filter_words(action.wanted)),
            ("planned", f"{action.total}{'' if action.plan.complete else ' or more'} letters, "
                        f"{span(action.plan.least_s)} at least"),
            ("pace", f"{action.pace:g} per second, "
                     + ("as urgent as before" if action.keep_priority else "below live work")
                     if action.kind == "redrive" else f"{action.pace:g} per second"),
            ("progress", progress_words(action)),
            ("not there any more", action.gone or None),
            ("new since the plan", f"{fresh[0]}{'' if fresh[1] else ' or more'}" if fresh[0] else None),
            ("by", action.started_by or action.by),
            ("because", action.reason),
            ("planned at", when(action.created_us)),
            ("begun", when(action.started_us)),
            ("ended", when(action.ended_us)),
            ("cancelled by", action.ended_by),
            ("why cancelled", action.ended_why),
        )
    )  # fmt: skip
    for word, count in action.left.items():
        yield f"{count} left alone: {left_words(word)}"
    for job_id, word in action.some:
        yield f"  {job_id}: {LEFT.get(word, word)}"
    for fingerprint, count in action.failed.items():
        yield f"{count} failed again: problem {fingerprint}"


def record_of(action: BulkAction, fresh: tuple[int, bool] | None, now_us: int) -> Mapping[str, Any]:
    """Everything about it, for programs."""
    record = action.as_dict()
    record["filter"] = record.pop("wanted")
    record["left"] = {word: {"count": count, "why": left_words(word)} for word, count in action.left.items()}
    record["some"] = [{"job": job_id, "why": LEFT.get(word, word)} for job_id, word in action.some]
    record["rests"] = action.rests(now_us) or None
    if fresh is not None:
        record["fresh"], record["fresh_complete"] = fresh
    for inner in ("claim_us", "rest_us", "waits"):
        del record[inner]
    return times(record)


def row_of(action: BulkAction) -> tuple[Any, ...]:
    """One of many."""
    return (action.id, action.kind, action.state, progress_words(action), filter_words(action.wanted),
            ago(action.created_us), action.started_by or action.by, action.reason)  # fmt: skip
