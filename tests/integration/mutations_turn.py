"""The rules of a process's turns with the store, and which test fails when one is taken out of the source."""

from dramatiq.errors import ConnectionClosed
from redis.exceptions import RedisError

from tests.integration import test_rules_broker_turn as turns
from tests.integration import test_rules_turn_alike as alike
from tests.integration.mutations import without

TURN, TAKING, THREADS = "worker/broker/turn.py", "worker/broker/taking.py", "worker/broker/threads.py"
LINE, JOB = "worker/store/line.py", "parts/job.lua"

_SAYING = [
    *without(
        "each is answered for itself", TURN, "zip(call.ends, answers, strict=True)",
        "zip(call.ends, answers[::-1], strict=True)",
        turns.test_each_end_of_a_turn_is_answered_for_itself,
    ),
    *without(
        "one bad end", "turn.lua", "  if fine then return answer end\n",
        "  if fine then return answer end error(answer)\n",
        turns.test_an_end_that_cannot_be_carried_out_leaves_the_others_of_its_turn_alone,
    ),
    *without(
        "one that cannot be said", TURN, "            return self._one_by_one(ends), error", "            raise",
        turns.test_an_end_that_cannot_even_be_said_leaves_the_others_of_its_turn_alone, evidence={"no": "text"},
    ),
    *without(
        "nor the line it broke", TURN, "                if away is None:\n                    self._line.open()\n", "",
        turns.test_an_end_that_cannot_even_be_said_leaves_the_others_of_its_turn_alone, evidence="\ud800",
    ),
    *without(
        "an outage is everybody's", TURN, "            if is_outage(error):\n                raise\n", "",
        turns.test_an_outage_is_told_to_all_and_asked_for_once,
    ),
    *without(
        "not too many", TURN, "while self._entries and len(found) < TOGETHER:", "while self._entries:",
        turns.test_no_call_says_more_ends_than_the_store_should_stand_still_for,
    ),
    *without(
        "each is counted in a stampede", JOB, "  for what, by in pairs(all.counts) do count(what, by) end\n", "",
        turns.test_a_stampede_of_threads_ends_each_job_once_and_loses_none,
    ),
]  # fmt: skip

_AHEAD = [
    *without(
        "the store decides meanwhile", TURN, "            if len(self._entries) >= AHEAD:\n", "            if False:\n",
        turns.test_while_the_answers_of_a_call_are_given_the_store_decides_the_next,
    ),
    *without(
        "others may join", TURN, "AHEAD = 2\n", "AHEAD = 1\n",
        turns.test_one_alone_in_line_is_not_put_before_others_may_have_joined_it,
    ),
    *without(
        "what broke off is said again", "worker/broker/acknowledging.py",
        "                if not is_outage(error) or clock.monotonic() > until:\n                    raise\n",
        "                raise\n",
        turns.test_a_line_that_breaks_again_and_again_under_a_stampede_stops_nobody_and_loses_nothing,
        dies_of=(AssertionError, ConnectionClosed),
    ),
    *without(
        "told as it was", TURN, "call.read = _raising(error)", "call.read = _raising(KeyError())",
        turns.test_what_keeps_the_next_call_from_being_made_is_nothing_to_those_of_the_last,
    ),
    *without(
        "forgotten meanwhile", "worker/store/scripts.py", "                return self._line.eval(text, *words)\n",
        "                raise\n",
        turns.test_a_server_that_forgot_the_scripts_meanwhile_is_sent_them_in_the_call_that_runs_them,
    ),
]  # fmt: skip

_THREADS = [
    *without(
        "jobs come with ends", TURN, "self._threads.lacking(len(in_hand))", "False",
        turns.test_the_call_that_ends_jobs_brings_the_next_for_their_threads,
    ),
    *without(
        "asked for free threads", TURN, "self._threads.lacking(len(in_hand))", "self._threads.lacking(len(ends))",
        turns.test_an_end_that_is_said_again_frees_no_thread,
    ),
    *without(
        "said again frees none", "turn.lua", "if facts.in_hand and ", "if ",
        turns.test_ends_said_again_beside_others_bring_no_jobs,
    ),
    *without(
        "what failed frees none", "turn.lua", " and type(answer) == 'string'", "",
        turns.test_a_thread_whose_end_was_not_made_gets_no_job, broken="refused",
    ),
    *without(
        "what is forgotten frees none", "turn.lua", " and not STILL_IN_HAND[answer]", "",
        turns.test_a_thread_whose_end_was_not_made_gets_no_job, broken="forgotten",
    ),
    *without(
        "no more than wanted", "take.lua", "(p > 0 and keep or 0), A.most or A.want)", "(p > 0 and keep or 0), A.want)",
        turns.test_a_turn_wants_no_more_than_settings_allow,
    ),
    *without(
        "urgent from now on", "parts/accept.lua", "    URGENT = now\n", "",
        turns.test_an_urgent_successor_is_urgent_demand_at_once,
    ),
    *without(
        "dealt in one step", TAKING, "threads.deal(self._cards(question, now_us, dealt), bool(more), over)",
        "threads.release(*over, look=False) or broker.threads.deal(self._cards(question, now_us, dealt), bool(more))",
        turns.test_between_a_job_and_the_next_of_its_thread_nobody_sees_an_idle_process,
    ),
]  # fmt: skip

_LOOKS = [
    *without(
        "the nonce of a turn", TAKING, "        if self._nonce is None:\n            self._nonce, self._number =",
        "        if True:\n            self._nonce, self._number =",
        turns.test_a_turn_whose_reply_was_lost_brings_the_same_jobs_again,
    ),
    *without(
        "a broken take is over", TAKING, "            self._nonce = None\n        self.look_later()",
        "            pass\n        self.look_later()",
        turns.test_what_a_broken_take_has_claimed_is_not_claimed_again_under_the_same_name,
    ),
    *without(
        "given away at last", "parts/lease.lua", "  return info\nend",
        "  redis.call('HSET', k_job(J.id), 'state', 'running', 'lease', lease)\n  return info\nend",
        turns.test_a_take_that_stumbles_over_a_record_has_given_nobody_away,
    ),
    *without(
        "no look while draining", THREADS, "return self.free > 0 and not (self.draining or self.stopped)",
        "return self.free > 0",
        turns.test_a_look_in_line_takes_nothing_once_the_process_drains,
    ),
    *without(
        "no jobs while draining", THREADS, "will_be_free) and not (self.draining or self.stopped)", "will_be_free)",
        turns.test_the_last_ends_of_a_process_that_drains_bring_nothing,
    ),
    *without(
        "a look after a failure", TURN, "            if call.asks or looks:\n", "            if False:\n",
        turns.test_a_turn_that_failed_is_followed_by_a_look,
    ),
    *without(
        "a look after a mistake", TAKING, "        except Exception as error:\n            self.look_later()\n",
        "        except Exception as error:\n", turns.test_a_look_that_raises_is_not_the_last,
    ),
    *without(
        "a wake is a look", "worker/broker/broker.py",
        "            if self.threads.wait_to_look(timeout_s):\n                self._taker.take(self.turn)\n",
        "            if self.threads.wait_to_look(timeout_s) and not self.threads._dealt:\n"
        "                self._taker.take(self.turn)\n",
        turns.test_a_look_is_made_although_cards_have_come_meanwhile,
    ),
]  # fmt: skip

_TOGETHER = [
    row
    for rule, file, text, instead in (
        ("windows are saved", JOB, "  windows_save()\n", ""),
        ("buckets are saved", "parts/window.lua",
         "    for bucket, n in pairs(w.new) do ring_count(w, bucket, n) end\n", ""),
        ("counts are saved", JOB, "  for what, by in pairs(all.counts) do count(what, by) end\n", ""),
        ("claims are dropped", JOB, "    redis.call('HDEL', k_lease(), unpack(all.dropped))\n", ""),
        ("and their times", JOB, "    redis.call('ZREM', k_leases(), unpack(all.dropped))\n", ""),
        ("lanes land", JOB, "do lane_land(lane, landed.group, now, landed.n) end", "do local _ = nil end"),
        ("each time", "parts/lane.lua", "  landed.n = landed.n + 1\n", "  landed.n = 1\n"),
        ("holds that begin", "parts/hold.lua", "  any_now(k_holds())\n", ""),
        ("gates that open", "parts/lane.lua", "  GATES[account][gate] = nil\n", ""),
        ("gates that shut", "parts/lane.lua", "  gates_of(account)[gate] = at\n", ""),
        ("one thing after another", "turn.lua",
         "apart(read_clock())\nif not asked.take then return {answers, false} end\n",
         "if not asked.take then return {answers, false} end\n"),
    )
    for row in without(
        rule, file, text, instead, alike.test_a_turn_does_what_its_ends_would_have_done_one_after_another, first=0,
        dies_of=(AssertionError, LookupError, RedisError),
    )
]  # fmt: skip

_LINE = [
    *without(
        "budgets that close", "parts/permit.lua", "  any_now(k_refusals())\n", "",
        turns.test_a_budget_that_closes_in_a_turn_is_closed_for_its_take,
    ),
    *without(
        "troubles that begin", "parts/trouble.lua", "  any_now(k_trouble())\n", "",
        turns.test_failures_of_one_turn_are_counted_one_by_one_and_heard_by_its_take,
    ),
    *without(
        "what takes off", "parts/lease.lua", "  FLYING[lane] = redis.call(", "  redis.call(",
        turns.test_a_cap_holds_over_all_priorities_of_one_take,
    ),
    *without(
        "landed when it matters", "parts/trouble.lua", "  lane_write(lane, now)\n", "",
        turns.test_the_last_call_of_a_lane_in_trouble_ends_it_in_a_turn_too,
    ),
    *without(
        "pinned to its run", LINE, '            raise RedisConnectionError("the connection is closed")',
        "            self.open()\n            connection = self._connection",
        turns.test_a_line_that_broke_connects_to_nobody_until_it_is_opened,
    ),
    *without(
        "primaries alone", LINE,
        "            self.close()  # no primary any more: the address may name another one by now\n", "",
        turns.test_a_primary_that_has_become_a_replica_is_left,
    ),
]  # fmt: skip

TURN_RULES = [*_SAYING, *_AHEAD, *_THREADS, *_LOOKS, *_TOGETHER, *_LINE]
