"""The rules of the bench: what it installs is pinned with hashes, names no index, and stays out of a worker."""

import json
import re
import tomllib

from tests.house.source import ROOT, imported, name, python_files

LOCK = ROOT / "bench" / "requirements.lock"
NODE_LOCK = ROOT / "bench" / "bullmq" / "package-lock.json"


def test_what_paceline_is_measured_beside_is_pinned_with_hashes_and_names_no_index() -> None:
    text = LOCK.read_text(encoding="utf-8")
    entries = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    pinned = re.compile(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}")
    assert [entry.split()[0] for entry in entries if not pinned.match(entry)] == []
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|(?m:^-)|@ ", text) == []
    group = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["bench"]
    assert {re.split(r"[^a-z0-9-]", one)[0] for one in group} - {entry.split("==")[0] for entry in entries} == set()


def test_the_node_packages_are_pinned_with_hashes_and_name_no_registry() -> None:
    packages = json.loads(NODE_LOCK.read_text(encoding="utf-8"))["packages"]
    asked = json.loads(NODE_LOCK.with_name("package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {where: package["version"] for where, package in packages.items() if where[13:] in asked} == {
        f"node_modules/{one}": version for one, version in asked.items()
    }
    assert [where for where, package in packages.items() if where and "integrity" not in package] == []
    assert [where for where, package in packages.items() if "resolved" in package] == []


def test_only_the_bench_imports_the_bench() -> None:
    assert [name(path) for path in python_files("settings", "worker", "tasks") if "bench" in imported(path)] == []
