"""Entry: the tree of commands, and what every command shares: exit codes and one clear line for every error.

    0 done   1 failed   2 usage   3 cannot reach the store or API   4 not found   5 partly done   130 interrupted

Promise: data goes to standard output, talk to standard error; no error is a traceback, and none shows a secret.
Scope: putting the groups in `commands/` together.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click
import redis

from settings import SettingsError
from worker.commands.alerts import alerts
from worker.commands.caller_keys import keys
from worker.commands.catalogue import operations_command, policy_command
from worker.commands.dead_letters import dlq
from worker.commands.enqueueing import enqueue_command
from worker.commands.health import doctor_command, workers_command
from worker.commands.hub import hub
from worker.commands.inspection import jobs
from worker.commands.lanes import lanes
from worker.commands.letter_actions import ACTIONS
from worker.commands.operating import ops
from worker.commands.output import Exit, ReaderGone, say
from worker.commands.problem_words import WORDS
from worker.commands.processes import demo_command, sandbox_command
from worker.commands.serving import serve_command
from worker.commands.session import Session
from worker.commands.tailing import tail_command
from worker.commands.tokens import tokens
from worker.commands.tree import Tree
from worker.errors import Conflict, NotFound, PacelineError, Refused, StoreUnavailable
from worker.store.connection import is_outage


@click.group(cls=Tree, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.pass_context
def cli(context: click.Context) -> None:
    """Paceline: queued, exactly paced requests to an OCPI hub and the Stellantis connected-car API.

    \b
    Exit codes: 0 done, 1 failed, 2 usage, 3 cannot reach the store or API,
                4 not found, 5 partly done, 130 interrupted.
    Every command that reads has --json; lists are JSON lines.
    """
    context.obj = context.with_resource(Session())


for command in (
    demo_command, serve_command, sandbox_command, doctor_command, operations_command, policy_command, enqueue_command,
    jobs, tail_command, lanes, dlq, ops, alerts, workers_command, hub, tokens, keys,
):  # fmt: skip
    cli.add_command(command)
for action in (*ACTIONS, *WORDS):
    dlq.add_command(action)


def run(argv: Sequence[str]) -> int:
    """Runs one command; answers with its exit code."""
    try:
        code = cli.main(list(argv), prog_name="python -m worker", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGone):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.DONE
    except Exception as error:
        return _explain(error)
    return code if isinstance(code, int) else Exit.DONE


def _explain(error: Exception) -> int:
    """One line on standard error, and the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort():
            say("interrupted")
            return Exit.INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message(), err=True)
            return Exit.USAGE
        case click.ClickException():
            shown = error.ctx if isinstance(error, click.UsageError) else None
            hint = f" `{shown.command_path} --help` shows how." if shown else ""
            text = error.format_message().rstrip(".")
            say(text + ("" if text.endswith("?") else ".") + hint)
            return Exit.USAGE
        case SettingsError():
            for problem in error.problems:
                say(problem)
            return Exit.USAGE
        case redis.RedisError():
            return _explain_store(error)
        case PacelineError():
            say(str(error))
            codes = {
                Refused: Exit.USAGE,
                NotFound: Exit.NOT_FOUND,
                Conflict: Exit.FAILED,
                StoreUnavailable: Exit.UNREACHABLE,
            }
            return next((code for kind, code in codes.items() if isinstance(error, kind)), Exit.FAILED)
        case OSError():
            say(f"{error.strerror or type(error).__name__}" + (f": {error.filename}" if error.filename else ""))
            return Exit.FAILED
    raise error


def _explain_store(error: redis.RedisError) -> int:
    reason = str(error).split("\n")[0][:160] or type(error).__name__
    if is_outage(error):
        say(f"the store does not answer ({reason}); start it, or correct PACELINE_REDIS_URL.")
        return Exit.UNREACHABLE
    say(f"the store refused this ({reason}).")
    return Exit.FAILED
