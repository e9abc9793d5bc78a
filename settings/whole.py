"""Settings: the whole, frozen object that the program is started with.

Promises: it is valid, it cannot be changed, and nothing made from it (repr, dump, description) shows a secret.
Scope ends at the object; `loading` fills it from the environment, files and defaults.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from settings.accounts import Account, accounts_of
from settings.agreement import disagreements
from settings.broker import BrokerSection
from settings.callbacks import CallbacksSection
from settings.deliver import DeliverSection
from settings.fail import FailSection
from settings.hub import Hub
from settings.intake import IntakeSection
from settings.limiter import LimiterSection
from settings.observe import ObserveSection
from settings.secret import RedisAddress, SecretFile
from settings.section import Url, not_bool, wrong
from settings.stellantis import Stellantis

CHECKOUT = Path(__file__).resolve().parents[1]


def in_the_checkout(folder: Path) -> Path:
    """The same folder wherever a program is started: its store would be another one in every place otherwise."""
    return CHECKOUT / folder


def dotted_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or not all(part.isidentifier() for name in names for part in name.split(".")):
        raise wrong()
    return names


def partition_name(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"[a-z0-9-]{1,16}", text):
        raise wrong()
    return text


class Settings(BaseSettings):
    """Everything that can be set. `settings.load()` makes one; the sections are named like the stages that use them."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        env_prefix="PACELINE_",
        env_nested_delimiter="__",
    )

    environment: Literal["production", "staging", "development", "test", "demo"] = Field(
        default="development", description="one of production, staging, development, test, demo"
    )
    redis_url: RedisAddress | None = Field(
        default=None, description="an address such as redis://host:6379/0, rediss://… or unix://…"
    )
    public_url: Url | None = Field(
        default=None, description="the absolute http or https address under which the hub reaches our web process"
    )
    threads: Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=512)] = Field(
        default=8, description="a whole number from 1 to 512"
    )
    on_empty_store: Literal["probe", "wait", "fresh"] = Field(default="probe", description="one of probe, wait, fresh")
    partition: Annotated[str, BeforeValidator(partition_name)] = Field(
        default="0", description="1 to 16 small letters, digits or dashes"
    )
    modules: Annotated[tuple[str, ...], AfterValidator(dotted_names)] = Field(
        default=("tasks",), description='a list of Python modules that name operations, such as ["tasks"]'
    )
    var_dir: Annotated[Path, AfterValidator(in_the_checkout)] = Field(
        default=Path("var"), description="the path of a folder for files that may be deleted"
    )
    hub: Hub = Field(default=Hub(), description="a table of the hub's settings")
    stellantis: Stellantis = Field(default=Stellantis(), description="a table of the Stellantis API's settings")
    intake: IntakeSection = Field(default=IntakeSection(), description="a table of the HTTP intake's settings")
    callbacks: CallbacksSection = Field(
        default=CallbacksSection(), description="a table of the settings of callbacks"
    )
    broker: BrokerSection = Field(default=BrokerSection(), description="a table of the broker's settings")
    limiter: LimiterSection = Field(default=LimiterSection(), description="a table of the limiter's settings")
    deliver: DeliverSection = Field(default=DeliverSection(), description="a table of delivery's settings")
    fail: FailSection = Field(default=FailSection(), description="a table of the settings of failure")
    observe: ObserveSection = Field(default=ObserveSection(), description="a table of the settings of observation")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in: `loading` reads the sources itself; its mistakes name them."""
        return (init_settings,)

    @model_validator(mode="after")
    def agree(self) -> "Settings":
        if found := disagreements(self):
            raise PydanticCustomError("agreement", "values that do not fit together", {"found": found})
        return self

    def accounts(self) -> dict[str, Account]:
        """Every account by name, with its budgets."""
        return {account.name: account for account in accounts_of(self.hub, self.stellantis, self.callbacks)}

    def effort(self, api: str) -> FailSection | CallbacksSection:
        """How often a call is tried, and with which waits: a receiver may be away for longer than an API."""
        return self.callbacks if api == "callback" else self.fail

    def describe(self) -> dict[str, Any]:
        """Everything, in plain JSON types, with *** in place of each secret."""
        return {name: described(getattr(self, name)) for name in type(self).model_fields}


def described(value: object) -> Any:
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, SecretFile):
        return {"file": str(value.path), "value": "***"}
    if isinstance(value, BaseModel):
        return {name: described(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {key: described(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [described(item) for item in value]
    return str(value) if isinstance(value, Path) else value
