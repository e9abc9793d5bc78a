"""The rules of the tree: where things are, how long they may be, who may touch what."""

import ast
import re
import sys
from pathlib import Path

from tests.house.source import CODE, MADE, ROOT, functions, imported, name, own_text_files, python_files, tree

ROOT_HOLDS = {
    "pyproject.toml", "worker", "tasks", "settings", "tests", "Procfile", "README.md",
    "Makefile", "requirements.lock", "CHANGELOG.md", "LICENSE", ".gitignore", ".env.example", ".ci", "bench",
}  # fmt: skip
MODULE_LINES, FUNCTION_LINES = 300, 60
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
# `trace` is the layout's own name; nothing in its folder is run by path, so it hides nothing.
LIKE_THE_STANDARD_LIBRARY = {"trace", "__init__", "__main__"}
READS_THE_ENVIRONMENT = ("settings/", "worker/__main__.py", "worker/sandbox/__main__.py")


def is_data_table(path: Path) -> bool:
    return path.match("tasks/*/rows.py") or path.match("worker/fail/policy.py") or path.name == "paceline_calls.py"


def test_the_root_holds_only_what_the_layout_names() -> None:
    made = MADE | {path.name for path in ROOT.glob("support-*.md")}  # by `dlq show --bundle`; git leaves them out
    present = {path.name for path in ROOT.iterdir() if path.name not in made and not path.name.endswith("_cache")}
    assert present - ROOT_HOLDS == set()


def test_the_procfile_starts_dramatiq_and_the_web_process() -> None:
    assert (ROOT / "Procfile").read_text(encoding="utf-8").splitlines() == [
        "worker: dramatiq worker.main:broker tasks --processes 1 --threads ${PACELINE_THREADS:-8}"
        " --worker-shutdown-timeout 28000",
        "web: python -m worker serve --port ${PORT:-8080}",
    ]


def test_every_module_says_what_it_is_for() -> None:
    silent = [name(path) for path in python_files(*CODE, "tests") if not ast.get_docstring(tree(path))]
    assert silent == []


def test_every_folder_of_modules_is_a_package() -> None:
    # Without __init__.py the folder still imports, but the import rules do not see it.
    folders = {path.parent for path in python_files("settings", "worker", "tasks")}
    assert sorted(name(folder) for folder in folders if not (folder / "__init__.py").exists()) == []


def test_no_module_is_longer_than_one_idea() -> None:
    lengths = {
        name(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files(*CODE)
        if not is_data_table(path)
    }
    assert {path: lines for path, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {
        f"{name(path)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in python_files(*CODE)
        for function in functions(path)
    }
    assert {where: lines for where, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = python_files(*CODE, "tests")
    assert [name(path) for path in named if SAYS_NOTHING & {*path.relative_to(ROOT).parts, path.stem}] == []


def test_no_module_is_named_like_one_of_the_standard_library() -> None:
    clashing = sys.stdlib_module_names - LIKE_THE_STANDARD_LIBRARY
    assert [name(path) for path in python_files(*CODE, "tests") if path.stem in clashing] == []


def test_only_settings_reads_the_environment() -> None:
    def reads(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return node.value.id == "os" and node.attr in {"environ", "environb", "getenv"}
        return (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and any(alias.name in {"environ", "environb", "getenv"} for alias in node.names)
        )

    found = [
        f"{name(path)}:{node.lineno}"
        for path in python_files("settings", "worker", "tasks")
        for node in ast.walk(tree(path))
        if reads(node)
    ]
    assert [where for where in found if not where.startswith(READS_THE_ENVIRONMENT)] == []


def test_only_one_module_speaks_http_to_the_outside() -> None:
    speakers = [name(path) for path in python_files("settings", "worker", "tasks") if "httpx" in imported(path)]
    assert set(speakers) <= {"worker/deliver/http_call.py"}


def test_no_unit_test_sleeps() -> None:
    sleeping = [
        name(path) for path in python_files("tests/unit") if re.search(r"\bsleep\(", path.read_text(encoding="utf-8"))
    ]
    assert sleeping == []


def test_every_test_claims_something() -> None:
    def claims(node: ast.AST) -> bool:
        if isinstance(node, ast.Assert):
            return True
        called = node.func if isinstance(node, ast.Call) else None
        word = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        return word in {"raises", "fail"} or word.startswith(("assert_", "check_", "expect_"))

    idle = [
        f"{name(path)}:{test.lineno} {test.name}"
        for path in python_files("tests")
        for test in functions(path)
        if test.name.startswith("test_") and not any(claims(node) for node in ast.walk(test))
    ]
    assert idle == []


def test_every_script_says_what_it_is_given_and_what_it_returns() -> None:
    silent = []
    for path in sorted((ROOT / "worker/store/lua").rglob("*.lua")):
        header = re.match(r"(?:#!.*\n)?((?:\s*--.*\n)+)", path.read_text(encoding="utf-8"))
        text = header[1].lower() if header else ""
        is_part = path.parent.name == "parts"  # shared by several scripts, called by none of ours
        wanted = ("--",) if is_part else ("keys", "argv", "returns")
        if not all(word in text for word in wanted):
            silent.append(name(path))
    assert silent == []


def test_nothing_is_left_to_be_done_in_a_comment() -> None:
    mark = re.compile(r"\b(TO[D]O|FIXM[E]|XX[X])\b")
    left = [
        f"{name(path)}:{number}"
        for path in own_text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if mark.search(line)
    ]
    assert left == []
