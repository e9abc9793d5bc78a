"""Fail: the table as the README prints it.

Promise: generated from the rows alone; a test compares it with the README, so neither can drift. Scope: Markdown.
"""

from worker.fail.policy import as_table

COLUMNS = ("api", "sign", "class", "repeatable", "unrepeatable")
HEADINGS = ("API", "sign", "class", "repeatable call", "unrepeatable call")


def as_markdown() -> str:
    """The error table, one row per sign."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in COLUMNS) + " |" for row in as_table()]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")
