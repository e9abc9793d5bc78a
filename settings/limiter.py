"""Settings of the limiter: bounds, back-off after refusals, reserve for urgent work, when to advise about quota.

Promises: shares are shares. Scope ends here; limits and windows belong to the accounts (`hub`, `stellantis`).
"""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from settings.section import YEAR_S, Seconds, Section, freeze, not_bool
from settings.spelling import known_names

Share = Annotated[float, BeforeValidator(not_bool), Field(ge=0, lt=1, allow_inf_nan=False)]


class LimiterSection(Section):
    transit_bound_s: Annotated[float, BeforeValidator(not_bool), Field(ge=0, le=YEAR_S, allow_inf_nan=False)] = Field(
        default=5.0, description="seconds, 0 or more, that an abandoned request may still need to arrive"
    )
    refusal_backoff_base_s: Seconds = Field(default=1.0, description="seconds above 0, the first wait after a refusal")
    refusal_backoff_cap_s: Seconds = Field(
        default=300.0, description="seconds above 0, the longest wait after refusals"
    )
    reserve_bulk: Share = Field(
        default=0.20, description="a share from 0 to below 1 that bulk jobs leave to urgent ones"
    )
    reserve_normal: Share = Field(
        default=0.05, description="a share from 0 to below 1 that normal jobs leave to urgent ones"
    )
    quota_advice_share: Annotated[float, BeforeValidator(not_bool), Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        default=0.9, description="a share above 0 up to 1 of the longest window, from which on quota advice is given"
    )
    oldest_age_alert_s: Seconds | None = Field(
        default=3600.0, description="seconds above 0 that a job may wait before quota advice is given, or none"
    )
    oldest_age_alerts: Annotated[
        dict[str, Seconds], AfterValidator(known_names(("urgent", "normal", "bulk"))), AfterValidator(freeze)
    ] = Field(default=freeze({}), description='the same by priority, where it differs: {"urgent": 30, "bulk": 86400}')
