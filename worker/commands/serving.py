"""Commands: `serve`, the web process: calls over HTTP, the console, results of hub commands, health and metrics.

Promise: one line says where it listens and who is served; it drains on SIGTERM. Scope: starting it; the routes are in
`accept/intake`.
"""

from __future__ import annotations

import click

from worker.commands.output import say
from worker.commands.session import Session, with_session
from worker.errors import Refused
from worker.observe import log


@click.command("serve", short_help="Run the web process: calls, console, results.")
@click.option("--host", default=None, help="Address to listen on. Default: all, where PACELINE_PUBLIC_URL is set; "
              "else this machine alone.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True)
@with_session
def serve_command(session: Session, host: str | None, port: int) -> int:
    """Run the web process: calls over HTTP, the operators' console, results of hub commands, health and metrics.

    Without any key only callers on this machine are served; `keys create` makes keys for others.
    """
    try:
        from worker.accept.intake.app import create_app
        from worker.accept.intake.listening import check_address, listen
        from worker.accept.intake.parts import Parts
    except ModuleNotFoundError as error:
        raise Refused(f"this command needs the package {error.name!r}; run `make setup`.") from None
    bound = host or ("0.0.0.0" if session.settings.public_url else "127.0.0.1")
    check_address(bound, port)
    session.load_catalogue()
    log.configure(session.settings.observe.log_level, session.redactor)
    parts = Parts(session.settings, session.partition, session.enqueuer, session.redactor)
    parts.callers.refresh()
    if parts.callers.none:
        say("no key exists: only callers on this machine are served; `keys create` makes keys for others.")
    listen(create_app(parts), bound, port, parts.watching.leave)
    return 0
