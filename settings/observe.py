"""Settings of observation: where alerts go, how much is logged, whether personal data is shown.

Promises: personal data is masked unless somebody asked for it. Scope ends at the values; `worker.observe` uses them.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from settings.secret import SentryAddress
from settings.section import Section, Url, upper


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
    personal_data: Literal["mask", "show"] = Field(default="mask", description='"mask" or "show"')
