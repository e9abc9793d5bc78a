"""Settings of failure: attempts, back-off, the brake, how long ends are kept, deadlines of jobs.

Promises: an idempotency key is never forgotten before its result (see `agreement`). Scope ends at the numbers and at
the form of a changed row; which error has which fate, and which of them may be changed, is said by `worker.fail`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from settings.section import Seconds, Section, Whole, WholeSeconds, freeze, not_bool, quoted_keys

Fate = Literal["retry", "quick", "dead", "hold"]
FATES = '"retry", "quick" (a few retries within seconds), "dead" or "hold" (the lane)'


class Override(Section):
    """A row of the error table with another fate. What is left out stays as it is."""

    repeatable: Fate | None = Field(default=None, description=f"one of {FATES}")
    unrepeatable: Fate | None = Field(default=None, description=f"one of {FATES}")
    alert: bool | None = Field(default=None, description="true or false: whether its dead letters are told to a person")


ROW_NAME = r"(hub|stellantis|callback|both):[a-z_]+(:[a-z ]+)?"


class FailSection(Section):
    attempts: Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=100)] = Field(
        default=5, description="a whole number of attempts from 1 to 100"
    )
    backoff_base_s: Seconds = Field(default=2.0, description="seconds above 0, the base of the wait between attempts")
    backoff_cap_s: Seconds = Field(default=300.0, description="seconds above 0, the longest wait between attempts")
    brake_count: Whole = Field(default=50, description="a whole number of dead letters of one problem, at least 1")
    brake_window_s: Seconds = Field(default=60.0, description="seconds above 0 in which the brake counts")
    brake_probe_s: Seconds | None = Field(
        default=None, description="seconds above 0 between single calls that may end a brake; none: a person does"
    )
    credential_probe_s: Seconds = Field(default=900.0, description="seconds above 0 between probes")
    result_ttl_s: WholeSeconds = Field(default=86_400, description="whole seconds, at least 1, that a result is kept")
    dead_ttl_s: WholeSeconds = Field(default=2_592_000, description="whole seconds, at least 1")
    key_ttl_s: WholeSeconds = Field(
        default=86_400, description="whole seconds, at least 1, that an idempotency key is kept after the end"
    )
    command_result_s: Seconds = Field(
        default=60.0, description="seconds above 0 for the result of a command whose answer names no timeout"
    )
    no_data: Literal["done", "dead"] = Field(
        default="done", description='"done" or "dead", the fate of a read that found no data for its car'
    )
    deadlines: Annotated[dict[str, Seconds], AfterValidator(freeze)] = Field(
        default=freeze({}), description='deadlines in seconds above 0 by operation: {"hub.authorize_token": 15}'
    )
    policy: Annotated[dict[str, Override], BeforeValidator(quoted_keys(ROW_NAME)), AfterValidator(freeze)] = Field(
        default=freeze({}),
        description='rows of the error table with another fate: {"hub:remote_trouble": {"repeatable": "dead"}}',
    )
