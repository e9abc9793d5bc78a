"""Settings: which names exist, told by the models themselves.

Promises: a new field is known to the environment, to secret files and to the words about mistakes without being listed
again. Scope ends at names and their kinds; no value is looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

Path = tuple[str | int, ...]
Kind = Literal["section", "json", "secret", "plain"]


@dataclass(frozen=True, slots=True)
class Place:
    """What is known about a place in the settings."""

    path: Path
    expected: str
    secret: bool
    """Never quoted: a secret, or something that may hold one."""
    near_secrets: bool
    siblings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A place that one variable or one secret file can fill."""

    path: Path
    kind: Kind
    optional: bool
    reference: bool
    """A secret that may stay in its file."""


def parts_of(annotation: Any) -> Iterator[Any]:
    """An annotation and everything it is made of."""
    yield annotation
    for argument in get_args(annotation):
        if argument is not Ellipsis:
            yield from parts_of(argument)


def model_in(annotation: Any) -> type[BaseModel] | None:
    return next((p for p in parts_of(annotation) if isinstance(p, type) and issubclass(p, BaseModel)), None)


def is_secret(field: FieldInfo) -> bool:
    return SecretStr in parts_of(field.annotation)


def container(annotation: Any) -> type | None:
    """tuple or dict, if a place holds several values; else None."""
    return next((o for p in parts_of(annotation) if (o := get_origin(p)) in (tuple, dict)), None)


def element(annotation: Any) -> Any:
    """What the items of a list, or the values of a table, are."""
    whole = next(p for p in parts_of(annotation) if get_origin(p) in (tuple, dict))
    return [argument for argument in get_args(whole) if argument is not Ellipsis][-1]


def place_of(model: type[BaseModel], location: Path) -> Place:
    """Follow a location as far as the models know it; deeper parts are pydantic's own and tell nobody anything."""
    annotation: Any = model
    expected, secret, near, walked = "a table", False, False, 0
    for part in location:
        if secret or not (container(annotation) or model_in(annotation)):
            break
        walked += 1
        if container(annotation):
            annotation = element(annotation)
            continue
        fields = fields_of(annotation)
        near = near or (annotation is not model and any(is_secret(field) for field in fields.values()))
        if (field := fields.get(str(part))) is None:
            break
        expected = field.description or expected
        annotation = field.annotation
        secret = not field.repr or (is_secret(field) and not model_in(annotation))
    holds_more = container(annotation) is not None or model_in(annotation) is not None
    return Place(tuple(location[:walked]), expected, secret or holds_more, near, tuple(fields_of(annotation)))


def fields_of(annotation: Any) -> dict[str, FieldInfo]:
    inner = model_in(annotation)
    return dict(inner.model_fields) if inner else {}


def names_of(model: type[BaseModel]) -> Iterator[Name]:
    """Every place that has a variable of its own, except the ones inside lists."""
    for key, field in model.model_fields.items():
        inner, holder = model_in(field.annotation), container(field.annotation)
        yield name_of((key,), field)
        if inner and holder is None:
            yield from (Name((key, *n.path), n.kind, n.optional, n.reference) for n in names_of(inner))


def name_of(path: Path, field: FieldInfo) -> Name:
    pieces = list(parts_of(field.annotation))
    secret, holder = is_secret(field), container(field.annotation)
    kind: Kind = "json" if holder else "secret" if secret else "section" if model_in(field.annotation) else "plain"
    reference = secret and any(getattr(piece, "__name__", "") == "SecretFile" for piece in pieces)
    return Name(path, kind, NoneType in pieces, reference)


def items_of(model: type[BaseModel]) -> dict[Path, type[BaseModel]]:
    """The lists whose items are tables of their own, by path."""
    found: dict[Path, type[BaseModel]] = {}
    for key, field in model.model_fields.items():
        inner, holder = model_in(field.annotation), container(field.annotation)
        if inner and holder is tuple:
            found[(key,)] = inner
        elif inner and holder is None:
            found |= {(key, *path): item for path, item in items_of(inner).items()}
    return found


def find(model: type[BaseModel], parts: list[str]) -> Name | None:
    """The place a variable's name means: HUB__PARTIES__0__TOKEN is the token of the first party."""
    keys = [part.lower() for part in parts]
    for name in names_of(model):
        if list(name.path) == keys:
            return name
    for path, item in items_of(model).items():
        length = len(path)
        if keys[:length] == list(path) and len(keys) == length + 2 and keys[length].isdecimal():
            field = item.model_fields.get(keys[length + 1])
            return name_of((*path, int(keys[length]), keys[length + 1]), field) if field else None
    return None
