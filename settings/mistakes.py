"""Settings: each mistake as one sentence: where it is, what was expected, what came.

Promises: a secret's value is never quoted, not even in part; neither is anything that may hold one (broken JSON,
addresses with a user in them, longer texts among credentials). Scope ends at wording; models and sources find mistakes.
"""

import itertools
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from settings.catalogue import Path, Place, place_of
from settings.spelling import did_you_mean

QUOTED = 60
QUOTED_NEAR_SECRETS = 8


class SettingsError(Exception):
    """The settings cannot be used. `problems` has one sentence for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = list(problems)
        count = f"{len(self.problems)} mistakes" if len(self.problems) != 1 else "1 mistake"
        super().__init__("\n".join([f"{count} in the settings:", *(f"- {problem}" for problem in self.problems)]))


def variable(path: Path) -> str:
    """The environment's spelling of a path."""
    head = list(itertools.takewhile(lambda part: isinstance(part, str), path[:2]))
    return "PACELINE_" + "__".join(str(part).upper() for part in head) + below(path[len(head) :])


def below(rest: Path) -> str:
    """What follows the name of a variable or key: [0].token"""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{quotable(part)}" for part in rest)


def quotable(name: str) -> str:
    return name if len(name) <= 40 and name.isprintable() else f"(a name of {len(name)} characters)"


def where(path: Path, origins: Mapping[Path, str]) -> str:
    """The place somebody has to look at: the longest known origin, then what follows in it."""
    for length in range(len(path), 0, -1):
        if label := origins.get(path[:length]):
            return label + below(path[length:])
    return variable(path)


def came(value: object, secret: bool, limit: int = QUOTED) -> str:
    if isinstance(value, SecretStr):
        secret, value = True, value.get_secret_value()
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        quote = value and not secret and len(value) <= limit and "@" not in value
        return repr(value) if quote else f"a value of {len(value)} characters"
    if secret or not isinstance(value, bool | int | float):
        return f"a value of the type {type(value).__name__}"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= limit else "a very long number"


def sentences(error: ValidationError, model: type[BaseModel], origins: Mapping[Path, str]) -> list[str]:
    """One sentence for each error that pydantic found, in our words throughout."""
    found: list[str] = []
    for detail in error.errors(include_url=False):
        if detail["type"] == "agreement":
            found += [f"{where(path, origins)}: {text}." for path, text in detail["ctx"]["found"]]
        else:
            found.append(one(detail, model, origins))
    return found


def one(detail: Any, model: type[BaseModel], origins: Mapping[Path, str]) -> str:
    place = place_of(model, detail["loc"])
    head = where(place.path, origins)
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind == "extra_forbidden":
        return f"{head}: unknown key{did_you_mean(str(place.path[-1]), place.siblings) or '.'}"
    if kind == "missing":
        return f"{head}: expected {place.expected}, but it is missing."
    if kind == "sentence":
        text = context["sentence"]
        return f"{head}: {text}" + ("" if text.endswith((".", "?")) else ".")
    ours = context if kind == "expected" else {}
    got = ours.get("came") or quoted(detail["input"], place)
    return f"{head}: expected {ours.get('expected') or place.expected}, got {got}."


def quoted(value: object, place: Place) -> str:
    return came(value, place.secret, QUOTED_NEAR_SECRETS if place.near_secrets else QUOTED)
