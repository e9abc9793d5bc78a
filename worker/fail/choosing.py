"""Fail: from an attempt to what the store shall do: the table's action, filled in with times, scopes and texts.

Promise: everything that depends on the job (attempts left, deadline, what the headers asked for) is weighed here, once;
the result names its reason. Scope: choosing; no store, no network.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from settings import Settings
from worker.accept import envelope
from worker.accept.enqueue import facts_of
from worker.accept.paging import PageLink
from worker.broker.card import Card
from worker.clock import Clock
from worker.deliver.attempt import WIRE_FORMATS, Attempt
from worker.deliver.exchange import Exchange
from worker.deliver.outcome import Outcome
from worker.errors import Refused
from worker.fail.backoff import full_jitter
from worker.fail.explaining import advice_for
from worker.fail.fate import Decision, answered, refund, unanswered
from worker.fail.overriding import table_of
from worker.fail.row import Action, Row
from worker.limiter.told import told_windows
from worker.observe.advice import tally_of
from worker.observe.redact import Redactor

TROUBLE = frozenset({"remote_trouble", "server_trouble", "never_sent", "outcome_unknown"})
"""Classes that speak of the other side, not of this call: many in a row slow the lane down (`parts/trouble.lua`)."""

LONGEST_RESULT_S, RESULT_MARGIN_S = 86_400.0, 5.0
QUICK_ATTEMPTS, QUICK_BASE_S, QUICK_CAP_S = 3, 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """The decision, the script's facts for it, and the words for the record."""

    decision: Decision
    words: str
    why: str
    facts: dict[str, Any] = field(default_factory=dict)
    wait_s: float | None = None
    result: str = ""
    successors: tuple[tuple[dict[str, Any], bytes], ...] = ()


def settle_of(exchange: Exchange, transit_bound_s: float, monotonic_s: float) -> dict[str, Any]:
    """What became of the permit: given back, settled at the first byte of the answer, or kept until the call can no
    longer arrive.
    """
    if not exchange.wrote:
        return refund()
    if exchange.first_byte_at is not None:
        return answered(monotonic_s - exchange.first_byte_at)
    return unanswered(transit_bound_s - (monotonic_s - exchange.ended_at))


class Chooser:
    """Fills in the table's actions for the jobs of one process."""

    def __init__(self, settings: Settings, redactor: Redactor, rng: random.Random, clock: Clock) -> None:
        self._settings = settings
        self._redactor = redactor
        self._rng = rng
        self._clock = clock
        self._accounts = settings.accounts()
        self._table = table_of(settings)

    def choose(self, card: Card, attempt: Attempt) -> Chosen:
        """The fate of the job on `card` after `attempt`."""
        row, action = self._table.decide(
            attempt.outcome,
            attempt.operation,
            no_data=self._settings.fail.no_data,
            longest_window_s=self._longest_window_s(card),
            offline=attempt.own_party_is_offline,
        )
        chosen = getattr(self, f"_{action.kind}")(card, attempt, row, action)
        assert isinstance(chosen, Chosen)
        if chosen.decision != "park" and (tally := tally_of(attempt.operation.api, attempt.outcome.error_class)):
            chosen = _with(chosen, tally=tally)
        if row.error_class in TROUBLE:
            chosen = _with(chosen, trouble=self._trouble(card, attempt.outcome, row))
        told = self._told(card, attempt.exchange)
        return chosen if told is None else _with(chosen, told=told)

    # -- one method per kind of action ----------------------------------------------------------------------------

    def _done(self, card: Card, attempt: Attempt, row: Row, action: Action) -> Chosen:
        outcome = attempt.outcome
        try:
            successors = self._successors(card, attempt)
        except Refused as error:
            why = "the link to the next page is refused"
            return self._bury("undocumented", "bad_page_link", str(error), True, row, why)
        # For its caller, so people and places stay in it; a credential of ours is no answer to anything.
        value = self._redactor.without_secrets(outcome.result)
        result = json.dumps(
            {"class": outcome.error_class, "code": self._code(outcome), "value": value}
            | ({"means": outcome.detail} if outcome.detail else {})
        )
        facts: dict[str, Any] = {"meaning": outcome.error_class}
        words = action.words()
        if wait_s := self._result_within_s(attempt):
            facts["awaits"] = int(wait_s * 1e6)
            words = f"{words} when its result has come"
        if action.alert:
            day = self._clock.utcnow().date().isoformat()
            facts["notices"] = [self._notice(f"{row.when or row.error_class}:{card.account}:{day}", card, outcome, row)]
        return Chosen("finish", words, row.sign, facts, result=result, successors=successors)

    def _retry(self, card: Card, attempt: Attempt, row: Row, action: Action) -> Chosen:
        effort = self._settings.effort(attempt.operation.api)
        wait = full_jitter(card.attempts + 1, effort.backoff_base_s, effort.backoff_cap_s, self._rng)
        return self._again(card, attempt, row, action, wait, effort.attempts)

    def _quick(self, card: Card, attempt: Attempt, row: Row, action: Action) -> Chosen:
        wait = full_jitter(card.attempts + 1, QUICK_BASE_S, QUICK_CAP_S, self._rng)
        return self._again(card, attempt, row, action, wait, min(QUICK_ATTEMPTS, self._settings.fail.attempts))

    def _again(self, card: Card, attempt: Attempt, row: Row, action: Action, wait: float, most: int) -> Chosen:
        outcome = attempt.outcome
        wait = max(wait, outcome.retry_after_s or 0.0)
        left = card.seconds_left(self._clock.monotonic())
        done_with = card.attempts + 1 >= most
        if done_with or wait >= left:
            why = (
                f"attempt {card.attempts + 1} of {most}" if done_with else "its deadline is nearer than another attempt"
            )
            alert = action.last_alert or action.alert
            return self._bury(outcome.error_class, outcome.code, _said(outcome), alert, row, f"{row.sign}; {why}")
        facts = {"wait": int(wait * 1e6), "attempt": 1, "class": outcome.error_class, "code": self._code(outcome)}
        return Chosen("park", action.words(), row.sign, facts, wait)

    def _park(self, card: Card, attempt: Attempt, row: Row, action: Action) -> Chosen:
        effort = self._settings.effort(attempt.operation.api)
        wait = attempt.outcome.retry_after_s
        if wait is None:
            wait = full_jitter(card.attempts + 1, effort.backoff_base_s, effort.backoff_cap_s, self._rng)
        return Chosen("park", action.words(), row.sign, {"wait": int(wait * 1e6), "attempt": 0}, wait)

    def _refund_park(self, card: Card, attempt: Attempt, row: Row, action: Action) -> Chosen:
        return Chosen("park", action.words(), row.sign, {"wait": 0, "attempt": 0}, 0.0)

    def _close(self, card: Card, attempt: Attempt, row: Row, action: Action) -> Chosen:
        limiter = self._settings.limiter
        outcome = attempt.outcome
        close: dict[str, Any] = {
            "jitter": self._rng.random(),
            "base": int(limiter.refusal_backoff_base_s * 1e6),
            "cap": int(limiter.refusal_backoff_cap_s * 1e6),
            "reason": row.sign,
            "facts": self._facts("hold", card, outcome, row, scope=f"budget:{card.group}"),
        }
        if outcome.retry_after_s is not None and outcome.hint == "ok":
            close["after"] = int(outcome.retry_after_s * 1e6)
        if windows := self._used_up(card, attempt.exchange):
            close["windows"] = windows
        facts: dict[str, Any] = {"wait": 0, "attempt": 0, "close": close}
        if action.alert:
            facts["notices"] = [self._notice(f"refusal:{card.group}", card, outcome, row)]
        return Chosen("park", action.words(), row.sign, facts, outcome.retry_after_s)

    def _hold(self, card: Card, attempt: Attempt, row: Row, action: Action) -> Chosen:
        outcome = attempt.outcome
        scope = {"account": f"account:{card.account}", "budget": f"budget:{card.group}"}.get(
            action.scope, f"lane:{card.account}|{card.operation}"
        )
        hold: dict[str, Any] = {"cause": _cause(outcome), "by": "paceline", "reason": row.sign}
        hold["code"] = self._code(outcome)
        if _cause(outcome) != "refusal":
            hold["every"] = int(self._settings.fail.credential_probe_s * 1e6)
        facts = {
            "wait": 0,
            "attempt": 0,
            "refused": True,
            "hold": {"scope": scope, "hold": hold, "facts": self._facts("hold", card, outcome, row, scope=scope)},
        }
        return Chosen("park", action.words(), row.sign, facts)

    def _dead(self, card: Card, attempt: Attempt, row: Row, action: Action) -> Chosen:
        outcome = attempt.outcome
        return self._bury(outcome.error_class, outcome.code, _said(outcome), action.alert, row, row.sign)

    def _unknown(self, card: Card, attempt: Attempt, row: Row, action: Action) -> Chosen:
        outcome = attempt.outcome
        said = _said(outcome)
        if attempt.operation.reconcile:
            said = f"{said}; find out with {attempt.operation.reconcile} what became of it"
        return self._bury("outcome_unknown", outcome.code or outcome.error_class, said, True, row, row.sign)

    def _trouble(self, card: Card, outcome: Outcome, row: Row) -> dict[str, Any]:
        """What the lane needs to know of a failure that is not this call's own."""
        scope = f"lane:{card.account}|{card.operation}"
        return {
            "base": int(self._settings.fail.backoff_base_s * 1e6),
            "jitter": self._rng.random(),
            "facts": self._facts("trouble", card, outcome, row, scope=scope),
        }

    def _result_within_s(self, attempt: Attempt) -> float | None:
        """How long the result of an accepted command may take to come to us; None when it goes to its caller's own
        address, or when there is nothing to wait for. Source: OCPI 2.2.1, CommandResponse, `timeout`.
        """
        ours = self._settings.public_url and not (attempt.body or {}).get("response_url")
        if not attempt.operation.wants_response_url or not ours:
            return None
        said = attempt.outcome.result.get("timeout") if isinstance(attempt.outcome.result, dict) else None
        if isinstance(said, bool) or not isinstance(said, (int, float)) or not 0 < said <= LONGEST_RESULT_S:
            said = self._settings.fail.command_result_s
        return said + RESULT_MARGIN_S

    # -- what they share --------------------------------------------------------------------------------------------

    def _bury(self, error_class: str, code: str, message: str, alert: bool, row: Row, why: str) -> Chosen:
        said = self._redactor.redact_text(message)
        shown = self._redactor.redact_text(code)
        facts = {"why": {"class": error_class, "code": shown, "message": said, "alert": alert}}
        return Chosen("bury", "dead letter" + (" + alert" if alert else ""), why, facts)

    def _successors(self, card: Card, attempt: Attempt) -> tuple[tuple[dict[str, Any], bytes], ...]:
        operation = attempt.operation
        link: PageLink | None = WIRE_FORMATS[operation.api].page_link(attempt.exchange) if operation.paging else None
        params = operation.next_page(attempt.account, attempt.params, link)
        if params is None:
            return ()
        page = envelope.page_of(card.job_id) + 1
        job_id = envelope.page_id(card.chain, page)
        # As long as the first page had: every page of a long list has its own waits.
        seconds = max(1.0, (card.deadline_us - card.created_us) / 1e6)
        told = envelope.callback_of(card.encoded)
        facts = facts_of(operation, card.account, job_id, card.priority, seconds, page, told)
        trace = envelope.trace_of(card.encoded)
        message = envelope.build(job_id, operation.name, card.account, params, attempt.body, page, trace, told)
        return ((facts, message.encode()),)

    def _told(self, card: Card, exchange: Exchange) -> dict[str, dict[str, int]] | None:
        """What the response says about the windows of its budget, by our names for them."""
        return told_windows(self._accounts.get(card.account), card.budget, exchange)

    def _used_up(self, card: Card, exchange: Exchange) -> list[str]:
        """The windows that the response shows as used up; none when it does not say which."""
        return [name for name, said in (self._told(card, exchange) or {}).items() if said.get("remaining") == 0]

    def _longest_window_s(self, card: Card) -> float | None:
        account = self._accounts.get(card.account)
        windows = account.budgets.get(card.budget, ()) if account else ()
        return max((window.length_us / 1e6 for window in windows), default=3600.0)

    def _code(self, outcome: Outcome) -> str:
        """As others wrote it, so it may quote anything."""
        return self._redactor.redact_text(outcome.code)

    def _notice(self, key: str, card: Card, outcome: Outcome, row: Row) -> dict[str, str]:
        return {"key": key, "facts": self._facts("notice", card, outcome, row)}

    def _facts(self, kind: str, card: Card, outcome: Outcome, row: Row, **more: str) -> str:
        facts: Mapping[str, Any] = {
            "kind": kind,
            "api": card.account.partition(":")[0],
            "account": card.account,
            "operation": card.operation,
            "class": outcome.error_class,
            "code": self._code(outcome),
            "job": card.job_id,
            "message": self._redactor.redact_text(_said(outcome)),
            "explanation": row.explanation,
            "advice": advice_for(row, card.operation, unsure=row.unrepeatable.kind == "unknown"),
            **more,
        }
        return json.dumps(facts)


def _with(chosen: Chosen, **facts: Any) -> Chosen:
    chosen.facts.update(facts)
    return chosen


def _said(outcome: Outcome) -> str:
    if outcome.detail and outcome.code == "1000":  # the envelope says "Success", and what is inside does not
        return f"the answer is {outcome.detail}"
    return outcome.message or outcome.detail or outcome.error_class


def _cause(outcome: Outcome) -> str:
    causes = {"credential_refused": "credential", "certificate_trouble": "certificate"}
    return causes.get(outcome.error_class, "refusal")
