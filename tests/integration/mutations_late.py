"""The rules of what comes late, or to a process that leaves, and which test fails when one is taken out."""

from redis.exceptions import RedisError

from tests.integration import test_rules_broker_late as late
from tests.integration.mutations import without

TURN, TAKING, THREADS = "worker/broker/turn.py", "worker/broker/taking.py", "worker/broker/threads.py"
BROKER, ACKNOWLEDGING = "worker/broker/broker.py", "worker/broker/acknowledging.py"
NOT_SAID = "            logger.warning(\"job %s: its end could not be said"
LOOKED = "                if ready:\n                    self._look_at = "

LATE_RULES = [
    *without(
        "an outage is no answer", ACKNOWLEDGING,
        f"            if is_outage(error):\n                raise\n{NOT_SAID}", NOT_SAID,
        late.test_an_end_that_could_not_be_said_again_is_said_at_the_next_beat,
        late.test_a_process_whose_store_is_away_leaves_without_handing_back,
    ),
    *without(
        "what is refused for good is passed over", ACKNOWLEDGING,
        f"            if is_outage(error):\n                raise\n{NOT_SAID}", f"            raise\n{NOT_SAID}",
        late.test_an_end_that_can_never_be_said_again_keeps_back_no_other,
        dies_of=(AssertionError, RedisError),
    ),
    *without(
        "beside the beat", "worker/broker/errands.py", "under_way.start()", "under_way.run()",
        late.test_an_errand_that_takes_long_is_run_beside_the_beat_and_once_at_a_time,
    ),
    *without(
        "once at a time", "worker/broker/errands.py", "if under_way is None or not under_way.is_alive():", "if True:",
        late.test_an_errand_that_takes_long_is_run_beside_the_beat_and_once_at_a_time,
    ),
    *without(
        "late questions", "take.lua", "  if (A.number or 0) < (record.number or 0) then", "  if false then",
        late.test_a_question_that_was_held_up_until_a_later_one_was_answered_deals_nothing,
    ),
    *without(
        "the number is kept", "take.lua", "number = A.number, ", "",
        late.test_a_question_that_was_held_up_until_a_later_one_was_answered_deals_nothing,
    ),
    *without(
        "ascending", TAKING, "uuid.uuid4().hex, self._number + 1", "uuid.uuid4().hex, self._number",
        late.test_questions_are_numbered_and_one_that_is_asked_again_keeps_its_number,
    ),
    *without(
        "what the broker has", BROKER, "*(message.card for message in self._waiting), ", "",
        late.test_what_was_dealt_while_a_process_left_goes_back_to_its_place_and_counts_nothing,
    ),
    *without(
        "what the threads have", BROKER, "self._waiting), *self.threads.dealt()]", "self._waiting)]",
        late.test_what_was_dealt_while_a_process_left_goes_back_to_its_place_and_counts_nothing,
    ),
    *without(
        "what a lost reply dealt", BROKER, "for card in self._taker.unheard():", "for card in ():",
        late.test_what_a_lost_reply_dealt_to_a_process_that_leaves_goes_back_too,
    ),
    *without(
        "nothing more", TAKING, 'question.facts | {"want": 0}', "question.facts",
        late.test_a_process_that_leaves_takes_nothing_by_asking_what_it_was_dealt,
    ),
    *without(
        "a bell too late", TURN, "        self.pass_on()\n", "",
        late.test_a_bell_heard_for_a_thread_that_has_a_job_by_now_rings_for_others,
    ),
    *without(
        "rung once", THREADS, "bell, self._rung = self._rung, None", "bell = self._rung",
        late.test_a_bell_heard_for_a_thread_that_has_a_job_by_now_rings_for_others,
    ),
    *without(
        "a bell for who leaves", THREADS, "if self.free > 0 and not self.draining:", "if self.free > 0:",
        late.test_a_bell_heard_by_a_process_that_leaves_rings_for_others,
    ),
    *without(
        "answered by a look", THREADS, f"{LOOKED}self._rung = None\n", f"{LOOKED}None\n",
        late.test_a_bell_that_was_answered_by_a_look_rings_for_nobody_else, looks="the consumer",
    ),
    *without(
        "answered by an end", THREADS, "            if lacking:\n                self._look_at = self._rung = None\n",
        "            if lacking:\n                self._look_at = None\n",
        late.test_a_bell_that_was_answered_by_a_look_rings_for_nobody_else, looks="an end",
    ),
    *without(
        "others first", TURN, "        for entry in woken:\n            entry.wake()\n        if deaf:",
        "        if deaf:\n            self._taker.nudge_bell()\n"
        "        for entry in woken:\n            entry.wake()\n        if False:",
        late.test_nobody_waits_until_the_bell_thread_has_been_told,
    ),
    *without(
        "no more than a megabyte", TURN, "if found and size > TOGETHER_BYTES:", "if False:",
        late.test_ends_that_say_much_are_said_in_calls_of_their_own,
    ),
    *without(
        "numbers that are none", "worker/broker/card.py", "    except ValueError:\n", "    except KeyError:\n",
        late.test_a_record_whose_numbers_are_none_is_buried_and_holds_up_nobody, field="attempts",
        dies_of=(AssertionError, ValueError),
    ),
    *without(
        "kept of all that are free", "take.lua", "math.min(A.want - (p > 0 and keep or 0), A.most or A.want)",
        "(math.min(A.want, A.most or A.want) - (p > 0 and keep or 0))",
        late.test_a_process_that_wants_one_job_at_a_time_finds_ordinary_work_beside_a_thread_kept_for_urgent,
    ),
]  # fmt: skip
