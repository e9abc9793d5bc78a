"""The table: one fate for everything, and every documented sign in it."""

import itertools
from typing import Any

import pytest

from tests.unit.exchanges import Op
from worker.deliver import outcome
from worker.deliver.hub import NO_ROUTING
from worker.deliver.outcome import ALL, BY_NAME, Outcome
from worker.fail.policy import ROWS, as_table, decide

HUB_ONLY = {
    "not_found", "generic_error", "malformed", "role_refused", "remote_trouble", "receiver_not_connected",
    "unknown_receiver", "authorization_unknown", "command_rejected", "command_unsupported", "command_failed",
    "command_timeout", "undelivered",
}  # fmt: skip
STELLANTIS_ONLY = {"invalid_request", "access_refused", "no_data", "unknown_id", "consent_needed"}
CALLBACK_ONLY = {"receiver_gone", "receiver_refused"}
FOREIGN = {
    "hub": STELLANTIS_ONLY | CALLBACK_ONLY | {"server_trouble"},
    "stellantis": HUB_ONLY | CALLBACK_ONLY,
    "callback": HUB_ONLY | STELLANTIS_ONLY | {"credential_refused", "wrong_path"},
}
APIS = tuple(FOREIGN)


def kinds(made: Outcome, api: str, **settings: Any) -> tuple[str, str]:
    first, second = (decide(made, Op(api=api, repeatable=repeatable), **settings)[1] for repeatable in (True, False))
    return tuple(f"{a.kind}{'!' if a.alert else '?' if a.last_alert else ''}" for a in (first, second))  # type: ignore[return-value]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.error_class)
def test_every_outcome_an_api_can_have_has_a_row_of_its_own_class(kind: type[Outcome], api: str) -> None:
    foreign = FOREIGN[api]
    for executed, hint, repeatable in itertools.product((True, False, None), ("ok", "none", "nonsense"), (True, False)):
        made = kind("x", executed=executed, hint=hint)  # type: ignore[arg-type]
        row, action = decide(made, Op(api=api, repeatable=repeatable))
        assert row.error_class == ("internal" if kind.error_class in foreign else kind.error_class)
        assert action in (row.repeatable, row.unrepeatable)


def test_only_these_outcomes_end_well() -> None:
    well = {
        (api, kind.error_class)
        for api, kind in itertools.product(APIS, ALL)
        if decide(kind("x"), Op(api=api))[1].kind == "done"
    }
    assert well == {(api, "success") for api in APIS} | {("stellantis", "no_data")}


@pytest.mark.parametrize(
    ("api", "made", "expected"),
    [
        ("hub", outcome.Success(1000), ("done", "done")),
        ("hub", outcome.RateLimited(2004, hint="ok", retry_after_s=3), ("close!", "close!")),
        ("hub", outcome.RateLimited(2004, hint="nonsense"), ("hold!", "hold!")),
        ("hub", outcome.CredentialRefused(2002), ("hold!", "hold!")),
        ("hub", outcome.NotFoundRemote(2003), ("dead", "dead")),
        ("hub", outcome.WrongPath("http_404"), ("dead!", "dead!")),
        ("hub", outcome.GenericError(2000), ("retry", "unknown!")),
        ("hub", outcome.GenericError(2000, executed=False), ("retry", "dead")),
        ("hub", outcome.Malformed(2001), ("dead", "dead")),
        ("hub", outcome.RoleRefused(2000), ("dead!", "dead!")),
        ("hub", outcome.RemoteTrouble(3001), ("retry?", "unknown!")),
        ("hub", outcome.ReceiverNotConnected(4003), ("retry?", "park")),
        ("hub", outcome.UnknownReceiver(4001), ("dead!", "dead!")),
        ("hub", outcome.Undocumented(2999), ("retry?", "unknown!")),
        ("hub", outcome.Success(1000, detail=NO_ROUTING), ("done!", "done!")),
        ("hub", outcome.AuthorizationUnknown(1000), ("quick?", "dead!")),
        ("hub", outcome.CommandRejected(1000), ("dead", "dead")),
        ("hub", outcome.CommandUnsupported(1000), ("dead", "dead")),
        ("hub", outcome.CommandTimeout(), ("unknown!", "unknown!")),
        ("hub", outcome.Undelivered(), ("dead!", "dead!")),
        ("stellantis", outcome.Success("http_200"), ("done", "done")),
        ("stellantis", outcome.InvalidRequest(40001), ("dead", "dead")),
        ("stellantis", outcome.CredentialRefused("http_401"), ("hold!", "hold!")),
        ("stellantis", outcome.AccessRefused(40300), ("dead", "dead")),
        ("stellantis", outcome.NoData(40499), ("done", "done")),
        ("stellantis", outcome.UnknownId(1001), ("dead", "dead")),
        ("stellantis", outcome.WrongPath("http_404"), ("dead!", "dead!")),
        ("stellantis", outcome.RateLimited("http_429"), ("close!", "close!")),
        ("stellantis", outcome.ServerTrouble(50001), ("retry?", "unknown!")),
        ("stellantis", outcome.ServerTrouble("http_503", executed=False), ("retry?", "park")),
        ("stellantis", outcome.ConsentNeeded(50000), ("dead!", "dead!")),
        ("stellantis", outcome.Undocumented("http_418", executed=False), ("dead!", "dead!")),
        ("stellantis", outcome.Undocumented("http_501"), ("dead!", "unknown!")),
        ("callback", outcome.Success("http_204"), ("done", "done")),
        ("callback", outcome.ReceiverGone("http_410"), ("dead!", "dead!")),
        ("callback", outcome.RateLimited("http_429", hint="ok", retry_after_s=3), ("close", "close")),
        ("callback", outcome.RateLimited("http_429", hint="nonsense"), ("hold!", "hold!")),
        ("callback", outcome.ReceiverRefused("http_401"), ("dead!", "dead!")),
        ("callback", outcome.ServerTrouble("http_500"), ("retry?", "unknown!")),
        ("callback", outcome.ServerTrouble("http_503", executed=False), ("park", "park")),
        ("callback", outcome.Redirected("302"), ("dead!", "dead!")),
        ("callback", outcome.ForbiddenAddress(), ("dead!", "dead!")),
        ("callback", outcome.Undocumented("http_600"), ("dead!", "unknown!")),
        ("callback", outcome.OutcomeUnknown("read_timeout"), ("retry?", "unknown!")),
        ("callback", outcome.CertificateTrouble(), ("hold!", "hold!")),
        ("hub", outcome.NeverSent("refused"), ("retry?", "retry?")),
        ("hub", outcome.TooLate(), ("refund_park", "refund_park")),
        ("hub", outcome.Fenced(), ("refund_park", "refund_park")),
        ("hub", outcome.CertificateTrouble(), ("hold!", "hold!")),
        ("hub", outcome.OutcomeUnknown("reset"), ("retry?", "unknown!")),
        ("hub", outcome.Redirected(301), ("dead!", "dead!")),
        ("hub", outcome.Crashed(), ("dead!", "unknown!")),
        ("hub", outcome.Crashed(executed=False), ("dead!", "dead!")),
        ("hub", outcome.Internal(), ("dead!", "dead!")),
        ("hub", outcome.Expired(), ("expired", "expired")),
    ],
    ids=repr,
)
def test_an_outcome_has_its_fate(api: str, made: Outcome, expected: tuple[str, str]) -> None:
    assert kinds(made, api) == expected


def test_the_wire_means_the_same_for_all_apis() -> None:
    shared = ("never_sent", "too_late", "fenced", "certificate_trouble", "outcome_unknown", "redirected", "expired")
    for name in shared:
        assert len({kinds(BY_NAME[name]("x"), api) for api in APIS}) == 1


def test_missing_data_can_be_made_an_error() -> None:
    assert kinds(outcome.NoData(40499), "stellantis", no_data="dead") == ("dead", "dead")


def test_a_wait_beyond_the_window_and_a_tenth_holds_the_budget() -> None:
    made = outcome.RateLimited(2004, retry_after_s=67, hint="ok")
    assert kinds(made, "hub", longest_window_s=61) == ("close!", "close!")
    assert kinds(made, "hub", longest_window_s=60) == ("hold!", "hold!")
    assert decide(made, Op(), longest_window_s=60)[1].scope == "budget"


def test_an_unrepeatable_call_is_never_sent_again_when_it_may_have_been_carried_out() -> None:
    for api, kind in itertools.product(("hub", "stellantis"), ALL):  # no callback is such a call
        _, action = decide(kind("x", executed=None), Op(api=api, repeatable=False))
        refused = {"rate_limited", "credential_refused", "certificate_trouble", "receiver_not_connected"}
        if kind.error_class not in refused | {"never_sent", "too_late", "fenced"}:
            assert action.kind in ("done", "dead", "unknown", "expired"), kind


@pytest.mark.parametrize(
    ("api", "parts"),
    [
        ("hub", ["1000"]), ("hub", ["429", "2004"]), ("hub", ["2002", "401"]), ("hub", ["2003", "404 with envelope"]),
        ("hub", ["404 without envelope", "404 with 2004"]), ("hub", ["2000"]), ("hub", ["2001"]),
        ("hub", ["role or party message"]), ("hub", ["3xxx", "4002", "5xx"]), ("hub", ["4003", "503 with Retry-After"]),
        ("hub", ["4001"]), ("hub", ["another code", "wrong envelope"]), ("hub", ["no locations"]),
        ("hub", ["authorization UNKNOWN"]), ("hub", ["BLOCKED", "NOT_ALLOWED", "EXPIRED", "NO_CREDIT"]),
        ("hub", ["REJECTED"]), ("hub", ["NOT_SUPPORTED", "UNKNOWN_SESSION"]), ("hub", ["no command result"]),
        ("hub", ["own party OFFLINE"]), ("hub", ["a push that never came"]), ("hub", ["at enqueue", "cdr_token"]),
        ("stellantis", ["2xx of the right shape"]), ("stellantis", ["400"]), ("stellantis", ["401", "invalid_grant"]),
        ("stellantis", ["403"]), ("stellantis", ["404xx", "data read"]), ("stellantis", ["other 404"]),
        ("stellantis", ["404 without a code"]), ("stellantis", ["429"]), ("stellantis", ["500, 502, 503, 504"]),
        ("stellantis", ["503 with Retry-After"]), ("stellantis", ["50000"]), ("stellantis", ["anything else"]),
        ("both", ["refused", "DNS", "TLS handshake", "pool time-out"]), ("both", ["send_by"]),
        ("both", ["certificate"]),
        ("both", ["time-out", "reset", "close", "truncated", "oversized", "wrong type"]), ("both", ["redirect"]),
        ("both", ["crashed"]), ("both", ["deadline"]), ("both", ["many dead letters"]),
        ("both", ["no decision", "script"]),
    ],
)  # fmt: skip
def test_every_documented_sign_stands_in_the_table(api: str, parts: list[str]) -> None:
    assert any(row.api == api and all(part in row.sign for part in parts) for row in ROWS)


def test_a_row_explains_itself_and_an_alert_says_what_to_do() -> None:
    for row in ROWS:
        assert row.explanation.endswith(".") and row.link, row.sign
        for action in (row.repeatable, row.unrepeatable):
            assert row.alert or not (action.alert or action.last_alert), row.sign
    assert len({(row.api, row.sign) for row in ROWS}) == len(ROWS)


def test_the_table_prints_one_line_of_words_for_each_row() -> None:
    table = as_table()
    assert len(table) == len(ROWS)
    first = next(row for row in table if row["class"] == "credential_refused")
    assert first["repeatable"] == "hold the account, park + alert"
    assert {"api", "sign", "class", "repeatable", "unrepeatable"} <= first.keys()


def test_classes_of_the_table_are_outcomes_or_decided_elsewhere() -> None:
    assert {row.error_class for row in ROWS} - BY_NAME.keys() == {"refused", "brake"}
