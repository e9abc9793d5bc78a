"""Fail: what a filter of letters, jobs and lanes may name, so that a misspelt word is never taken for an empty list.

Promise: an account and an operation are known when settings or the catalogue name them, or the store holds something of
them: what died of an operation that is no longer asked for stays findable. A class is one of the error table. Looking
costs the number of lanes at most, and nothing for what settings name. Scope: words; times are `accept/moments.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from difflib import get_close_matches

from worker.accept.job_search import Sought
from worker.accept.operation import operations
from worker.deliver.outcome import BY_NAME
from worker.errors import Refused
from worker.fail.dead_letter import Filter
from worker.fail.policy import ROWS
from worker.store.partition import Partition

CLASSES = tuple(sorted({*BY_NAME, *(row.error_class for row in ROWS)}))
NEAR, FEW = 3, 40


class FilterWords:
    """The words of one installation; `accounts` are those of its settings."""

    def __init__(self, accounts: Collection[str], partition: Partition) -> None:
        self._accounts = accounts
        self._partition = partition

    def check(
        self,
        spelled: Callable[[str], str],
        *,
        account: str | None = None,
        operation: str | None = None,
        error_class: str | None = None,
    ) -> None:
        """Raises `Refused` for the first word that nothing can have; `spelled` says how a filter is written here."""
        if account is not None and not (account in self._accounts or self._died("account", account)):
            known = {*self._accounts, *(lane[0] for lane in self._lanes())}
            if account not in known:
                raise _strange(spelled("account"), "an account of the settings or of the store", account, known)
        if operation is not None and not (operation in operations or self._died("operation", operation)):
            known = {*operations, *(lane[1] for lane in self._lanes())}
            if operation not in known:
                raise _strange(spelled("operation"), "an operation of the catalogue or of the store", operation, known)
        if error_class is not None and not (error_class in CLASSES or self._died("class", error_class)):
            raise _strange(spelled("class"), "a class of the error table", error_class, CLASSES)

    def check_filter(self, wanted: Filter | Sought) -> None:
        """The same for a whole filter, where its words are written by their own names."""
        error_class = wanted.error_class if isinstance(wanted, Filter) else None
        self.check(str, account=wanted.account, operation=wanted.operation, error_class=error_class)

    def _died(self, by: str, name: str) -> bool:
        return bool(self._partition.one("exists", self._partition.key("dead_by", by, name)))

    def _lanes(self) -> list[list[str]]:
        return [member.split("|") for member in self._partition.one("smembers", self._partition.key("lanes"))]


def _strange(where: str, what: str, came: str, known: Collection[str]) -> Refused:
    near = get_close_matches(came, sorted(known), n=NEAR, cutoff=0.6)
    hint = f"; did you mean {' or '.join(repr(one) for one in near)}?" if near else _all(known)
    return Refused(f"expected {where} to be {what}, got {came[:80]!r}{hint}")


def _all(known: Collection[str]) -> str:
    if not known:
        return "; there is none yet."
    more = f" and {len(known) - FEW} more" if len(known) > FEW else ""
    return f"; known are {', '.join(sorted(known)[:FEW])}{more}."
