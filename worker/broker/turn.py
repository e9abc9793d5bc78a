"""Broker: a process's turns with the store: what its threads have to say, and what its free threads can do next.

Threads that end jobs at the same time share one call, and when nothing but the lack of a free thread kept this process
from asking for more, that call asks for it as well: under load one call serves several jobs from end to beginning.
Promise: each end is carried out and answered on its own, whoever asks for all; nobody waits for others to come, and
nobody asks while another does. Scope: who speaks when; what an answer means is `acknowledging.py`'s and `taking.py`'s.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from worker.broker.taking import Question, Taker
from worker.store.connection import Line, is_outage

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.turn")
STILL_IN_HAND = (b"missing", b"forgotten")
"""Ends that will be said again: the store has to be reminded of the job first."""
TOGETHER = 32
"""Ends in one call: one thread must not work for the others without end, nor the store stand still for them."""


class Entry:
    """What one thread has to say: the end of a job (its decision and what goes with it), or that it looks for jobs."""

    __slots__ = ("_gate", "answer", "blobs", "decision", "facts", "leads")

    def __init__(self, decision: str, facts: Mapping[str, Any], blobs: tuple[str | bytes, ...]) -> None:
        self.decision = decision
        self.facts = facts
        self.blobs = blobs
        self.answer: Any = None
        """What the store answered, or the error."""
        self.leads = False
        self._gate = threading.Lock()
        self._gate.acquire()

    @property
    def lease(self) -> str:
        return str(self.facts["lease"])

    def said_with_others(self, in_hand: set[str]) -> dict[str, Any]:
        """As `turn.lua` wants it."""
        return {**self.facts, "decision": self.decision, "blobs": len(self.blobs), "in_hand": self.lease in in_hand}

    def wait(self) -> None:
        self._gate.acquire()

    def wake(self) -> None:
        self._gate.release()


class Turn:
    """Callable from all threads of a process; one of them at a time speaks for whoever is in line."""

    def __init__(self, broker: PacelineBroker, taker: Taker) -> None:
        self._threads = broker.threads
        self._taker = taker
        self._line = Line(broker.client)
        self._scripts = broker.scripts.over(self._line)
        self._mutex = threading.Lock()
        self._entries: deque[Entry] = deque()
        self._led = False

    def end(self, decision: str, facts: Mapping[str, Any], *blobs: str | bytes) -> Any:
        """What the decision answers. Raises redis-py's errors, for this end alone or for all of one call."""
        return self._said(Entry(decision, facts, blobs))

    def look(self) -> Question | None:
        """Asks for jobs; None when no thread is free by now. What is dealt, `threads` has. Raises redis-py's errors."""
        found: Question | None = self._said(Entry("take", {}, ()))
        return found

    def close(self) -> None:
        self._line.close()

    def _said(self, entry: Entry) -> Any:
        with self._mutex:
            self._entries.append(entry)
            entry.leads, self._led = not self._led, True
        if not entry.leads:
            entry.wait()
        if entry.leads:
            self._lead(entry)
        if isinstance(entry.answer, BaseException):
            raise entry.answer
        return entry.answer

    def _lead(self, first: Entry) -> None:
        """Speaks for whoever is in line, then hands the lead to the next in line, if there is one."""
        with self._mutex:
            entries = [self._entries.popleft() for _ in range(min(TOGETHER, len(self._entries)))]
        try:
            self._speak([e for e in entries if e.decision != "take"], [e for e in entries if e.decision == "take"])
        except BaseException as error:
            unheard = [entry for entry in entries if entry.answer is None]
            for entry in unheard:
                entry.answer = error
            if not unheard:
                logger.exception("jobs were asked for, and what came could not be dealt")
        with self._mutex:
            heir = self._entries[0] if self._entries else None
            self._led = heir is not None
        for entry in entries:
            if entry is not first:
                entry.wake()
        if heir is not None:
            heir.leads = True
            heir.wake()

    def _speak(self, ends: list[Entry], looks: list[Entry]) -> None:
        """One call. The threads of its ends are free at the same moment, before any of them goes on."""
        in_hand = self._threads.in_hand(end.lease for end in ends)
        asks = self._threads.may_take if looks else self._threads.lacking(len(in_hand))
        question: Question | None = None
        try:
            self._line.open()
            if asks:
                question = self._taker.question(self._line.server())
            answers, reply = self._ask(ends, in_hand, question)
        except BaseException as error:
            if asks or looks:
                self._taker.failed(error)
            raise
        for end, answer in zip(ends, answers, strict=True):
            end.answer = answer
        over = [end.lease for end in ends if isinstance(end.answer, bytes) and end.answer not in STILL_IN_HAND]
        if question is not None:
            question.reply = reply
            self._taker.told(question, over, by_look=bool(looks))
        elif self._threads.release(*over):
            self._taker.nudge_bell()
        for look in looks:
            look.answer = reply if isinstance(reply, Exception) else question

    def _ask(self, ends: list[Entry], in_hand: set[str], question: Question | None) -> tuple[list[Any], Any]:
        """One answer per end, and the one to the question."""
        if not ends:
            return [], None if question is None else self._scripts("take", question.facts)
        if question is None and len(ends) == 1:
            [end] = ends
            return [self._scripts(end.decision, end.facts, *end.blobs)], None
        facts: dict[str, Any] = {"ends": [end.said_with_others(in_hand) for end in ends]}
        if question is not None:
            facts["take"] = question.facts
        try:
            answers, taken = self._scripts("turn", facts, *(blob for end in ends for blob in end.blobs))
        except Exception as error:
            if is_outage(error):
                raise
            return self._one_by_one(ends), error
        return answers, taken

    def _one_by_one(self, ends: list[Entry]) -> list[Any]:
        """What one of them cannot say, or the store will not hear, is nothing to the others. An outage is."""
        answers: list[Any] = []
        away: Exception | None = None
        for end in ends:
            try:
                if away is None:
                    self._line.open()
                answers.append(away or self._scripts(end.decision, end.facts, *end.blobs))
            except Exception as error:
                away = error if is_outage(error) else None
                answers.append(error)
        return answers
