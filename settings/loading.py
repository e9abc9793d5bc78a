"""Settings: the one place where the environment is read and the sources are put together.

Promises: explicit variables win over secret files, these over the TOML file, that over defaults; with a mapping given,
nothing of the process's own environment is looked at; every mistake is reported at once.
Scope ends when the object exists.
"""

import os
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from settings.catalogue import Path
from settings.mistakes import SettingsError, sentences
from settings.sources import OWN, Entry, Reading, from_environment, from_secrets, from_toml
from settings.whole import Settings


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read everything once and check it. Raises SettingsError with one sentence for each mistake."""
    given = dict(os.environ if environ is None else environ)
    tree: dict[str, Any] = {}
    origins: dict[Path, str] = {}
    sources = readings(given)
    problems = [problem for reading in sources for problem in reading.problems]
    ranked = [(rank, entry) for rank, reading in enumerate(sources) for entry in reading.entries]
    for entry in in_order(ranked):
        if problem := put(tree, origins, entry):
            problems.append(problem)
    settings, found = build(tree, origins)
    if settings is None or problems:
        raise SettingsError(problems + found)
    return settings


def readings(given: dict[str, str]) -> list[Reading]:
    """The sources, weakest first."""
    config, folder = (next((v for k, v in given.items() if k.upper() == name and v.strip()), "") for name in OWN)
    found = [from_toml(Settings, File(config))] if config else []
    found += [from_secrets(Settings, File(folder))] if folder else []
    return [*found, from_environment(Settings, given)]


def in_order(ranked: list[tuple[int, Entry]]) -> list[Entry]:
    """Whole values first, single fields of list items after them: a token in a file completes a party in a variable.

    Where a stronger source gave the whole list, a field from a weaker one only fills a gap.
    """
    whole = [(rank, entry) for rank, entry in ranked if place_in_list(entry.path) is None]
    lists = {entry.path: (rank, entry.value) for rank, entry in whole}
    single = [(place, rank, entry) for rank, entry in ranked if (place := place_in_list(entry.path)) is not None]
    single = [(place, rank, entry) for place, rank, entry in single if not overruled(place, rank, entry, lists)]
    return [entry for _, entry in whole] + [e for _, _, e in sorted(single, key=lambda found: found[:2])]


def place_in_list(path: Path) -> tuple[tuple[str, ...], int] | None:
    """The list and the index that a path leads into, if it leads into one."""
    at = next((at for at, part in enumerate(path) if isinstance(part, int)), None)
    return None if at is None else (tuple(str(part) for part in path[:at]), int(path[at]))


def overruled(place: tuple[tuple[str, ...], int], rank: int, entry: Entry, lists: dict[Path, tuple[int, Any]]) -> bool:
    path, index = place
    stronger, items = lists.get(path, (-1, None))
    item = items[index] if isinstance(items, list) and index < len(items) else None
    return stronger > rank and isinstance(item, dict) and entry.path[-1] in item


def put(tree: dict[str, Any], origins: dict[Path, str], entry: Entry) -> str:
    """Place one value, over what a weaker source said; answers with the mistake, if it is one."""
    node: Any = tree
    for part, following in zip(entry.path[:-1], entry.path[1:], strict=True):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(part, int):
            if not isinstance(node, list) or part > len(node):
                return f"{entry.label}: expected the items before number {part} to exist too, but they do not."
            node.extend([empty] if part == len(node) else [])
        elif isinstance(node, dict):
            node.setdefault(part, empty)
        else:
            return f"{entry.label}: expected a table around it, but another source put a plain value there."
        node = node[part]
    if not isinstance(node, dict):
        return f"{entry.label}: expected a table around it, but another source put a plain value there."
    node[str(entry.path[-1])] = entry.value
    for path in [p for p in origins if p[: len(entry.path)] == entry.path]:
        del origins[path]
    origins[entry.path] = entry.label
    return ""


def build(tree: dict[str, Any], origins: dict[Path, str]) -> tuple[Settings | None, list[str]]:
    """Validate. The error holds the values, so it becomes sentences here and is never chained to another."""
    try:
        return Settings(**tree), []
    except ValidationError as error:
        return None, sentences(error, Settings, origins)
