"""Commands: `dlq note|acknowledge|resolve|ignore|reopen`: what people say about letters and problems.

Promise: who says it and why stand with the problem and in the audit, as when it is said in the console; a note holds no
secret this process knows of. Scope: words and exit codes; `worker.fail.problem` and `worker.fail.notes` keep them.
"""

from __future__ import annotations

import re

import click

from worker.commands.output import emit, line
from worker.commands.session import Session, with_session
from worker.commands.values import json_option, who
from worker.fail.notes import Notes
from worker.fail.problem import Mark

FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@click.command("note", short_help="Write a note about a letter or a problem.")
@click.argument("subject", metavar="ID|PROBLEM")
@click.argument("text", metavar="TEXT", nargs=-1, required=True)
@with_session
def note_command(session: Session, subject: str, text: tuple[str, ...]) -> None:
    """Write down for the next person what you found out. It is shown with the letter or the problem, and goes into the
    bundle for the vendor's support.
    """
    notes = Notes(session.partition, session.settings.fail.dead_ttl_s)
    said = session.redactor.without_secrets(" ".join(text))
    notes.write("problem" if FINGERPRINT.fullmatch(subject) else "job", subject, who(), said)
    line(f"noted about {subject}")


def _saying(name: str, mark: Mark, words: str, more: str) -> click.Command:
    @click.command(name, short_help=f"{words}.", help=f"{words}. {more}")
    @click.argument("problem", metavar="PROBLEM")
    @click.option("--reason", default="", help="Why; kept with the problem and in the audit.")
    @json_option
    @with_session
    def command(session: Session, problem: str, reason: str, as_json: bool) -> None:
        session.problems.say(problem, mark, who(), session.redactor.without_secrets(reason))
        if as_json:
            emit({"problem": problem, "state": session.problems.read(problem).state})
        else:
            line(f"{problem} is {mark}")

    return command


WORDS = (
    note_command,
    _saying("acknowledge", "acknowledged", "Say that you know of a problem", "It is not told again until it was over."),
    _saying(
        "resolve", "resolved", "Say that a problem's cause is mended",
        "Its alert is over; the next letter of it opens both again.",
    ),
    _saying("ignore", "ignored", "Say that nobody wants to be told of a problem", "Its letters are kept as ever."),
    _saying("reopen", "open", "Take back what was said of a problem", "It stands again as its letters lie."),
)  # fmt: skip
"""The commands, for the group `dlq`."""
