"""What a newcomer copies works as it stands."""

import re
import subprocess
from pathlib import Path

from settings import Settings, load
from settings.catalogue import names_of
from settings.mistakes import variable
from tests.house.source import ROOT

SOURCES = {"PACELINE_CONFIG", "PACELINE_SECRETS_DIR"}
FILES_OF_YOUR_OWN = {*SOURCES, "PACELINE_CALLBACKS__CA_BUNDLE"}
ACCOUNTS = {"hub:IN-ABC", "stellantis:fleet-1"}
RECEIVERS = {"callback:hooks.example.com"}


def example() -> str:
    return (ROOT / ".env.example").read_text(encoding="utf-8")


def names() -> set[str]:
    return set(re.findall(r"^#?(PACELINE_\w+)=", example(), re.MULTILINE))


def test_every_line_of_the_example_environment_is_understood_as_a_shell_reads_it(tmp_path: Path) -> None:
    """By `set -a; . ./.env`, with every line in use: what is not quoted as a shell wants it does not arrive whole."""
    copy = tmp_path / ".env"
    copy.write_text(re.sub(r"^#(PACELINE_)", r"\1", example(), flags=re.MULTILINE), encoding="utf-8")
    done = subprocess.run(
        ["/bin/sh", "-c", "set -a; . ./.env; set +a; env -0"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    read = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry.startswith("PACELINE_"))
    assert done.stderr == ""
    assert read.keys() == names()
    settings = load({key: value for key, value in read.items() if key not in FILES_OF_YOUR_OWN})
    assert set(settings.accounts()) == ACCOUNTS | RECEIVERS


def test_the_readmes_settings_file_names_accounts_that_can_be_used(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    text, count = re.subn(r'"/run/secrets/paceline/([\w-]+)"', f'"{tmp_path}/\\1"', blocks[0])
    for name in re.findall(rf'"{tmp_path}/([\w-]+)"', text):
        (tmp_path / name).write_text("a-secret")
    file = tmp_path / "paceline.toml"
    file.write_text(text, encoding="utf-8")
    assert count == 2
    assert set(load({"PACELINE_CONFIG": str(file)}).accounts()) == ACCOUNTS


def test_the_example_environment_names_every_setting_and_no_other() -> None:
    """An entry in a list or a table has no line of its own: it is part of an example."""
    known = {variable(name.path) for name in names_of(Settings) if name.kind != "section"}
    assert names() == known | SOURCES
