"""Commands: a group of commands that answers a mistyped name with the nearest one.

Promise: the same words for a wrong command as for every other mistake. Scope: names of commands.
"""

from __future__ import annotations

import click

from worker.accept.refusal import did_you_mean


class Tree(click.Group):
    """A group whose commands are guessed at."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        known = self.list_commands(ctx)
        if name.startswith("-") or name in known:
            return super().resolve_command(ctx, args)
        raise click.UsageError(
            f"expected a command, got {name[:40]!r}; {did_you_mean(name, known)}known are {', '.join(known)}", ctx
        )
