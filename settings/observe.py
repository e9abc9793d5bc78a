"""Settings of observation: where alerts go, how much is logged, whether personal data is shown.

Promises: personal data is masked unless somebody asked for it. Scope ends at the values; `worker.observe` uses them.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from settings.secret import SentryAddress, SigningRef, WebhookAddress
from settings.section import Seconds, Section, Url, Whole, not_bool, upper


class ObserveSection(Section):
    sentry_dsn: SentryAddress | None = Field(
        default=None, description="a Sentry DSN (https://key@host/project); without one, alerts are only logged"
    )
    sentry_environment: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="a name of 1 to 64 characters; without one, the environment's own name is used"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(upper)] = Field(
        default="INFO", description="one of DEBUG, INFO, WARNING, ERROR, CRITICAL"
    )
    console_url: Url | None = Field(
        default=None, description="the absolute http or https address of the operators' pages, for links in alerts"
    )
    sentry_pages: Url | None = Field(
        default=None,
        description="the absolute http or https address of Sentry's own list of issues, for links from the console",
    )
    webhook_url: WebhookAddress | None = Field(
        default=None, description="an absolute http or https address to which alerts are posted, signed; or none"
    )
    webhook_secret: SigningRef | None = Field(
        default=None,
        description='the secret that signs them, as whsec_ and the Base64 of 24 to 64 bytes, or {"file": "path"}',
    )
    traces_sample_rate: Annotated[float, BeforeValidator(not_bool), Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.0, description="a share from 0 to 1 of the jobs whose way through the queue is shown to Sentry"
    )
    share_jump: Annotated[float, BeforeValidator(not_bool), Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        default=0.2, description="a share above 0 up to 1 by which refusals or missing data may rise before it is told"
    )
    share_least: Whole = Field(
        default=20, description="a whole number of such answers, at least 1, below which none is"
    )
    share_period_s: Seconds = Field(default=900.0, description="seconds above 0 of the period that is looked at")
    personal_data: Literal["mask", "show"] = Field(default="mask", description='"mask" or "show"')
