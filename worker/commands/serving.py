"""Commands: `serve`, the web process: the door at which results of hub commands arrive, and health.

Promise: one line says where it listens; it drains on SIGTERM. Scope: starting it; the routes are in `accept/intake`.
"""

from __future__ import annotations

import click

from worker.commands.session import Session, with_session
from worker.errors import Refused


@click.command("serve")
@click.option("--host", default=None, help="Address to listen on. Default: all, where PACELINE_PUBLIC_URL is set; "
              "else this machine alone.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True)
@with_session
def serve_command(session: Session, host: str | None, port: int) -> int:
    """Run the web process: results of hub commands, and health."""
    try:
        import uvicorn

        from worker.accept.intake.app import create_app
        from worker.accept.intake.command_results import CommandResults
    except ModuleNotFoundError as error:
        raise Refused(f"this command needs the package {error.name!r}; run `make setup`.") from None
    app = create_app(session.partition, CommandResults(session.partition, session.redactor))
    bound = host or ("0.0.0.0" if session.settings.public_url else "127.0.0.1")
    # Addresses of results carry a secret: no access log.
    uvicorn.run(app, host=bound, port=port, access_log=False, log_level="info", server_header=False)
    return 0
