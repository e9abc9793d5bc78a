"""The files that the README gives for deploying, read out of it: units of systemd, objects of Kubernetes, and the
Procfile's commands to lay beside them.
"""

import json
import re
import shlex
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml
from jsonschema_rs import Draft202012Validator

from tests.house.source import ROOT

README = ROOT / "README.md"
Unit = dict[str, dict[str, list[str]]]


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def procfile(name: str) -> list[str]:
    """The words of a line of the Procfile, with what it falls back to where a variable is not set."""
    line = re.search(rf"^{name}: (.+)$", (ROOT / "Procfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    return shlex.split(re.sub(r"\$\{\w+:-(\w+)\}", r"\1", line[1]))


# -- systemd ----------------------------------------------------------------------------------------------------------


def units() -> dict[str, str]:
    """Each unit by its file name, which its first line says."""
    found = {}
    for text in fenced("ini"):
        path = re.match(r"# (/etc/systemd/system/\S+)\n", text)
        assert path is not None, "the first line of a unit says where it goes"
        found[Path(path[1]).name] = text
    return found


def parsed(text: str) -> Unit:
    unit: Unit = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in text.splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals and section, f"neither a setting nor a comment: {line!r}"
            unit[section][name].append(value)
    return unit


def environment(unit: Unit) -> dict[str, str]:
    words = [word for line in unit["Service"]["Environment"] for word in shlex.split(line)]
    return dict(word.split("=", 1) for word in words)


def command_of(unit: Unit) -> list[str]:
    """What is started, with the unit's own variables in place."""
    [line] = unit["Service"]["ExecStart"]
    own = environment(unit)
    words = shlex.split(re.sub(r"\$\{(\w+)\}", lambda match: own[match[1]], line))
    return [words[0].removeprefix("/srv/paceline/.venv/bin/"), *words[1:]]


def one(unit: Unit, name: str) -> str:
    [value] = unit["Service"][name]
    return value


# -- Kubernetes -------------------------------------------------------------------------------------------------------


def objects() -> list[dict[str, Any]]:
    return [each for text in fenced("yaml") for each in yaml.safe_load_all(text)]


def problems_of(each: dict[str, Any]) -> list[str]:
    """What the API server's own description of this kind says against it; a name it does not know is one."""
    known = json.loads((Path(__file__).parent / "kubernetes.json").read_text(encoding="utf-8"))
    schema = known["kinds"][each["kind"]] | {"$defs": known["$defs"]}
    return [f"{error.instance_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(each)]


def named(kind: str, name: str) -> dict[str, Any]:
    [found] = [each for each in objects() if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = named("Deployment", name)["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    [only] = pod(name)["containers"]
    found: dict[str, Any] = only
    return found
