"""The remote actions a car can be asked for: the body of `stellantis.b2b.send_remote`, in the vendor's own names.

Promise: exactly one action per request, with the values the vendor's Reference pages list.
Scope: shapes only; whether a car supports an action is known to the vendor alone.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from worker.accept.fields import AnyObject, Fields, Personal, Text, rule

Slot = Annotated[int, Field(ge=1, le=4)]
Duration = Annotated[str, StringConstraints(pattern=r"^P\S+$"), Field(description="ISO 8601, such as PT14H30M")]
Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def _one_of(group: Fields, names: tuple[str, ...]) -> None:
    given = [name for name in names if getattr(group, name) is not None]
    if len(given) != 1:
        raise rule(f"expected exactly one of {', '.join(names)}, got {' and '.join(given) or 'none'}; keep one")


class Occurence(Fields):
    """Spelled as the vendor spells it."""

    day: list[Day]


class AirConditioningProgram(Fields):
    slot: Slot
    enabled: bool | None = None
    recurrence: Literal["None", "Daily"] | None = None
    start: Duration | None = None
    occurence: Occurence | None = None
    actionsType: Literal["Delete", "Set"] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        absent = [name for name in ("enabled", "start", "occurence") if getattr(self, name) is None]
        if absent and self.actionsType != "Delete":
            raise rule(
                f"expected enabled, start and occurence to set a program, got none of {', '.join(absent)}; add it"
            )
        return self


class AirConditioning(Fields):
    immediate: bool | None = None
    programs: list[AirConditioningProgram] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.immediate is None and self.programs is None:
            raise rule("expected immediate or programs, got neither; add one")
        return self


class Preconditioning(Fields):
    airConditioning: AirConditioning


class ChargingProgram(Fields):
    start: Duration
    end: Duration | None = None
    enabled: bool | None = None
    slot: Slot | None = None
    occurence: Occurence | None = None


class Schedule(Fields):
    nextDelayedTime: Text | None = None
    programs: list[ChargingProgram] | None = None

    @model_validator(mode="after")
    def _one_mode(self) -> Self:
        if (self.nextDelayedTime is None) == (self.programs is None):
            raise rule("expected either nextDelayedTime or programs, got both or neither; keep one")
        return self


class Preferences(Fields):
    level: Literal["Level1", "Level2", "Level3", "Level4", "Level5"] | None = None
    type: Literal["Partial", "Full"] | None = None


class Charging(Fields):
    immediate: bool | None = None
    schedule: Schedule | None = None
    preferences: Preferences | None = None

    @model_validator(mode="after")
    def _something_that_fits(self) -> Self:
        now = self.immediate is not None or self.schedule is not None
        if not now and self.preferences is None:
            raise rule("expected immediate, schedule or preferences, got none of them; add one")
        if now and self.preferences is not None:
            raise rule("expected preferences in a request of their own, got them with immediate or schedule; split it")
        return self


class Door(Fields):
    state: Literal["Unlocked", "Locked"]


class Horn(Fields):
    state: Literal["Activated", "Unactivated"]


class Lights(Fields):
    on: bool


class WakeUp(Fields):
    action: Literal["WakeUp"]


class Immobilization(Fields):
    activate: bool


class TrackingPeriod(Fields):
    running: Annotated[int, Field(ge=5)] | None = None
    shutdown: Annotated[int, Field(ge=60)] | None = None


class Stolen(Fields):
    stolen: bool | None = None
    trackingPeriod: TrackingPeriod | None = None
    immobilization: Immobilization | None = None

    @model_validator(mode="after")
    def _one_at_a_time(self) -> Self:
        _one_of(self, ("stolen", "trackingPeriod", "immobilization"))
        return self


class Navigation(Fields):
    positions: Annotated[list[AnyObject], Personal(), Field(min_length=1, max_length=10, description="GeoJSON points")]


class Remote(Fields):
    label: Text | None = None
    preconditioning: Preconditioning | None = None
    immobilization: Immobilization | None = None
    door: Door | None = None
    horn: Horn | None = None
    charging: Charging | None = None
    stolen: Stolen | None = None
    lights: Lights | None = None
    wakeUp: WakeUp | None = None
    navigation: Navigation | None = None

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        _one_of(self, tuple(name for name in type(self).model_fields if name != "label"))
        return self
