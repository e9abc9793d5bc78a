"""Sandbox, options: how both simulated APIs behave where their documents leave a choice, and who may call them.

Parties and subscriptions are written as the settings write them (`PACELINE_HUB__PARTIES`,
`PACELINE_STELLANTIS__SUBSCRIPTIONS`), so one table serves both sides. It promises that a misspelt option is refused
with the names that exist. Its scope ends at plain values; limits live in windows.py once the sandbox runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

RetryAfter = Literal["seconds", "date", "none", "nonsense", "negative", "absurd"]
ErrorShape = Literal["standard", "legacy", "gateway", "oauth", "named", "html"]


@dataclass(slots=True)
class HubOptions:
    """The hub's wire shapes; the document names both of each pair, or is silent."""

    refusal: Literal["429", "200", "429-bare"] = "429"
    retry_after: RetryAfter = "seconds"
    unauthorized: Literal["401", "200", "401-bare"] = "401"
    not_found: Literal["404", "200", "404-bare", "404-2004"] = "404"
    role_status: int = 200
    role_code: int = 2000
    authorize_path_names_us: bool = False
    command_data: Literal["object", "list"] = "object"
    command_timeout_s: int = 30
    result_delay_s: float = 0.05
    result: str = "ACCEPTED"
    result_repeats: int = 1
    page_size: int = 50
    locations: int = 120
    routing: bool = True


@dataclass(slots=True)
class StellantisOptions:
    """The wire shapes of the Stellantis Web API, and the size of its fleets."""

    headers: Literal["suffixed", "plain", "none"] = "suffixed"
    retry_after: RetryAfter = "seconds"
    remaining_nonzero: bool = False
    unauthorized: ErrorShape = "gateway"
    error_shape: ErrorShape = "standard"
    fleets: int = 3
    vehicles: int = 130
    next_keeps_query: bool = False
    root_paths: bool = False


@dataclass(slots=True)
class Party:
    """One party of the hub and the tokens it may use."""

    country_code: str
    party_id: str
    role: str
    token: str
    next_token: str | None = None
    token_encoding: Literal["raw", "base64"] = "raw"
    limits: dict[str, Any] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The name that the rest of the project gives this credential."""
        return f"hub:{self.country_code}-{self.party_id}"


@dataclass(slots=True)
class Subscription:
    """One subscription to the Stellantis Web API."""

    name: str
    client_id: str
    username: str
    password: str
    kind: str = "b2b"
    client_certificate: str | None = None
    client_key: str | None = None
    ca_bundle: str | None = None
    limit_per_day: int = 100_000
    limit_per_second: int = 100
    day_window_s: float = 86_400
    second_window_s: float = 1
    limits: dict[str, Any] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The name that the rest of the project gives this credential."""
        return f"stellantis:{self.name}"


PARTIES = (
    {"country_code": "IN", "party_id": "ABC", "role": "EMSP", "token": "sandbox-token-abc"},
    {"country_code": "IN", "party_id": "DEF", "role": "EMSP", "token": "sandbox-token-def"},
    {"country_code": "IN", "party_id": "CPO", "role": "CPO", "token": "sandbox-token-cpo"},
)
SUBSCRIPTIONS = (
    {"name": "fleet-1", "client_id": "sandbox-client-1", "username": "MZP000001", "password": "sandbox-password-1"},
    {"name": "fleet-2", "client_id": "sandbox-client-2", "username": "MZP000002", "password": "sandbox-password-2"},
)


@dataclass(slots=True)
class Options:
    """Everything a sandbox is started with, besides addresses."""

    hub: HubOptions = field(default_factory=HubOptions)
    stellantis: StellantisOptions = field(default_factory=StellantisOptions)
    count_refused: bool = True
    seed: int = 0
    limits: dict[str, Any] = field(default_factory=dict)
    latency: dict[str, dict[str, float]] = field(default_factory=dict)
    parties: tuple[Party, ...] = field(default_factory=lambda: tuple(built(Party, party) for party in PARTIES))
    subscriptions: tuple[Subscription, ...] = field(
        default_factory=lambda: tuple(built(Subscription, subscription) for subscription in SUBSCRIPTIONS)
    )


def built(kind: type[Any], values: Any) -> Any:
    """A party or subscription from a mapping, every name and choice checked."""
    if isinstance(values, kind):
        return values
    hints = get_type_hints(kind)
    unknown = set(values) - set(hints)
    if unknown:
        raise ValueError(f"{kind.__name__} has no '{', '.join(sorted(unknown))}'; it has {', '.join(hints)}")
    required = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    if required - set(values):
        raise ValueError(f"{kind.__name__} needs {', '.join(sorted(required - set(values)))}")
    return kind(**{name: _checked(name, hints[name], value) for name, value in values.items()})


def change(target: Any, values: Mapping[str, Any]) -> None:
    """Set fields by name; nested options take a mapping or dotted names such as `hub.refusal`."""
    hints = get_type_hints(type(target))
    for name, value in values.items():
        first, dot, rest = name.partition(".")
        if first not in hints:
            raise ValueError(f"there is no option '{first}'; the options are {', '.join(hints)}")
        if dot:
            change(getattr(target, first), {rest: value})
        elif first in ("hub", "stellantis") and isinstance(value, Mapping):
            change(getattr(target, first), value)
        else:
            setattr(target, first, _checked(first, hints[first], value))


def _checked(name: str, hint: Any, value: Any) -> Any:
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ValueError(f"'{name}' is one of {', '.join(map(str, get_args(hint)))}, not {value!r}")
    if name == "parties":
        return tuple(built(Party, party) for party in value)
    if name == "subscriptions":
        return tuple(built(Subscription, subscription) for subscription in value)
    if hint in (int, float) and not isinstance(value, (int, float)):
        raise ValueError(f"'{name}' is a number, not {value!r}")
    return value
