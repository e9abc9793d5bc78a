"""Settings of the Stellantis Web API: where it is, and with which subscriptions we call it.

Promises: a subscription's account name is unique (`stellantis:fleet-1`); certificate and key come together and exist.
Scope ends at what was configured; budgets are derived in `accounts`.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from settings.secret import PasswordRef, shown_path
from settings.section import Limits, Section, Url, Whole, WindowSeconds, freeze, matching, sentence
from settings.spelling import known_names

WINDOWS = ("calls.day", "calls.second", "control", "other")


def only_b2b(value: object) -> object:
    if value == "b2c":
        raise sentence('only the kind "b2b" (fleet owners) can be called for now, "b2c" cannot')
    return value


def existing(path: Path) -> Path:
    """Opened once, because a file that only looks readable stops every call later."""
    try:
        with path.open("rb"):
            return path
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a usable path"
    raise sentence(f"the file {shown_path(path)} cannot be read ({why.lower()})")


File = Annotated[Path, AfterValidator(existing)]


class Subscription(Section):
    """One subscription: an account of its own, with its own credentials and limits.

    `repr=False` keeps a value out of error texts too: a user name is easily swapped with its password.
    """

    identity: ClassVar[tuple[str, ...]] = ("name",)

    name: Annotated[str, matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")] = Field(
        description="a name of at most 48 letters, digits, dots, dashes and underscores, such as fleet-1"
    )
    kind: Annotated[Literal["b2b"], BeforeValidator(only_b2b)] = Field(
        default="b2b", description='"b2b", the only kind that can be called for now'
    )
    client_id: Annotated[str, matching(r"[!-~]+")] = Field(
        repr=False, description="the application's client id, without spaces"
    )
    username: Annotated[str, matching(r"[^:\x00-\x1f\x7f\ud800-\udfff]+")] = Field(
        repr=False, description="a user name without a colon"
    )
    password: PasswordRef = Field(description='the password, as text or {"file": "path"}')
    client_certificate: File | None = Field(default=None, description="the path of a PEM file, or nothing")
    client_key: File | None = Field(default=None, description="the path of a PEM file, or nothing")
    ca_bundle: File | None = Field(default=None, description="the path of a PEM file, or nothing")
    limit_per_day: Whole = Field(default=100_000, description="a whole number of calls, at least 1")
    limit_per_second: Whole = Field(default=100, description="a whole number of calls, at least 1")
    day_window_s: WindowSeconds = Field(default=86_400.0, description="a length in seconds, at least 0.01")
    second_window_s: WindowSeconds = Field(default=1.0, description="a length in seconds, at least 0.01")
    limits: Annotated[Limits, AfterValidator(known_names(WINDOWS))] = Field(
        default=freeze({}),
        description='limits by window, before limit_per_day and its like: {"control": {"limit": 60, "window_s": 60}}',
    )

    @model_validator(mode="after")
    def certificate_and_key(self) -> "Subscription":
        if (self.client_certificate is None) != (self.client_key is None):
            given, lacks = ("client_certificate", "client_key")[:: 1 if self.client_certificate else -1]
            raise sentence(f"expected client_certificate and client_key together, got {given} without {lacks}")
        return self

    @property
    def account(self) -> str:
        return f"stellantis:{self.name}"


class Stellantis(Section):
    b2b_base_url: Url | None = Field(
        default=None,
        description="the absolute http or https address of the B2B version, such as https://api.example/connectedcar/v3",
    )
    subscriptions: tuple[Subscription, ...] = Field(
        default=(), description="a list of subscriptions, each with name, client_id, username and password"
    )
