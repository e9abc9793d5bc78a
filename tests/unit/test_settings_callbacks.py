"""Settings of callbacks: exact hosts, a secret, and one sentence for each mistake."""

import pytest

from settings import Settings, SettingsError, load

KEY = "whsec_Y2FsbGJhY2tzIGFyZSBzaWduZWQgd2l0aCBpdA=="


def loaded(**own: str) -> Settings:
    return load({"PACELINE_ENVIRONMENT": "test"} | {f"PACELINE_CALLBACKS__{name}": text for name, text in own.items()})


def problems(**own: str) -> list[str]:
    with pytest.raises(SettingsError) as error:
        loaded(**own)
    return error.value.problems


def test_a_host_is_written_in_one_way_only() -> None:
    hosts = loaded(HOSTS='["A.Example:443", "127.0.0.1:80", "[0::1]:81", "b.example:444"]', SECRET=KEY).callbacks.hosts
    assert hosts == ("a.example", "127.0.0.1", "[::1]:81", "b.example:444")


def test_each_host_is_an_account_with_a_budget_that_is_open_until_somebody_sets_a_limit() -> None:
    limits = '{"b.example:444": {"limit": 5, "window_s": 2}}'
    accounts = loaded(HOSTS='["a.example", "b.example:444"]', SECRET=KEY, LIMITS=limits).accounts()
    assert set(accounts) == {"callback:a.example", "callback:b.example:444"}
    assert accounts["callback:a.example"].budgets == {"other": ()}
    (window,) = accounts["callback:b.example:444"].budgets["other"]
    assert (window.limit, window.length_us) == (5, 2_000_000)


@pytest.mark.parametrize(
    "host",
    ["*", "*.example.com", "https://a.example", "a.example/path", "user@a.example", "a.example.", "a..example", "::1",
     "-a.example", "2130706433", "0x7f.1", "127.1", "a.example:0", "a.example:65536", "a b", "", "hööks.example"],
)  # fmt: skip
def test_what_is_no_exact_host_is_refused(host: str) -> None:
    (said,) = problems(HOSTS=f'["{host}"]', SECRET=KEY)
    assert said.startswith("PACELINE_CALLBACKS__HOSTS[0]: expected a list of exact hosts")


def test_hosts_need_a_secret_and_a_next_secret_needs_a_first_one() -> None:
    wanted = "PACELINE_CALLBACKS__SECRET: expected a value, since PACELINE_CALLBACKS__{} has one, got nothing."
    assert problems(HOSTS='["a.example"]') == [wanted.format("HOSTS")]
    assert problems(NEXT_SECRET=KEY) == [wanted.format("NEXT_SECRET")]


def test_a_secret_that_cannot_sign_is_refused_without_being_shown() -> None:
    (said,) = problems(HOSTS='["a.example"]', SECRET="whsec_not-base-64")
    assert "whsec_ and the Base64 of 24 to 64 bytes" in said
    assert "not-base-64" not in said
    assert KEY not in repr(loaded(HOSTS='["a.example"]', SECRET=KEY)) + str(loaded(SECRET=KEY).describe())


def test_a_limit_or_leave_for_a_host_that_is_not_named_is_a_mistake() -> None:
    limits = '{"b.example": {"limit": 5, "window_s": 2}}'
    found = problems(HOSTS='["a.example"]', SECRET=KEY, LIMITS=limits, PRIVATE_HOSTS='["c.example"]')
    assert found == [
        "PACELINE_CALLBACKS__PRIVATE_HOSTS: expected hosts of PACELINE_CALLBACKS__HOSTS, got 'c.example'.",
        "PACELINE_CALLBACKS__LIMITS: expected hosts of PACELINE_CALLBACKS__HOSTS, got 'b.example'.",
    ]


def test_waits_must_fit_together() -> None:
    (said,) = problems(BACKOFF_BASE_S="10", BACKOFF_CAP_S="5")
    assert said.startswith("PACELINE_CALLBACKS__BACKOFF_CAP_S: expected at least")
