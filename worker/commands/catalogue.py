"""Commands: what can be asked for, and what happens to what goes wrong. Neither needs a store.

Promise: these are the catalogue and the table that the workers go by, not descriptions of them. Scope: printing.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

import click

from worker.accept.operation import Operation, askable, find
from worker.commands.output import emit, facts, line, span, table
from worker.commands.schema import fields
from worker.commands.session import Session, with_session
from worker.commands.values import json_option
from worker.errors import NotFound, Refused
from worker.fail.overriding import table_of


@click.command("operations", short_help="List what can be asked for; show one with an example.")
@click.argument("name", required=False)
@json_option
@with_session
def operations_command(session: Session, name: str | None, as_json: bool) -> None:
    """List the operations; with NAME, show one with its parameters and an example to copy."""
    session.load_catalogue()
    if name is not None:
        try:
            _one(session, find(name), as_json)
        except Refused as error:
            raise NotFound(str(error)) from None
    elif as_json:
        for operation in askable():
            emit(operation.describe())
    else:
        table(
            ("operation", "budget", "priority", "repeatable", "deadline", "method", "path", "why"),
            (
                (
                    row.name,
                    row.budget,
                    row.priority,
                    "yes" if row.repeatable else "NO",
                    span(session.settings.fail.deadlines.get(row.name, row.deadline_s)),
                    row.method,
                    row.path,
                    row.why,
                )
                for row in askable()
            ),
            empty="the modules that settings name (PACELINE_MODULES) hold no operation",
        )


def _one(session: Session, row: Operation, as_json: bool) -> None:
    if as_json:
        emit(row.describe() | {"schema": row.json_schema()})
        return
    shown = (
        ("operation", row.name),
        ("request", f"{row.method} {row.path}"),
        ("budget", row.budget),
        ("priority", row.priority),
        ("repeatable", f"{'yes' if row.repeatable else 'no'}: {row.why}"),
        ("deadline", span(row.deadline_s)),
        ("role", row.role),
        ("reconciled by", row.reconcile),
        ("described in", row.doc),
    )
    for text in facts(shown):
        line(text)
    schema = row.json_schema()
    for part in ("params", "body"):
        found = list(fields(schema[part]))
        if found:
            line()
            columns = (f"--{part}", "", "form", "meaning")
            table(columns, found, empty="")
    line()
    line(f"example: {_example(session, row)}")


def _example(session: Session, row: Operation) -> str:
    """A command to copy, with the first configured account that may make the call."""
    usual = {"hub": "hub:IN-CPO" if row.role == "CPO" else "hub:IN-ABC"}.get(row.api, "stellantis:fleet-1")
    fitting = (one.name for one in session.accounts.values() if one.api == row.api and row.role in (None, one.role))
    account = next(fitting, usual)
    params, body = row.example
    words = ["python -m worker enqueue", row.name, "--account", account]
    words += ["--params", shlex.quote(json.dumps(params))] if params else []
    words += ["--body", shlex.quote(json.dumps(body))] if body is not None else []
    return " ".join(words)


@click.command("policy")
@click.option("--api", type=click.Choice(["hub", "stellantis", "callback", "both"]), help="Only the rows of this API.")
@json_option
@with_session
def policy_command(session: Session, api: str | None, as_json: bool) -> None:
    """Print the table of errors and their fate.

    It is the table in force: * marks what PACELINE_FAIL__POLICY has changed.
    """
    rows = [row for row in table_of(session.settings).as_rows() if api in (None, row["api"])]
    if as_json:
        for row in rows:
            emit(row)
        return
    columns = ("api", "sign", "class", "repeatable", "unrepeatable")
    table(columns, ([_marked(row, name) for name in columns] for row in rows), empty="the table is empty")
    for row in rows:
        for kind, before in (row["changed"] or {}).items():
            line(f"* {row['api']}, {row['sign']}, {kind}: changed by PACELINE_FAIL__POLICY, else it is: {before}")


def _marked(row: dict[str, Any], column: str) -> str:
    return f"{row[column]} *" if column in (row["changed"] or {}) else str(row[column])
