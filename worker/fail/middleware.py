"""Fail: the dramatiq middleware that carries out the table. It replaces Retries.

Promise: after every attempt the message holds exactly one fate, chosen by `policy.py` alone; an exception that is no
outcome, a skipped message or a mistake in here ends as a dead letter `internal`, never as done. Scope: choosing and
recording; the broker tells the store.
"""

from __future__ import annotations

import json
import logging
import random
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware

from settings import Settings
from worker.broker.actors import put_in_hand
from worker.broker.card import JobMessage
from worker.clock import SYSTEM, Clock
from worker.deliver.attempt import Attempt
from worker.deliver.outcome import Internal, Success
from worker.errors import Refused
from worker.fail.choosing import Chooser, Chosen, settle_of
from worker.fail.fate import Fate, internal, refund, unanswered
from worker.observe import log
from worker.observe.evidence import evidence
from worker.observe.redact import Redactor

logger = logging.getLogger("paceline.fate")


class FateMiddleware(Middleware):
    """Puts the job in the thread's hand before the actor runs, and decides its fate after."""

    def __init__(self, settings: Settings, redactor: Redactor, rng: random.Random, clock: Clock = SYSTEM) -> None:
        self._settings = settings
        self._redactor = redactor
        self.worker = ""
        self._clock = clock
        self._chooser = Chooser(settings, redactor, rng, clock)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        assert isinstance(message, JobMessage)
        self._redactor.attend(message.kwargs)
        put_in_hand(message)

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        assert isinstance(message, JobMessage)
        put_in_hand(None)
        try:
            message.fate = self._decide(message, exception)
        except Exception as error:
            logger.exception("job %s: deciding its fate failed", message.card.job_id)
            said = self._redactor.redact_text(f"deciding its fate failed: {type(error).__name__}: {error}")
            message.fate = internal(said, self._settle(message), self._what_is_known(message, said))
        self._redactor.attend(None)
        if message.fate.decision == "bury":
            message.fail()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        assert isinstance(message, JobMessage)
        put_in_hand(None)
        self._redactor.attend(None)
        message.fate = internal("another middleware skipped this job", self._settle(message))
        message.fail()

    def _settle(self, message: JobMessage) -> dict[str, Any]:
        if message.attempt is not None:
            return settle_of(message.attempt.exchange, self._settings.limiter.transit_bound_s, self._clock.monotonic())
        return unanswered(self._settings.limiter.transit_bound_s) if message.card.began else refund()

    def _decide(self, message: JobMessage, exception: BaseException | None) -> Fate:
        attempt: Attempt | None = message.attempt
        if attempt is None or not self._is_of(attempt, exception):
            return self._without_attempt(message, exception)
        chosen = self._chooser.choose(message.card, attempt)
        evidence_of_it = self._recorded(message, attempt, chosen)
        return Fate(
            chosen.decision, self._settle(message), chosen.facts, evidence_of_it, chosen.result, chosen.successors
        )

    def _what_is_known(self, message: JobMessage, said: str) -> str:
        """The record of a call whose fate could not be chosen; nothing when not even that can be made."""
        if message.attempt is None:
            return ""
        try:
            return self._recorded(message, message.attempt, Chosen("bury", "dead letter + alert", said))
        except Exception:
            logger.exception("job %s: recording its call failed as well", message.card.job_id)
            return ""

    def _recorded(self, message: JobMessage, attempt: Attempt, chosen: Chosen) -> str:
        record = self._record(message, attempt, chosen)
        text = json.dumps(record, separators=(",", ":"))
        log.attempt(record, text)
        return text

    def _is_of(self, attempt: Attempt, exception: BaseException | None) -> bool:
        """Whether dramatiq's exception is the attempt's own outcome, not one that came on top of it."""
        return exception is attempt.outcome or (exception is None and isinstance(attempt.outcome, Success))

    def _without_attempt(self, message: JobMessage, exception: BaseException | None) -> Fate:
        if isinstance(exception, Refused):
            said = f"the call cannot be made with today's settings: {exception}"
        elif isinstance(exception, Internal):
            said = str(exception)
        else:
            said = f"{type(exception).__name__}: {exception}" if exception else "the actor ended without an attempt"
        said = self._redactor.redact_text(said)
        record = {
            "at": self._clock.utcnow().isoformat(), "job": message.card.job_id,
            "worker": self.worker, "account": message.card.account, "operation": message.card.operation, "why": said,
        }  # fmt: skip
        log.logger().error("internal", **record)
        known = self._what_is_known(message, said) or json.dumps({"event": "internal", **record})
        return internal(said, self._settle(message), known)

    def _record(self, message: JobMessage, attempt: Attempt, chosen: Chosen) -> dict[str, Any]:
        card = message.card
        facts = {
            "job": card.job_id,
            "chain": card.chain,
            "account": card.account,
            "worker": self.worker,
            "attempt": card.attempts + 1,
            "lease": card.lease,
            "queued_ms": round((card.taken_us - card.created_us) / 1000, 1),
            "decision": chosen.words,
            "why": chosen.why,
            "wait_s": None if chosen.wait_s is None else round(chosen.wait_s, 3),
        }
        return evidence(attempt.exchange, attempt.outcome, attempt.operation, facts, self._redactor)
