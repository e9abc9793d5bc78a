"""Commands that hand over to a part with a command line of its own: the demo and the sandbox.

Promise: their options reach them untouched. Scope: handing over.
"""

from __future__ import annotations

import importlib

import click

from worker.errors import Refused

UNTOUCHED = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@click.command(
    "demo",
    short_help="Run the whole thing against simulated APIs.",
    context_settings=UNTOUCHED,
    add_help_option=False,
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def demo_command(words: tuple[str, ...]) -> int:
    """Run the whole thing against both APIs, simulated on this machine."""
    return _hand_over("worker.demo", words)


@click.command(
    "sandbox", short_help="Run both APIs, simulated.", context_settings=UNTOUCHED, add_help_option=False
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def sandbox_command(words: tuple[str, ...]) -> int:
    """Run both APIs, simulated on real sockets of this machine."""
    return _hand_over("worker.sandbox.server", words)


def _hand_over(module: str, words: tuple[str, ...]) -> int:
    try:
        part = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise Refused(f"this command needs the package {error.name!r}; run `make setup`.") from None
        raise Refused(f"this checkout has no {module}.") from None
    code: int = part.main(list(words))
    return code
