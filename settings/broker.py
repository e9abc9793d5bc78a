"""Settings of the broker: leases, polling and how many calls of one lane may be in flight.

Promises: a lease survives at least one lost renewal. Scope ends at the numbers; `worker.broker` lives by them.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from settings.section import Seconds, Section, Whole, freeze


class BrokerSection(Section):
    lease_s: Seconds = Field(default=15.0, description="seconds above 0, how long a claim holds without renewal")
    renew_s: Seconds = Field(default=5.0, description="seconds above 0, how often a claim is renewed")
    idle_poll_s: Seconds = Field(default=5.0, description="seconds above 0, how long an idle worker waits at most")
    max_want: Annotated[Whole, Field(le=512)] = Field(default=64, description="a whole number of jobs, 1 to 512")
    lane_cap: Whole | None = Field(
        default=None,
        description="a whole number of calls in flight, at least 1, or none for half of the threads",
    )
    caps: Annotated[dict[str, Whole], AfterValidator(freeze)] = Field(
        default=freeze({}), description='calls in flight by operation, whole numbers: {"hub.start_session": 4}'
    )
