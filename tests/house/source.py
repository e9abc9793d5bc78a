"""The project's own files, as the house rules look at them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("settings", "worker", "tasks", "bench")
MADE = {".git", ".venv", "var", "__pycache__", ".env", ".hypothesis"}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported(path: Path) -> set[str]:
    """Top-level names of everything the module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def own_text_files() -> list[Path]:
    """Everything a person wrote; nothing that a tool made."""
    kinds = {".py", ".lua", ".md", ".toml", ".html", ".css", ".sh", ".yml", ".yaml"}
    places = [path for path in ROOT.iterdir() if path.name not in MADE and not path.name.endswith("_cache")]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    return sorted(file for file in files if file.is_file() and (file.suffix in kinds or file.name == "Makefile"))
