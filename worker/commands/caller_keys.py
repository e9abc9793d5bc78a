"""Commands: `keys`: who may ask over HTTP.

Promise: a key is printed once, to standard output and nowhere else; making and revoking are in the audit. Scope: keys
in the store; those in settings are changed there.
"""

from __future__ import annotations

import json
import re

import click

from settings.intake import ROLES
from worker.commands.output import emit, facts, line, say, table
from worker.commands.session import Session, with_session
from worker.commands.tree import Tree
from worker.commands.values import json_option, who

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@click.group("keys", cls=Tree)
def keys() -> None:
    """Make, list and revoke the keys of callers over HTTP."""


@keys.command("create", short_help="Make a key; it is printed once.")
@click.argument("name")
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), default=("enqueue",), show_default=True,
              help="What it may do; may be given again.")  # fmt: skip
@click.option("--per-minute", type=click.IntRange(1, 1_000_000_000), metavar="N", help="At most N requests a minute.")
@click.option("--for-settings", is_flag=True, help="Keep nothing; print the entry for PACELINE_INTAKE__KEYS too.")
@json_option
@with_session
def create_command(
    session: Session, name: str, roles: tuple[str, ...], per_minute: int | None, for_settings: bool, as_json: bool
) -> None:
    """Make a key for the caller NAME. Two keys of one name are the same caller: make the new one, then revoke the old.

    enqueue asks for calls, reads and cancels those whose id it knows, and reports what the hub did not deliver; view
    looks at everything, masked; operate looks and acts: cancels, reports, holds, sends letters again; admin may do all.
    """
    from worker.accept.intake.callers import KeyRing, new_key

    if not NAME.fullmatch(name):
        raise click.UsageError("NAME: expected 1 to 40 letters, digits, dots, dashes or underscores; choose another")
    chosen = tuple(dict.fromkeys(roles))
    if for_settings:
        key, digest = new_key()
        entry = {"name": name, "sha256": digest, "roles": list(chosen), "per_minute": per_minute}
        if as_json:
            emit({"key": key, "entry": entry})
        else:
            line(key)
            say(f"add to PACELINE_INTAKE__KEYS: {json.dumps(entry)}")
        return
    made, key = KeyRing(session.partition).create(name, chosen, per_minute, who())
    if as_json:
        emit(made.as_dict() | {"key": key})
        return
    line(key)
    say(f"this is key {made.id} of {name} ({', '.join(chosen)}); it is not shown again. From now on every caller needs "
        "a key, on this machine too.")  # fmt: skip


@keys.command("list")
@json_option
@with_session
def list_command(session: Session, as_json: bool) -> None:
    """List the keys, without themselves."""
    from worker.accept.intake.callers import KeyRing

    rows = [key.as_dict() | {"kept_in": "store"} for key in KeyRing(session.partition).all()]
    rows += [
        {"id": None, "name": key.name, "roles": list(key.roles), "per_minute": key.per_minute, "created": None,
         "by": None, "kept_in": "settings"}
        for key in session.settings.intake.keys
    ]  # fmt: skip
    if as_json:
        for row in rows:
            emit(row)
        return
    table(
        ("key", "name", "roles", "a minute", "created", "by", "kept in"),
        (
            (
                row["id"], row["name"], ", ".join(row["roles"]), row["per_minute"], row["created"], row["by"],
                row["kept_in"],
            )
            for row in rows
        ),
        empty="no key exists: only callers on this machine are served",
    )  # fmt: skip


@keys.command("revoke")
@click.argument("word", metavar="ID")
@click.option("--reason", default="", help="Why; kept in the audit.")
@json_option
@with_session
def revoke_command(session: Session, word: str, reason: str, as_json: bool) -> None:
    """Revoke the key ID, or all keys of the caller of that name. Every web process refuses them within 2 s."""
    from worker.accept.intake.callers import KeyRing

    ring = KeyRing(session.partition)
    for key in ring.revoke(word, who(), reason):
        if as_json:
            emit(key.as_dict() | {"revoked": True})
        else:
            for text in facts((("revoked", f"{key.id} of {key.name}"),)):
                line(text)
    if not ring.all() and not session.settings.intake.keys:
        say("no key is left: callers on this machine are served without one.")
