"""What the hub asks of a request beyond its fields: routing headers, and agreement between path, body and caller.

Promise: a session or CDR that names another party or another id than the call itself never leaves.
Scope: checks and headers over whole requests; single fields are in the models.
"""

from typing import Any

from settings import Account

Values = dict[str, Any]


def from_party(account: Account) -> dict[str, str]:
    """Who calls. Without the `OCPI-to-` pair the hub finds the receiver itself (OCPI 2.2.1: open routing request)."""
    return {
        "OCPI-from-country-code": account.country_code or "",
        "OCPI-from-party-id": account.party_id or "",
    }


def session_agrees(account: Account, params: Values, body: Values | None) -> str | None:
    """The session in the body is the one in the path, and ours."""
    session = body or {}
    if not _same(session["id"], params["session_id"]):
        return "expected body.id to be params.session_id, got two different ids; correct one of them."
    return owned_by_caller(account, params, body)


def owned_by_caller(account: Account, params: Values, body: Values | None) -> str | None:
    """A CPO reports its own sessions and CDRs only."""
    charge = body or {}
    ours, got = f"{account.country_code}-{account.party_id}", f"{charge['country_code']}-{charge['party_id']}"
    if _same(got, ours):
        return None
    return (
        f"expected body.country_code and body.party_id to name the calling party {ours}, got {got}; "
        f"correct them or choose the account of {got}."
    )


def _same(one: str, other: str) -> bool:
    """OCPI's CiString: compared without case."""
    return one.casefold() == other.casefold()
