"""Commands that need no store: help, the catalogue, the table of fates, and words nobody understands."""

import pytest

from tests.integration.terminal import Terminal
from worker.cli import cli

GROUPS = ("jobs", "lanes", "dlq")
HANDED_OVER = {("demo",), ("sandbox",)}
"""They have a help of their own."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal without any settings."""
    return Terminal({"PACELINE_ENVIRONMENT": "test"}, monkeypatch, capsys)


def every_command() -> list[tuple[str, ...]]:
    """The words of each command there is, groups included."""
    found: list[tuple[str, ...]] = [()]
    for name, command in cli.commands.items():
        found += [(name,), *((name, one) for one in getattr(command, "commands", {}))]
    return found


@pytest.mark.parametrize("words", sorted(set(every_command()) - HANDED_OVER), ids=" ".join)
def test_every_command_explains_itself(run: Terminal, words: tuple[str, ...]) -> None:
    said = run(*words, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: {' '.join(['python -m worker', *words])} ")
    assert [line for line in said.lines[1:] if line.endswith("...")] == [], "a summary is cut off"


def test_the_documented_commands_exist() -> None:
    known = {" ".join(words) for words in every_command()}
    documented = {
        "demo", "sandbox", "doctor", "operations", "policy", "enqueue", "workers", "tail",
        "jobs show", "jobs wait", "jobs cancel", "jobs list", "lanes list", "lanes hold", "lanes release",
        "dlq problems", "dlq list", "dlq show", "dlq redrive", "dlq discard", "dlq restore", "dlq export",
    }  # fmt: skip
    assert documented - known == set()


def test_every_command_that_reads_has_json() -> None:
    reads = ("doctor", "operations", "policy", "workers", "tail", "jobs show", "jobs wait", "jobs list", "lanes list",
             "dlq problems", "dlq list", "dlq show")  # fmt: skip
    for words in reads:
        command = cli
        for word in words.split():
            command = command.commands[word]  # type: ignore[assignment]
        assert "--json" in [option for param in command.params for option in param.opts], words


@pytest.mark.parametrize("words", [(), *((group,) for group in GROUPS)])
def test_a_command_without_its_words_shows_help_and_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    from worker.cli import run

    assert run(words) == 2
    assert "Usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("operation",), "did you mean 'operations'?"),
        (("dlq", "redrve"), "did you mean 'redrive'?"),
        (("policy", "--jason"), "No such option"),
        (("policy", "--api", "ocpi"), "'ocpi' is not one of 'hub', 'stellantis', 'callback', 'both'"),
        (("jobs", "show"), "Missing argument 'ID'"),
    ],
)
def test_mistyped_words_are_answered_in_one_line(run: Terminal, words: tuple[str, ...], expected: str) -> None:
    said = run(*words)
    assert said.code == 2
    assert len(said.complaints) == 1
    assert expected in said.err
    assert said.err.endswith(" --help` shows how.")


def test_operations_lists_every_row_with_what_it_costs(run: Terminal) -> None:
    said = run("operations")
    assert said.code == 0
    assert said.lines[0].split()[:3] == ["operation", "budget", "priority"]
    assert {line.split()[0] for line in said.lines[1:]} >= {"hub.start_session", "stellantis.b2b.get_vehicle_status"}


def test_operations_as_json_has_a_line_for_each(run: Terminal) -> None:
    records = run("operations", "--json").records
    found = {record["name"]: record for record in records}
    assert found["hub.start_session"]["repeatable"] is False
    assert found["hub.list_locations"]["budget"] == "locations"


def test_one_operation_is_shown_with_its_fields_and_an_example_to_copy(run: Terminal) -> None:
    said = run("operations", "stellantis.b2b.send_remote")
    assert said.code == 0
    assert "reconciled by  stellantis.b2b.list_remotes" in said.lines
    assert any(line.split()[:2] == ["vid", "required"] for line in said.lines)
    assert said.lines[-1].startswith("example: python -m worker enqueue stellantis.b2b.send_remote --account ")
    schema = run("operations", "stellantis.b2b.send_remote", "--json").record["schema"]
    assert set(schema["params"]["required"]) == {"fid", "vid", "cbid"}


def test_an_operation_that_does_not_exist_is_not_found(run: Terminal) -> None:
    said = run("operations", "hub.start_sesion")
    assert said.code == 4
    assert "did you mean 'hub.start_session'?" in said.err


def test_the_policy_is_the_table_of_fates(run: Terminal) -> None:
    said = run("policy")
    assert said.lines[0].split() == ["api", "sign", "class", "repeatable", "unrepeatable"]
    records = run("policy", "--json").records
    assert len(records) == len(said.lines) - 1
    assert {"api", "sign", "class", "repeatable", "unrepeatable"} <= records[0].keys()
    assert {record["api"] for record in run("policy", "--json", "--api", "both").records} == {"both"}


def test_wrong_settings_are_a_sentence_each(run: Terminal) -> None:
    run.set(PACELINE_THREADS="many", PACELINE_FAIL__ATTEMPTS="0", PACELINE_NOPE="1")
    said = run("jobs", "list")
    assert said.code == 2
    assert len(said.complaints) == 3
    assert "paceline: PACELINE_THREADS: expected a whole number from 1 to 512, got 'many'." in said.complaints


def test_a_module_that_does_not_exist_is_named(run: Terminal) -> None:
    run.set(PACELINE_MODULES='["nonesuch"]')
    said = run("operations")
    assert said.code == 2
    assert "'nonesuch' (PACELINE_MODULES)" in said.err
