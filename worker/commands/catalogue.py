"""Commands: what can be asked for, and what happens to what goes wrong. Neither needs a store.

Promise: these are the catalogue and the table that the workers go by, not descriptions of them. Scope: printing.
"""

from __future__ import annotations

import json

import click

from worker.accept.operation import Operation, find, operations
from worker.commands.output import emit, facts, line, span, table
from worker.commands.session import Session, with_session
from worker.commands.values import json_option
from worker.fail.policy import as_table


@click.command("operations")
@click.argument("name", required=False)
@json_option
@with_session
def operations_command(session: Session, name: str | None, as_json: bool) -> None:
    """List the operations; with NAME, show one with its parameters and an example to copy."""
    session.load_catalogue()
    if name is not None:
        _one(find(name), as_json)
    elif as_json:
        for operation in operations.values():
            emit(operation.describe())
    else:
        table(
            ("operation", "method", "path", "budget", "priority", "repeatable", "deadline"),
            (
                (
                    row.name,
                    row.method,
                    row.path,
                    row.budget,
                    row.priority,
                    f"{'yes' if row.repeatable else 'NO'}: {row.why}",
                    span(session.settings.fail.deadlines.get(row.name, row.deadline_s)),
                )
                for row in operations.values()
            ),
            empty="the modules that settings name (PACELINE_MODULES) hold no operation",
        )


def _one(row: Operation, as_json: bool) -> None:
    if as_json:
        emit(row.describe() | {"schema": row.json_schema()})
        return
    params, body = row.example
    account = "hub:IN-ABC" if row.api == "hub" else "stellantis:fleet-1"
    words = [f"python -m worker enqueue {row.name} --account {account}", f"--params '{json.dumps(params)}'"]
    if body is not None:
        words.append(f"--body '{json.dumps(body)}'")
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
        ("path parameters", ", ".join(row.path_names)),
        ("query parameters", ", ".join(row.query_names)),
        ("example", " ".join(words)),
    )
    for text in facts(shown):
        line(text)


@click.command("policy")
@click.option("--api", type=click.Choice(["hub", "stellantis", "both"]), help="Only the rows of this API.")
@json_option
def policy_command(api: str | None, as_json: bool) -> None:
    """Print the table of errors and their fate."""
    rows = [row for row in as_table() if api in (None, row["api"])]
    if as_json:
        for row in rows:
            emit(row)
        return
    columns = ("api", "sign", "class", "repeatable", "unrepeatable")
    table(columns, ([row[name] for name in columns] for row in rows), empty="the table is empty")
