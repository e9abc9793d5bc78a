"""The rules of what a process remembers for its store, and which test fails when one is taken out of the source."""

from tests.integration import test_rules_broker_memory as memory
from tests.integration.mutations import without

RECALLING = "worker/broker/recalling.py"

MEMORY_RULES = [
    *without(
        "ends are noted", "worker/broker/broker.py", "        self.recall.note(message)\n", "        pass\n",
        memory.test_the_end_of_an_unrepeatable_call_is_said_again_to_a_store_that_forgot_it,
        fate=memory.DONE, state="done",
    ),
    *without(
        "ends are said again", RECALLING, "            self._broker.ending.say(card, fate)\n", "            pass\n",
        memory.test_a_job_that_came_and_ended_within_what_was_lost_is_known_again,
    ),
    *without(
        "another run is noticed", RECALLING, "if mark == self._known:", "if self._known:",
        memory.test_the_end_of_an_unrepeatable_call_is_said_again_to_a_store_that_forgot_it,
        fate=memory.DONE, state="done",
    ),
    *without(
        "the first look is one", RECALLING, "if mark == self._known:", "if self._known in ((), mark):",
        memory.test_what_was_told_before_the_first_look_is_said_again_too,
    ),
    *without(
        "saying it again is an end like the first", RECALLING, "self._broker.ending.say(card, fate)",
        "self._broker.ending._bring_back(card)",
        memory.test_a_store_that_has_forgotten_nothing_is_not_changed_by_what_is_said_again,
    ),
    *without(
        "parked is not ended", RECALLING, ' or fate.decision == "park"', "",
        memory.test_what_may_go_out_again_is_left_to_the_store, fate=memory.PARKED, operation=memory.REMOTE,
    ),
    *without(
        "repeatable is left alone", RECALLING, " or operation is None or operation.repeatable:", ":",
        memory.test_what_may_go_out_again_is_left_to_the_store, fate=memory.DONE, operation=memory.STATUS,
    ),
    *without(
        "not for ever", RECALLING, "self._told[0][0] < moment", "False",
        memory.test_what_a_store_has_had_for_long_is_not_said_again,
    ),
    *without(
        "an outage does not count", RECALLING, "        if mark == self._known:\n", "        if True:\n",
        memory.test_an_outage_does_not_make_a_process_forget,
    ),
    *without(
        "asked once per connection", "worker/store/line.py",
        "= connection, os.getpid(), None", "= connection, os.getpid(), self._server",
        memory.test_a_connection_made_anew_is_never_taken_for_the_one_before,
    ),
    *without(
        "asked again", "worker/store/line.py", " or self._monotonic() - self._described_s > DESCRIBED_S", "",
        memory.test_what_a_server_has_become_is_seen_within_a_minute_by_who_stays_connected,
    ),
]  # fmt: skip
