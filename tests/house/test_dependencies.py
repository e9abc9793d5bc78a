"""The rules of what is installed: pinned with hashes, explained, and no more than a bare worker needs."""

import json
import re
import subprocess
import sys
import tomllib

from tests.house.source import ROOT, name, python_files

EXTRAS = ("click", "rich", "honcho", "fastapi", "uvicorn", "starlette", "jinja2", "prometheus_client", "opentelemetry")
FOR_PEOPLE = ("worker.cli", "worker.commands", "worker.demo", "worker.accept.intake", "worker.console")
IMPORT_ALL = """
import importlib, json, sys, traceback
extras, modules = json.loads(sys.argv[1])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in extras:
            raise ModuleNotFoundError(f"{name} belongs to an extra", name=name)

sys.meta_path.insert(0, Absent())
failed = {}
for module in modules:
    try:
        importlib.import_module(module)
    except BaseException as error:
        failed[module] = f"{type(error).__name__}: {error}"
print(json.dumps(failed))
"""


def lock() -> list[str]:
    """One entry per requirement: the pin and its hashes."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_every_requirement_is_pinned_with_a_hash() -> None:
    pinned = re.compile(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}")
    assert [entry.split()[0] for entry in lock() if not pinned.match(entry)] == []


def test_the_lock_names_no_index_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|(?m:^-)|@ ", text) == []


def test_every_direct_dependency_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    pinned = {entry.split("==")[0] for entry in lock()}
    assert {re.split(r"[^a-z0-9-]", one)[0] for one in asked} - pinned == set()


def test_every_direct_dependency_says_what_it_is_for() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text[text.index("\ndependencies = [") : text.index("[build-system]")]
    listed = [line for line in section.splitlines() if line.strip().startswith('"')]
    assert len(listed) > 20
    assert [line.strip() for line in listed if not re.search(r'",\s+# \w+', line)] == []


def test_a_bare_worker_imports_without_the_extras(redis_url: str) -> None:
    names = [
        name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in python_files("settings", "worker", "tasks")
    ]
    modules = [one for one in names if not one.startswith(FOR_PEOPLE) and not one.endswith(".__main__")]
    # A store of the tests' own, so that importing the broker starts no server in the checkout.
    environment = {"PATH": "", "PACELINE_ENVIRONMENT": "test", "PACELINE_REDIS_URL": redis_url}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps([EXTRAS, modules])],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {}
