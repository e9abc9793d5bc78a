"""The catalogue as a whole: what holds for every row, whatever API it belongs to."""

import importlib

import pytest

import tasks
from settings import load
from worker.accept.operation import Operation, operations

ROWS = tasks.ROWS
BY_NAME = {row.name: row for row in ROWS}


def ids(row: Operation) -> str:
    return row.name


def budgets_of(api: str) -> set[str]:
    party = '[{"country_code": "IN", "party_id": "ABC", "role": "EMSP", "token": "t"}]'
    subscription = '[{"name": "f", "kind": "b2b", "client_id": "c", "username": "u", "password": "p"}]'
    settings = load(
        {
            "PACELINE_ENVIRONMENT": "test",
            "PACELINE_HUB__BASE_URL": "https://hub.example/ocpi/2.2.1",
            "PACELINE_HUB__PARTIES": party,
            "PACELINE_STELLANTIS__B2B_BASE_URL": "https://api.example/connectedcar/v3",
            "PACELINE_STELLANTIS__SUBSCRIPTIONS": subscription,
        }
    )
    return {budget for account in settings.accounts().values() if account.api == api for budget in account.budgets}


def test_every_row_is_registered_once_under_its_name() -> None:
    assert len(BY_NAME) == len(ROWS)
    assert {name: operations[name] for name in BY_NAME} == BY_NAME


def test_loading_the_catalogue_again_registers_nothing_twice() -> None:
    before = dict(operations)
    importlib.import_module("tasks")
    assert operations == before


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_every_name_in_the_path_is_a_required_parameter(row: Operation) -> None:
    for name in row.path_names:
        assert row.params.model_fields[name].is_required()


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_every_row_draws_on_a_budget_its_accounts_have(row: Operation) -> None:
    assert row.budget in budgets_of(row.api)


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_every_row_begins_with_its_api_and_says_why_and_where_from(row: Operation) -> None:
    assert row.name.startswith(f"{row.api}.")
    assert len(row.why) > 10
    assert len(row.doc) > 10


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_every_read_may_be_repeated_and_has_no_body(row: Operation) -> None:
    if row.method == "GET":
        assert row.repeatable
        assert row.body is None


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_every_paged_row_is_looked_into_as_a_page(row: Operation) -> None:
    assert (row.paging is not None) == (row.meaning == "page")


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_whatever_reconciles_a_row_is_in_the_catalogue_and_repeatable(row: Operation) -> None:
    if row.reconcile is not None:
        assert BY_NAME[row.reconcile].repeatable


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_every_row_has_a_schema_and_a_description(row: Operation) -> None:
    schema = row.json_schema()
    assert (schema["body"] is None) == (row.body is None)
    assert row.describe()["name"] == row.name
