"""Settings of the charging hub: where it is, and as which parties we call it.

Promises: a party's account name is unique and stable (`hub:IN-ABC`); its token is usable in a header.
Scope ends at what was configured; budgets are derived in `accounts`.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from settings.secret import TokenRef
from settings.section import Limits, Section, Url, freeze, matching, upper
from settings.spelling import known_names

BUDGETS = ("tokens", "commands", "locations", "control", "other")
ROLES = ("CPO", "EMSP", "HUB", "NAP", "NSP", "SCSP", "OTHER")


class Party(Section):
    """One party we act as: an account of its own, with its own token and limits.

    OCPI's identifiers ignore case; upper case keeps one name per account.
    """

    identity: ClassVar[tuple[str, ...]] = ("country_code", "party_id")

    country_code: Annotated[str, matching(r"[A-Za-z]{2}"), AfterValidator(str.upper)] = Field(
        description="two letters (ISO 3166), such as IN"
    )
    party_id: Annotated[str, matching(r"[A-Za-z0-9]{3}"), AfterValidator(str.upper)] = Field(
        description="three letters or digits, such as ABC"
    )
    role: Annotated[Literal["CPO", "EMSP", "HUB", "NAP", "NSP", "SCSP", "OTHER"], BeforeValidator(upper)] = Field(
        description="one of the OCPI roles " + ", ".join(ROLES)
    )
    token: TokenRef = Field(description='the token the hub gave this party, as text or {"file": "path"}')
    next_token: TokenRef | None = Field(
        default=None, description='the token the hub will accept after a rotation, as text or {"file": "path"}'
    )
    """Only kept and masked: calls use `token`."""
    token_encoding: Literal["raw", "base64"] = Field(
        default="raw",
        description='"raw" (sent as it is) or "base64" (encoded first, as OCPI 2.2.1 says)',
    )
    limits: Annotated[Limits, AfterValidator(known_names(BUDGETS))] = Field(
        default=freeze({}),
        description='limits instead of the documented ones, by budget: {"tokens": {"limit": 100, "window_s": 60}}',
    )

    @property
    def account(self) -> str:
        return f"hub:{self.country_code}-{self.party_id}"


class Hub(Section):
    base_url: Url | None = Field(
        default=None,
        description="the absolute http or https address of the hub's version, such as https://hub.example/ocpi/2.2.1",
    )
    parties: tuple[Party, ...] = Field(
        default=(), description="a list of parties, each with country_code, party_id, role and token"
    )
