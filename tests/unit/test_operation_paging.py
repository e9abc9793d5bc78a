"""Page links: the successor they ask for, and those that are refused because they lead elsewhere or back."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import Account
from worker.accept.fields import Fields, PathId, Text, UtcTime
from worker.accept.operation import Operation
from worker.accept.paging import PageLink
from worker.errors import ForeignOrigin, Refused

BASE = "https://api.example/v1"
US = Account("hub:IN-ABC", "hub", "EMSP", "IN", "ABC", BASE, {}, False)


class Params(Fields):
    fid: PathId
    offset: int | None = None
    limit: int | None = None
    date_from: UtcTime | None = None
    pageSize: int | None = None
    pageToken: Text | None = None
    extension: list[str] | None = None


def listing(paging: Literal["link", "hal"] | None) -> Operation:
    return Operation(
        name="hub.test_list",
        api="hub",
        method="GET",
        path="/fleets/{fid}/cars",
        budget="other",
        priority="bulk",
        repeatable=True,
        why="a test",
        deadline_s=60,
        params=Params,
        paging=paging,
        doc="none",
        example=({}, None),
    )


def following(paging: Literal["link", "hal"], href: str, **params: Any) -> dict[str, Any] | None:
    return listing(paging).next_page(US, {"fid": "f 1", **params}, PageLink(href))


HERE = f"{BASE}/fleets/f%201/cars"


def test_no_link_is_the_end() -> None:
    assert listing("link").next_page(US, {"fid": "f"}, None) is None


def test_an_operation_without_pages_has_no_successor() -> None:
    assert listing(None).next_page(US, {"fid": "f"}, PageLink(HERE + "?offset=5")) is None


def test_a_link_header_sets_the_page_and_may_change_the_filters() -> None:
    link = f"{HERE}?offset=50&limit=25&date_from=2026-01-01T00%3A00%3A00Z"
    assert following("link", link, limit=100) == {
        "fid": "f 1", "offset": 50, "limit": 25, "date_from": "2026-01-01T00:00:00Z",
    }  # fmt: skip


def test_a_filter_that_the_link_forgets_still_holds() -> None:
    given_params = {"date_from": "2026-01-01T00:00:00Z", "offset": 50, "limit": 50}
    assert following("link", f"{HERE}?offset=100", **given_params) == {"fid": "f 1", **given_params, "offset": 100}


def test_a_hal_link_is_the_whole_question() -> None:
    found = following("hal", f"{HERE}?pageToken=b%2Bc", pageSize=60, pageToken="a", extension=["x"])
    assert found == {"fid": "f 1", "pageToken": "b+c"}


def test_a_hal_link_may_be_relative_and_repeat_lists() -> None:
    found = following("hal", "/v1/fleets/f%201/cars?pageToken=b&pageSize=60&extension=x&extension=y")
    assert found == {"fid": "f 1", "pageToken": "b", "pageSize": 60, "extension": ["x", "y"]}


def test_a_credential_in_a_link_is_not_kept() -> None:
    assert following("hal", f"{HERE}?pageToken=b&client_id=secret") == {"fid": "f 1", "pageToken": "b"}


def test_a_default_port_is_no_other_origin() -> None:
    assert following("link", "https://API.example:443/v1/fleets/f%201/cars/?offset=5") == {"fid": "f 1", "offset": 5}


@pytest.mark.parametrize(
    "href",
    [
        "https://evil.example/v1/fleets/f%201/cars?offset=50",
        "http://api.example/v1/fleets/f%201/cars?offset=50",
        "https://api.example:8443/v1/fleets/f%201/cars?offset=50",
        "https://api.example@evil.example/v1/fleets/f%201/cars?offset=50",
        "https://user:password@api.example/v1/fleets/f%201/cars?offset=50",
        "//evil.example/v1/fleets/f%201/cars?offset=50",
        "https://api.example.evil.example/v1/fleets/f%201/cars?offset=50",
        "file:///v1/fleets/f%201/cars?offset=50",
        "https://[broken/v1/fleets/f%201/cars?offset=50",
        "https://api.example:port/v1/fleets/f%201/cars?offset=50",
    ],
)
def test_a_link_to_another_origin_is_refused_without_its_credentials_in_the_words(href: str) -> None:
    for paging in ("link", "hal"):
        with pytest.raises(ForeignOrigin) as caught:
            following(paging, href)
        assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["/v1/fleets/f2/cars", "/v1/fleets/f%201", "/v2/fleets/f%201/cars", "/v1/fleets/f%201/cars/../../x", "cars/x"],
)
def test_a_link_to_another_path_is_refused(path: str) -> None:
    with pytest.raises(ForeignOrigin, match="another path"):
        following("link", path + "?offset=50")


@pytest.mark.parametrize("query", ["?offset=50", "?offset=10", "?limit=10", "", "?offset=more", "?offset="])
def test_a_link_header_that_does_not_lead_forward_is_refused(query: str) -> None:
    with pytest.raises(Refused, match="does not lead forward"):
        following("link", HERE + query, offset=50, limit=10)


@pytest.mark.parametrize("query", ["?pageToken=a", "?pageToken=a&pageSize=10"])
def test_a_hal_link_back_to_the_same_page_is_refused(query: str) -> None:
    with pytest.raises(Refused, match="leads back"):
        following("hal", HERE + query, pageToken="a")


def test_a_hal_link_from_the_first_page_to_itself_is_refused() -> None:
    with pytest.raises(Refused, match="leads back"):
        following("hal", HERE)


def test_a_page_parameter_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(Refused, match=r"params\.limit"):
        following("link", f"{HERE}?offset=50&limit=all")


@given(offset=st.integers(0, 10**6), step=st.integers(1, 10**4))
def test_following_links_only_ever_goes_forward(offset: int, step: int) -> None:
    found = following("link", f"{HERE}?offset={offset + step}", offset=offset)
    assert found is not None
    assert found["offset"] > offset


@given(href=st.text())
def test_whatever_a_link_says_it_is_followed_on_our_path_or_refused(href: str) -> None:
    try:
        found = following("hal", href)
    except Refused:
        return
    assert found is not None
    assert found["fid"] == "f 1"
