"""Limiter: what an answer's rate headers say about the windows of the budget that it drew on.

Promise: numbers by our own names of the windows; an answer of an API without rate headers says nothing. Scope: one
exchange; what is learnt from it is `parts/budget.lua`'s and, of others who use the same account, `parts/others.lua`'s.
"""

from __future__ import annotations

from settings import Account
from worker.deliver.exchange import Exchange
from worker.deliver.wire import rate_headers


def told_windows(account: Account | None, budget: str, exchange: Exchange) -> dict[str, dict[str, int]] | None:
    """Limit and remaining of each window that is named, by its suffix, or without one by its limit."""
    if account is None or not account.headers or exchange.response is None:
        return None
    windows = {window.header_suffix: window for window in account.budgets.get(budget, ()) if window.header_suffix}
    told: dict[str, dict[str, int]] = {}
    for suffix, (limit, remaining) in rate_headers(exchange).windows.items():
        window = windows.get(suffix) or next((w for w in windows.values() if not suffix and w.limit == limit), None)
        if window is not None and (limit is not None or remaining is not None):
            told[window.name] = {k: v for k, v in (("limit", limit), ("remaining", remaining)) if v is not None}
    return told or None
