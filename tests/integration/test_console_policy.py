"""The console's error table over a real socket: every row that decides, and what settings changed of it."""

import json
from collections.abc import Iterator
from html import escape

import pytest

from tests.integration.console_seat import Page, Seat
from worker.fail.overriding import table_of
from worker.store.embedded import EmbeddedServer

CHANGE = {"hub:not_found": {"repeatable": "retry"}}


@pytest.fixture(scope="module")
def seat(store_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    with Seat(store_server.url, tmp_path_factory.mktemp("policy"), FAIL__POLICY=json.dumps(CHANGE)) as made:
        yield made


def test_the_error_table_in_force_is_a_page_with_its_changed_row_marked(seat: Seat) -> None:
    rows = table_of(seat.parts.settings).as_rows()
    answer = seat.get("/policy")
    assert answer.status == 200
    shown = answer.text.split("<tr")[2:]
    assert len(shown) == len(rows)
    for row, text in zip(rows, shown, strict=True):
        read = text.replace("&#39;", "'").replace("&#34;", '"')
        words = (row["class"].replace("_", " "), row["api"], row["sign"], row["repeatable"], row["unrepeatable"])
        for word in (*words, row["explanation"], row["alert"] or ""):
            assert escape(word, quote=False) in read, (row["class"], word)
        assert ('class="changed"' in text) == bool(row["changed"])
    [changed] = [row for row in rows if row["changed"]]
    assert f"instead of {changed['changed']['repeatable']}" in answer.text
    assert "1 changed by settings" in answer.text


def test_every_page_leads_to_the_error_table_and_each_cell_is_named_on_a_phone(seat: Seat) -> None:
    links = [given for tag, given in Page(seat.get("/lanes").text).elements if tag == "a"]
    assert "/policy" in [given.get("href") for given in links]
    cells = [given for tag, given in Page(seat.get("/policy").text).elements if tag == "td"]
    assert cells and all(given.get("data-label") for given in cells)


def test_the_error_table_is_for_those_who_may_look(seat: Seat) -> None:
    assert seat.get("/policy", host="elsewhere.example").status == 403
