"""Settings of the intake: who may ask over HTTP, how much at once, and when a caller has to give a key.

Promises: only digests of callers' keys are kept here; without any key, nobody outside of this machine is served.
Scope ends at the values; `worker.accept.intake` lives by them.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from settings.section import Section, Whole, matching, not_bool, wrong

ROLES = ("enqueue", "view", "operate", "admin")
Role = Literal["enqueue", "view", "operate", "admin"]


def some_roles(roles: tuple[Role, ...]) -> tuple[Role, ...]:
    if not roles or len(set(roles)) != len(roles):
        raise wrong()
    return roles


class IntakeKey(Section):
    """One caller's key, by its digest: the key itself is shown once, by `python -m worker keys create`."""

    name: Annotated[str, matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")] = Field(
        description="1 to 40 letters, digits, dots, dashes or underscores, such as billing"
    )
    sha256: Annotated[str, matching(r"[0-9a-fA-F]{64}"), AfterValidator(str.lower)] = Field(
        description="the SHA-256 of the key, 64 hexadecimal digits", repr=False
    )
    roles: Annotated[tuple[Role, ...], AfterValidator(some_roles)] = Field(
        description="a list of roles, each once, of " + ", ".join(ROLES)
    )
    per_minute: Whole | None = Field(
        default=None, description="a whole number of requests a minute, at least 1, or none for no limit"
    )


Wait = Annotated[float, BeforeValidator(not_bool), Field(ge=0, le=300, allow_inf_nan=False)]


class IntakeSection(Section):
    keys: tuple[IntakeKey, ...] = Field(
        default=(), description="a list of callers' keys, each with name, sha256 and roles"
    )
    max_body_bytes: Whole = Field(default=1_048_576, description="a whole number of bytes, at least 1")
    max_lines: Whole = Field(default=10_000, description="a whole number of lines, at least 1")
    max_waiting: Whole | None = Field(
        default=None,
        description="a whole number of jobs that may wait, at least 1, or none for as many as the store holds",
    )
    require_key: Literal["never", "unrepeatable", "always"] = Field(
        default="unrepeatable",
        description="one of never, unrepeatable, always: which calls need an idempotency key over HTTP",
    )
    max_wait_s: Wait = Field(default=30.0, description="seconds from 0 to 300, the longest ?wait= of a request")
