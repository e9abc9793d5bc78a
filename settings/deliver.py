"""Settings of delivery: how long one call may take and how much it may answer.

Promises: a call ends before a stopping worker is killed. Scope ends at the numbers; deadlines of jobs are in `fail`.
"""

from typing import Annotated

from pydantic import Field

from settings.section import Seconds, Section, Whole

WORKER_SHUTDOWN_S = 28.0
"""As in the Procfile: a call that took longer would be cut off in its middle when a worker is stopped."""


class DeliverSection(Section):
    total_deadline_s: Annotated[Seconds, Field(lt=WORKER_SHUTDOWN_S)] = Field(
        default=25.0, description="seconds above 0 and below 28 (a worker that stops waits 28 s for its calls)"
    )
    connect_timeout_s: Seconds = Field(default=5.0, description="seconds above 0 to connect")
    max_body_bytes: Whole = Field(default=8_388_608, description="a whole number of bytes, at least 1")
