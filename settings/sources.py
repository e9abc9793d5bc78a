"""Settings: the three places values come from: the environment, secret files, one TOML file.

Promises: a source tells where each value stood, so that a mistake can name the place; broken text is reported by
position, never by content; an unknown name is a mistake. Scope ends at reading; `loading` decides which source wins.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from pydantic import BaseModel

from settings.catalogue import Name, Path, find, is_secret, items_of, names_of
from settings.secret import Inside, SecretFile, SecretUnreadableError, read_bytes
from settings.spelling import did_you_mean

PREFIX = "PACELINE_"
OWN = ("PACELINE_CONFIG", "PACELINE_SECRETS_DIR")
# Kubernetes puts the address of a service called "paceline" into every pod under these names.
SERVICE = re.compile(r"PACELINE_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")


@dataclass(frozen=True, slots=True)
class Entry:
    path: Path
    value: Any
    label: str


@dataclass(slots=True)
class Reading:
    """What a source gave, and what was wrong with it."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def from_environment(model: type[BaseModel], environ: Mapping[str, str]) -> Reading:
    """An empty variable counts as not set: that is how deployment files say "leave it"."""
    reading = Reading()
    seen: dict[str, str] = {}
    for given, text in sorted(environ.items()):
        name = given.upper()
        if not name.startswith(PREFIX) or not text.strip() or foreign(name, text):
            continue
        if name in seen:
            reading.problems.append(f"{name}: expected one spelling, got it twice, as {seen[name]} and {given}.")
        elif place := find(model, name.removeprefix(PREFIX).split("__")):
            put_text(reading, model, place, text, given)
        else:
            reading.problems.append(f"{given}: unknown variable{suggestion(model, name)}")
        seen[name] = given
    return reading


def foreign(name: str, text: str) -> bool:
    """Names under our prefix that are not settings."""
    linked = name.endswith("_PORT") and text.startswith(("tcp://", "udp://", "sctp://"))
    return name in OWN or name.startswith("PACELINE_TEST_") or linked or SERVICE.fullmatch(name) is not None


def suggestion(model: type[BaseModel], name: str) -> str:
    known = ["__".join(str(part).upper() for part in n.path) for n in names_of(model)]
    known += [own.removeprefix(PREFIX) for own in OWN]
    close = did_you_mean(name.removeprefix(PREFIX), known)
    return close.replace("mean ", f"mean {PREFIX}") if close else "."


def put_text(
    reading: Reading, model: type[BaseModel], place: Name, text: str, label: str, file: File | None = None
) -> None:
    """Text from the environment or a secret file becomes entries."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        reading.problems.append(f"{label}: expected UTF-8 text, got other bytes.")
        return
    value: Any = text
    if place.kind in ("section", "json"):
        try:
            value = decode(text)
        except ValueError as error:
            reading.problems.append(f"{label}: expected JSON, {error}.")
            return
        if file is not None:
            value = keep_in_file(model, place.path, value, file)
    elif place.reference and file is not None:
        value = {"file": str(file)}
    elif place.reference:
        value = file_reference(text)
    elif place.kind == "plain":
        value = plain(text, place)
    reading.entries += expand(model, place.path, value, label)


def plain(text: str, place: Name) -> str | None:
    text = text.strip()
    return None if place.optional and text.lower() in ("none", "null") else text


def file_reference(text: str) -> Any:
    """{"file": "path"} is a reference; every other text is the secret itself."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) and set(value) == {"file"} else text


def decode(text: str) -> Any:
    """JSON, or a ValueError that tells a position and no content."""
    try:
        value = json.loads(text, object_pairs_hook=unique)
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except json.JSONDecodeError as error:
        position = f"it breaks off or goes wrong at line {error.lineno}, column {error.colno}"
    except RecursionError:
        position = "it is nested too deeply"
    except UnicodeEncodeError:
        position = "an escape in it is half of a character"
    except DoubledKeyError:
        position = "one of its tables has the same key twice"
    except ValueError:
        position = "a number in it is too long"
    raise ValueError(position)


class DoubledKeyError(ValueError):
    """JSON would silently keep the last value."""


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise DoubledKeyError
    return dict(pairs)


def keep_in_file(model: type[BaseModel], path: Path, value: Any, file: File) -> Any:
    """Secrets in a list that came as one file stay references into it, so that a changed file is noticed."""
    for list_path, item_model in items_of(model).items():
        if list_path[: len(path)] != path:
            continue
        keys = tuple(str(part) for part in list_path[len(path) :])
        items = value
        for key in keys:
            items = items.get(key) if isinstance(items, dict) else None
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict):
                bind(item, item_model, keys, file)
    return value


def bind(item: dict[str, Any], model: type[BaseModel], keys: tuple[str, ...], file: File) -> None:
    identity = tuple((name, str(item.get(name, ""))) for name in getattr(model, "identity", ()))
    for name, about in model.model_fields.items():
        if is_secret(about) and isinstance(item.get(name), str):
            try:
                item[name] = SecretFile.open(file, Inside(keys, identity, name))
            except SecretUnreadableError:
                continue  # an empty value: the model's own check says so with its place


def expand(model: type[BaseModel], path: Path, value: Any, label: str, joint: str = ".") -> Iterator[Entry]:
    """A table of a whole section is as many entries as it has keys, so that a narrower source can replace one."""
    is_section = not path or any(name.path == path and name.kind == "section" for name in names_of(model))
    if not is_section or not isinstance(value, dict):
        yield Entry(path, value, label)
        return
    for key, inner in value.items():
        short = key if len(key) <= 40 and key.isprintable() else f"(a name of {len(key)} characters)"
        yield from expand(model, (*path, key), inner, f"{label}{joint}{short}")


def from_secrets(model: type[BaseModel], folder: File) -> Reading:
    """One file per variable, named like it. Other files are other people's."""
    reading = Reading()
    try:
        files = sorted(folder.iterdir())
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "not a usable path").lower()
        reading.problems.append(f"PACELINE_SECRETS_DIR: expected a readable folder, got {str(folder)!r} ({why}).")
        return reading
    seen: dict[str, File] = {}
    for file in files:
        name = file.name.upper()
        if not name.startswith(PREFIX):
            continue
        if name in seen:
            reading.problems.append(f"{file}: expected one file for {name}, got {seen[name].name} too.")
        elif place := find(model, name.removeprefix(PREFIX).split("__")):
            put_file(reading, model, place, file)
        else:
            reading.problems.append(f"{file}: the file is named like no variable{suggestion(model, name)}")
        seen[name] = file
    return reading


def put_file(reading: Reading, model: type[BaseModel], place: Name, file: File) -> None:
    try:
        text = SecretFile(file).value_in(read_bytes(file))
    except SecretUnreadableError as error:
        reading.problems.append(f"{file}: expected a value for {'.'.join(map(str, place.path))}, but the file {error}.")
        return
    put_text(reading, model, place, text, str(file), file.absolute())


def from_toml(model: type[BaseModel], file: File) -> Reading:
    reading = Reading()
    try:
        document = tomllib.loads(read_bytes(file).decode())
    except SecretUnreadableError as error:
        reading.problems.append(f"PACELINE_CONFIG: expected a readable TOML file, but {str(file)!r} {error}.")
    except UnicodeDecodeError:
        reading.problems.append(f"{file}: expected TOML, which is UTF-8 text, got other bytes.")
    except (ValueError, RecursionError) as error:
        position = re.search(r"\(at ((line \d+, column \d+)|end of document)\)", str(error))
        place = f"it goes wrong at {position[1]}" if position else "it cannot be read"
        reading.problems.append(f"{file}: expected TOML, {place}.")
    else:
        for entry in expand(model, (), document, f"{file}:", " "):
            reading.entries.append(Entry(entry.path, toml_value(model, entry), entry.label))
    return reading


def toml_value(model: type[BaseModel], entry: Entry) -> Any:
    """TOML has no null: "none" stands for it where a setting may be nothing."""
    if not isinstance(entry.value, str) or not all(isinstance(part, str) for part in entry.path):
        return entry.value
    name = find(model, [str(part) for part in entry.path])
    return plain(entry.value, name) if name and name.kind == "plain" else entry.value
