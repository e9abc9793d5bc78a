"""Broker: a process's turns with the store: what its threads have to say, and what its free threads can do next.

Threads that end jobs at the same time share one call, and when nothing but the lack of a free thread kept this process
from asking for more, that call asks for it as well: under load one call serves several jobs from end to beginning.
While threads hear what a call brought them, the store decides the next one for those who have come meanwhile.
Promise: each end is carried out and answered on its own, whoever asks for all; nobody waits for others to come, and
nobody asks while another does. An exception raised in a thread from outside (dramatiq's TimeLimit does that, and is not
used here) would leave those in line behind it. Scope: who speaks when; what an answer means is `acknowledging.py`'s and
`taking.py`'s.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from worker.broker.taking import Question, Taker
from worker.store.connection import is_outage
from worker.store.line import Line

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.turn")
STILL_IN_HAND = (b"missing", b"forgotten")
"""Ends that will be said again: the store has to be reminded of the job first."""
TOGETHER = 32
"""Ends in one call: one thread must not work for the others without end, nor the store stand still for them."""
TOGETHER_BYTES = 1_000_000
"""What ends say in one call, unless one alone says more: an answer of megabytes must not make others wait for longer
than they wait for the store, and be said again with it.
"""
AHEAD = 2
"""So many in line are said before others hear their answers; one alone may be joined by others meanwhile."""
Answers = tuple[list[Any], Any]
"""One per end of a call, and the one to its question for jobs."""


class Entry:
    """What one thread has to say: the end of a job (its decision and what goes with it), or that it looks for jobs."""

    __slots__ = ("_gate", "answer", "blobs", "call", "decision", "facts", "leads")

    def __init__(self, decision: str, facts: Mapping[str, Any], blobs: tuple[str | bytes, ...]) -> None:
        self.decision = decision
        self.facts = facts
        self.blobs = blobs
        self.answer: Any = None
        """What the store answered, or the error."""
        self.leads = False
        self.call: Call | None = None
        """Where it leads: a call that was put for it already."""
        self._gate = threading.Lock()
        self._gate.acquire()

    @property
    def size(self) -> int:
        return sum(map(len, self.blobs))

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


class Call:
    """One call to the store: whose it is, whether it asks for jobs, and what reads its answers."""

    __slots__ = ("asks", "ends", "entries", "looks", "question", "read")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.ends = [entry for entry in entries if entry.decision != "take"]
        self.looks = [entry for entry in entries if entry.decision == "take"]
        self.asks = False
        self.question: Question | None = None
        self.read: Callable[[], Answers]
        """Waits for the answers; raises what kept the call from being made."""


class Turn:
    """Callable from all threads of a process; one of them at a time speaks for whoever is in line."""

    def __init__(self, broker: PacelineBroker, taker: Taker) -> None:
        self._threads = broker.threads
        self._taker = taker
        self._line = Line(broker.client)
        self._scripts = broker.scripts.on_line(self._line)
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

    def pass_on(self) -> None:
        """A bell that no thread of this process can answer any more rings for others."""
        self._taker.pass_on()

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
        """Speaks for whoever is in line, and hands the lead to the next in line, if there is one."""
        call, first.call = first.call or self._put(self._in_line()), None
        deaf = False
        try:
            deaf = self._hear(call)
        except BaseException as error:
            unheard = [entry for entry in call.entries if entry.answer is None]
            for entry in unheard:
                entry.answer = error
            if not unheard:
                logger.exception("jobs were asked for, and what came could not be dealt")
        woken = [entry for entry in call.entries if entry is not first]
        heir = self._heir()
        if heir is not None:
            woken.insert(0 if heir.call else len(woken), heir)
        for entry in woken:
            entry.wake()
        if deaf:  # asked over another connection, for which nobody is to wait
            self._taker.nudge_bell()
        self.pass_on()

    def _heir(self) -> Entry | None:
        """Who leads from now on; where several are in line, with a call that the store begins to decide at once."""
        with self._mutex:
            heir = self._entries[0] if self._entries else None
            self._led = heir is not None
        if heir is not None:
            heir.leads = True
            if len(self._entries) >= AHEAD:
                heir.call = self._put(self._in_line())
        return heir

    def _in_line(self) -> list[Entry]:
        found: list[Entry] = []
        size = 0
        with self._mutex:
            while self._entries and len(found) < TOGETHER:
                size += self._entries[0].size
                if found and size > TOGETHER_BYTES:
                    break
                found.append(self._entries.popleft())
        return found

    def _put(self, entries: list[Entry]) -> Call:
        """A call that the store may be deciding already."""
        call = Call(entries)
        try:
            in_hand = self._threads.in_hand(end.lease for end in call.ends)
            call.asks = self._threads.may_take if call.looks else self._threads.lacking(len(in_hand))
            self._line.open()
            if call.asks:
                call.question = self._taker.question(self._line.server())
            call.read = self._asked(call.ends, in_hand, call.question)
        except BaseException as error:
            call.read = _raising(error)
        return call

    def _hear(self, call: Call) -> bool:
        """Its answers. The threads of its ends are free at the same moment, before any of them goes on. True when the
        bell thread is to listen anew.
        """
        question, looks = call.question, call.looks
        try:
            answers, reply = call.read()
        except BaseException as error:
            if call.asks or looks:
                self._taker.failed(error)
            raise
        for end, answer in zip(call.ends, answers, strict=True):
            end.answer = answer
        over = [end.lease for end in call.ends if isinstance(end.answer, bytes) and end.answer not in STILL_IN_HAND]
        if question is not None:
            question.reply = reply
            deaf = self._taker.told(question, over, by_look=bool(looks))
        else:
            deaf = self._threads.release(*over)
        for look in looks:
            look.answer = reply if isinstance(reply, Exception) else question
        return deaf

    def _asked(self, ends: list[Entry], in_hand: set[str], question: Question | None) -> Callable[[], Answers]:
        """Puts what there is to say; what is returned reads the answers."""
        if not ends:
            taken = (lambda: None) if question is None else self._scripts.put("take", question.facts)
            return lambda: ([], taken())
        if question is None and len(ends) == 1:
            [end] = ends
            answer = self._scripts.put(end.decision, end.facts, *end.blobs)
            return lambda: ([answer()], None)
        facts: dict[str, Any] = {"ends": [end.said_with_others(in_hand) for end in ends]}
        if question is not None:
            facts["take"] = question.facts
        try:
            both = self._scripts.put("turn", facts, *(blob for end in ends for blob in end.blobs))
        except Exception as error:
            both = _raising(error)
        return lambda: self._answers(both, ends)

    def _answers(self, both: Callable[[], Any], ends: list[Entry]) -> Answers:
        try:
            answers, taken = both()
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


def _raising(error: BaseException) -> Callable[[], Any]:
    def read() -> Any:
        raise error

    return read
