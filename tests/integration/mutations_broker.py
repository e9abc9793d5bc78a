"""The broker's rules, and which test fails when one is taken out of the source. Lanes and leases: "
"`mutations_leases.py`."""

import redis
from dramatiq.errors import ConnectionClosed

from tests.integration import test_rules_broker_crashes as crashes
from tests.integration import test_rules_broker_due as due
from tests.integration import test_rules_broker_once as once
from tests.integration import test_rules_broker_process as process
from tests.integration import test_rules_broker_stampede as stampede
from tests.integration import test_rules_broker_store as store
from tests.integration import test_rules_broker_waits as waits
from tests.integration import test_rules_broker_waking as waking
from tests.integration.desk import CAR, READ, START
from tests.integration.mutations import Mutation, without
from tests.integration.mutations_callbacks import CALLBACK_RULES
from tests.integration.mutations_late import LATE_RULES
from tests.integration.mutations_leases import LANE_RULES, LEASE_RULES
from tests.integration.mutations_memory import MEMORY_RULES
from tests.integration.mutations_trouble import TROUBLE_RULES
from tests.integration.mutations_turn import TURN_RULES

LETTER = "parts/letter.lua"

_CRASHES = [
    *without(
        "a place is kept", "parts/job.lua", "redis.call('ZADD', k_queue(J.lane, J.prio), J.place, J.id)",
        "redis.call('ZADD', k_queue(J.lane, J.prio), I(now), J.id)",
        crashes.test_a_job_whose_worker_has_ended_keeps_its_place,
        crashes.test_a_requeue_is_no_crash_and_no_attempt_and_costs_no_permit,
        process.test_a_requeued_job_has_its_old_place_and_nothing_counted,
    ),
    *without(
        "three crashes", "parts/lease.lua", "local CRASHES = 3", "local CRASHES = 2",
        crashes.test_three_crashes_bury_a_job_and_tell_somebody,
    ),
    *without(
        "three crashes at all", "parts/lease.lua", "local CRASHES = 3", "local CRASHES = 4",
        crashes.test_three_crashes_bury_a_job_and_tell_somebody,
    ),
    *without(
        "a crash is written down", "parts/lease.lua",
        "job_note(J, cjson.encode({event = 'crashed',", "job_note(J, cjson.encode({event = 'tried',",
        crashes.test_a_crash_leaves_evidence,
    ),
    *without(
        "an attempt resets", "park.lua", "I(J.attempts), 'crashes', '0')", "I(J.attempts))",
        crashes.test_a_completed_attempt_resets_the_count,
    ),
    *without(
        "a replay lengthens", "take.lua", "        redis.call('ZADD', k_leases(), I(now + A.lease_us), lease)\n", "",
        crashes.test_a_lost_reply_of_take_is_no_crash,
        once.test_a_job_asked_for_again_holds_from_the_asking,
    ),
    *without(
        "before sending: again", "parts/lease.lua", "if J.sending == '1' and J['repeat'] ~= '1' then",
        "if J['repeat'] ~= '1' then",
        crashes.test_a_crash_is_unknown_only_when_an_unrepeatable_call_may_have_gone_out,
        changes={"op": START, "rep": 0}, sent=False, state="waiting",
    ),
    *without(
        "after sending: unknown", "parts/lease.lua", "if J.sending == '1' and J['repeat'] ~= '1' then", "if false then",
        crashes.test_a_crash_is_unknown_only_when_an_unrepeatable_call_may_have_gone_out,
        changes={"op": START, "rep": 0}, sent=True, state="dead",
    ),
    *without(
        "repeatable: again", "parts/lease.lua", "if J.sending == '1' and J['repeat'] ~= '1' then",
        "if J.sending == '1' then",
        crashes.test_a_crash_is_unknown_only_when_an_unrepeatable_call_may_have_gone_out,
        changes={"rep": 1}, sent=True, state="waiting",
    ),
    *without(
        "never blindly", LETTER, "J['repeat'] ~= '1' and not unknown", "false",
        crashes.test_an_unknown_outcome_is_sent_again_only_by_somebody_who_says_so,
    ),
    *without(
        "a redrive goes to the end", LETTER,
        "  J.place = I(redis.call('HINCRBY', k_meta(), 'place', 1) + (order.behind and BEHIND or 0))\n", "",
        crashes.test_a_redriven_job_begins_at_the_end_of_the_line_with_nothing_counted,
    ),
    *without(
        "new patience", "parts/dead.lua", "'why', 'ended', 'strange')", "'why', 'ended')",
        crashes.test_a_redriven_job_of_an_unknown_operation_is_given_new_patience,
    ),
    *without(
        "discarded", LETTER, "if J.disc then return 'discarded' end\n", "",
        crashes.test_a_discarded_letter_is_not_sent_again_until_the_mark_is_undone,
    ),
    *without(
        "no keys of the dead", "parts/workers.lua", "redis.call('DEL', k_worker(name), k_bell(name))",
        "redis.call('DEL', k_worker(name))",
        crashes.test_a_worker_that_ended_leaves_no_keys,
    ),
]  # fmt: skip

_ONCE = [
    *without(
        "nonce", "take.lua", "if record.nonce == A.nonce then", "if false then",
        once.test_the_same_nonce_gets_the_same_jobs,
        process.test_a_blip_while_asking_for_jobs_raises_nothing_and_loses_nothing,
    ),
    *without(
        "another nonce", "take.lua", "if record.nonce == A.nonce then", "if true then",
        once.test_another_nonce_gets_other_jobs,
    ),
    *without(
        "nonces of workers", "take.lua", "redis.call('SET', k_nonce(A.worker),", "redis.call('SET', k_nonce('w1'),",
        once.test_the_nonces_of_two_workers_do_not_meet,
    ),
    *without(
        "parked twice", "parts/ack.lua", "  if J.acked == A.lease then return 'already' end\n", "",
        once.test_a_park_said_again_after_the_job_was_taken_again_changes_nothing,
    ),
    *(
        row
        for decision in ("finish", "bury")
        for row in [
            *without(
                "successors", f"{decision}.lua", "ack_rest(now)\n", "",
                once.test_a_successor_is_born_in_the_step_that_ends_its_parent_and_once, decision=decision,
            ),
            *without(
                "keys have a time", "parts/job.lua", "  if J.key and key_own(J) then\n    redis.call('EXPIRE',",
                "  if false then\n    redis.call('EXPIRE',",
                once.test_a_key_is_kept_for_its_time_after_the_end_and_never_less_than_the_result, decision=decision,
            ),
            *without(
                "said again after a lost reply", "parts/ack.lua",
                "  if J.acked == A.lease then return 'already' end\n", "",
                process.test_an_answer_whose_reply_was_lost_is_said_again_and_made_once, decision=decision,
            ),
        ]
    ),
    *without(
        "never less than the result", "parts/job.lua", "math.max(ttl, conf_number('key_ttl', 86400))",
        "conf_number('key_ttl', 86400)",
        once.test_a_key_is_kept_for_its_time_after_the_end_and_never_less_than_the_result, decision="finish",
    ),
    *without(
        "no successors of the superseded", "finish.lua", "if not mine then return status end\n",
        "if not mine then ack_rest(now) return status end\n",
        once.test_a_superseded_lease_has_no_successors,
    ),
    *without(
        "ids", "parts/accept.lua",
        "  if redis.call('EXISTS', k_job(facts.id)) == 1 then return 'duplicate', facts.id end\n", "",
        once.test_the_same_job_is_taken_in_once,
    ),
    *without(
        "keys", "parts/accept.lua", "    if held then\n", "    if false then\n",
        once.test_the_same_key_with_the_same_content_is_the_same_job,
    ),
    *without(
        "keys of other content", "parts/accept.lua", "if sha == facts.psha then return", "if true then return",
        once.test_the_same_key_with_other_content_is_refused,
    ),
    *without(
        "keys of the redriven", "parts/dead.lua",
        "  if key_own(J) then redis.call('PERSIST', k_idempotency(J.key)) end\n", "",
        once.test_a_key_is_kept_while_its_redriven_job_lives,
    ),
    *without(
        "late evidence goes with its job", "parts/job.lua",
        "if left > 0 then redis.call('PEXPIRE', k_evidence(J.id), left) end", "",
        once.test_everything_of_a_job_that_is_done_goes_with_it,
    ),
    *without(
        "cancelled", "cancel.lua", "job_unwait(J, now)\n", "",
        once.test_a_cancelled_job_is_never_handed_out,
        once.test_a_parked_job_can_be_cancelled,
    ),
]  # fmt: skip

_DUE = [
    *without(
        "not before", "park.lua", "job_wait(J, wait > 0 and now + wait or nil, now)", "job_wait(J, nil, now)",
        due.test_a_parked_job_comes_back_when_it_is_due_and_not_before,
        due.test_take_names_the_moment_when_something_can_be_taken,
    ),
    *without(
        "its place, when due", "parts/serve.lua", "redis.call('ZADD', k_queue(lane, p), place, id)",
        "redis.call('ZADD', k_queue(lane, p), I(now), id)",
        due.test_a_parked_job_keeps_its_place,
    ),
    *without(
        "promotions are bounded", "parts/serve.lua", "'-inf', I(now), 'LIMIT', 0, want)\n  for _, id in ipairs(due) do",
        "'-inf', I(now))\n  for _, id in ipairs(due) do", due.test_no_more_due_jobs_are_promoted_than_are_wanted,
    ),
    *without(
        "overdue jobs expire", "take.lua",
        "local overdue = redis.call('ZRANGEBYSCORE', k_deadlines(), '-inf', I(now), 'LIMIT', 0, 50)",
        "local overdue = {}",
        due.test_jobs_of_a_held_lane_expire_too,
    ),
    *without(
        "not even when it is its turn", "parts/serve.lua",
        "elseif tonumber(J.dl) > 0 and tonumber(J.dl) <= now then", "elseif false then",
        due.test_a_job_past_its_deadline_expires_and_is_never_handed_out,
    ),
    *without(
        "expired ones too", LETTER, "if J.state ~= 'dead' and J.state ~= 'expired' then",
        "if J.state ~= 'dead' then",
        due.test_an_expired_job_can_be_sent_again,
    ),
    *without(
        "listed", "parts/job.lua", "  redis.call('ZADD', k_expired(), I(now), J.id)\n", "",
        due.test_an_expired_job_is_counted_once_and_listed,
    ),
    *without(
        "tried ones are dead", "parts/dead.lua", "if tonumber(J.attempts or 0) > 0 and J.err then", "if false then",
        due.test_a_job_that_was_tried_dies_of_what_it_was_tried_with,
    ),
    *without(
        "the next deadline is named", "take.lua",
        "sooner(redis.call('ZRANGE', k_deadlines(), 0, 0, 'WITHSCORES')[2])\n", "",
        due.test_take_names_the_moment_when_the_next_job_expires,
    ),
    *without(
        "fifty expiries", "take.lua", "k_deadlines(), '-inf', I(now), 'LIMIT', 0, 50)",
        "k_deadlines(), '-inf', I(now))",
        due.test_at_most_fifty_jobs_expire_in_one_call_which_then_asks_to_be_called_again,
    ),
    *without(
        "fifty leases", "parts/lease.lua", "'-inf', I(now), 'WITHSCORES', 'LIMIT', 0, 50)",
        "'-inf', I(now), 'WITHSCORES')",
        due.test_at_most_fifty_leases_are_taken_back_in_one_call_which_then_asks_to_be_called_again,
    ),
    *without(
        "patience ends", "park.lua",
        "if now - tonumber(redis.call('HGET', k_job(A.id), 'strange')) >= A.patience then", "if false then",
        due.test_a_job_nobody_here_knows_is_parked_for_its_patience_and_then_buried,
        process.test_an_operation_nobody_here_knows_is_parked_for_another_version_to_find,
    ),
    *without(
        "retention", "sweep.lua", "k_dead(), '-inf', I(now - A.dead_us), 'LIMIT', 0, 50)",
        "k_dead(), '-inf', I(now - A.dead_us))",
        due.test_retention_forgets_old_dead_letters_fifty_at_a_time,
    ),
    *without(
        "brake", "parts/dead.lua", "if n < limit then return end", "do return end",
        due.test_many_dead_letters_of_one_problem_hold_their_lane_and_say_so_once,
    ),
    *without(
        "in a short time", "parts/dead.lua", "if now - at > span or at < released then", "if at < released then",
        due.test_the_same_number_over_a_longer_time_holds_nothing,
    ),
]  # fmt: skip

_WAKING = [
    *without(
        "touch", "parts/lane.lua", "if not quiet and (not old or at < tonumber(old)) then ring_bell(p) end", "",
        waking.test_a_new_job_rings,
        waking.test_an_urgent_job_rings_although_a_bulk_job_waits_for_the_same_budget,
        waking.test_an_earlier_due_time_rings,
        waking.test_a_redriven_job_rings,
        waking.test_a_settled_call_wakes_those_who_waited_for_it,
        waking.test_new_settings_ring,
    ),
    *without(
        "the urgent bell", "parts/lane.lua", "k_bell(p == 0 and 'urgent' or 'any')", "k_bell('any')",
        waking.test_an_urgent_job_rings_its_own_bell,
    ),
    *without(
        "only when earlier", "parts/lane.lua", "(not old or at < tonumber(old)) then", "true then",
        waking.test_a_thousand_jobs_for_a_lane_that_is_ready_ring_no_more,
    ),
    *without(
        "few tokens", "parts/lane.lua", "if redis.call('LLEN', bell) < 8 then", "if true then",
        waking.test_bells_nobody_hears_stay_few,
    ),
    *(
        row
        for decision in ("park", "finish", "bury")
        for row in without(
            "a refund opens", "parts/permit.lua", "  open_gates(info.acct, now, not freer)\n", "",
            waking.test_a_permit_that_comes_back_rings, decision=decision,
        )
    ),
    *without(
        "a settlement is looked at", "parts/permit.lua", "  open_gates(info.acct, now, not freer)\n", "",
        waking.test_a_settled_call_wakes_those_who_waited_for_it,
    ),
    *(
        row
        for scope in (f"account:{CAR}", f"lane:{CAR}|{READ}", f"budget:{CAR}|calls")
        for row in without(
            "a release rings", "parts/hold.lua", "  resolve_alert('hold:' .. scope, now)\n  hold_wake(scope, now)\n",
            "  resolve_alert('hold:' .. scope, now)\n", waking.test_a_release_rings, scope=scope,
        )
    ),
    *without(
        "alone it wakes nobody", "take.lua", " and redis.call('ZCARD', k_workers()) > 1", "",
        waking.test_a_full_worker_that_is_alone_wakes_nobody,
    ),
    *without(
        "a full worker passes it on", "take.lua", "  elseif head and head <= now then", "  elseif false then",
        waking.test_a_full_worker_passes_on_what_is_left,
    ),
    *without(
        "a job that came back is ready", "parts/job.lua",
        "  if tonumber(J.dl) > 0 then redis.call('ZADD', k_deadlines(), J.dl, J.id) end\n  touch_lane(J.lane, "
        "J.group, J.prio, now)\n",
        "  if tonumber(J.dl) > 0 then redis.call('ZADD', k_deadlines(), J.dl, J.id) end\n",
        waking.test_a_job_that_comes_back_from_a_dead_worker_can_be_taken_at_once,
    ),
    *without(
        "the next lapse is named", "take.lua", "sooner(lapse)\n", "",
        waking.test_take_names_the_moment_the_next_lease_lapses,
    ),
    *without(
        "nothing in sight", "take.lua", "local at = -1\n", "local at = now\n",
        waking.test_nothing_in_sight_is_said_as_such,
    ),
]  # fmt: skip

_STAMPEDE = [
    *without(
        "reclaimed once", "parts/ack.lua", "  return 'superseded'\nend", "  return 'own'\nend",
        stampede.test_after_a_stampede_every_job_is_in_one_place_and_can_still_be_done,
    ),
    *without(
        "permits come back", "parts/permit.lua", "        w.taken = w.taken - 1     -- it never went out",
        "        w.inf = w.inf + 1     -- it never went out",
        stampede.test_after_a_stampede_every_job_is_in_one_place_and_can_still_be_done,
    ),
]  # fmt: skip

_PROCESS = [
    *without(
        "no delay queues", "worker/broker/broker.py", "        return set()\n", "        return {'paceline.DQ'}\n",
        process.test_there_are_no_delay_queues,
    ),
    *without(
        "no delay", "worker/broker/broker.py", 'if delay is not None or "eta" in message.options:', "if False:",
        process.test_a_delay_is_refused,
    ),
    *without(
        "one way in", "worker/accept/enqueue.py", "operation.check(account, wanted.params, wanted.body)",
        "dict(wanted.params), None",
        process.test_a_sent_message_goes_through_the_same_checks_as_every_other_way_in,
    ),
    *without(
        "free threads", "worker/broker/threads.py", "return self.total - len(self._held)", "return self.total",
        process.test_jobs_are_taken_for_free_threads_only,
        process.test_another_consumer_knows_what_the_one_before_has_handed_out,
    ),
    *without(
        "given back after success", "worker/broker/acknowledging.py",
        "                raise ConnectionClosed(error) from None",
        "                self.let_go(card)\n                raise ConnectionClosed(error) from None",
        process.test_a_thread_is_free_once_its_acknowledgement_has_succeeded_and_once_only,
    ),
    *without(
        "never stuck", "worker/broker/acknowledging.py", "            self._bury_instead(card, fate, error)\n",
        "            raise\n",
        process.test_an_answer_that_can_be_said_in_no_way_frees_the_thread_and_leaves_the_lease_to_lapse,
        dies_of=(redis.ResponseError,),
    ),
    *without(
        "never stuck, whatever the error", "worker/broker/acknowledging.py",
        "        except Exception as error:\n            if not is_outage(error):",
        "        except redis.RedisError as error:\n            if not is_outage(error):",
        process.test_an_answer_that_can_never_be_said_buries_the_job_and_frees_the_thread,
        error=TypeError("cannot be written as JSON"), dies_of=(TypeError,),
    ),
    *without(
        "buried at least", "worker/broker/acknowledging.py", "            self._call(card, instead)\n",
        "            pass\n",
        process.test_an_answer_that_can_never_be_said_buries_the_job_and_frees_the_thread,
        error=redis.ResponseError("ERR"),
    ),
    *without(
        "outages by their words", "worker/store/connection.py", "bool(_AWAY_WORDS.match(str(error)))", "False",
        waits.test_only_what_time_can_mend_is_waited_for, error=redis.ResponseError("BUSY running"), outage=True,
    ),
    *without(
        "mistakes are no outages", "worker/store/connection.py", "bool(_AWAY_WORDS.match(str(error)))", "True",
        waits.test_only_what_time_can_mend_is_waited_for, error=redis.ResponseError("ERR"), outage=False,
    ),
    *without(
        "full is an outage", "worker/store/connection.py", "    TryAgainError,\n    OutOfMemoryError,\n)",
        "    TryAgainError,\n)",
        waits.test_only_what_time_can_mend_is_waited_for, error=redis.exceptions.OutOfMemoryError(), outage=True,
    ),
    *without(
        "a bell ends waiting", "worker/broker/threads.py",
        "            self._look_at = 0.0\n            self._rung = bell or self._rung\n"
        "            self._condition.notify_all()\n",
        "            pass\n",
        waits.test_waiting_is_ended_by_a_bell_at_once,
    ),
    *without(
        "undecided is never done", "worker/broker/acknowledging.py",
        'return internal("no middleware decided about this job", settle)', 'return Fate("finish", settle)',
        process.test_a_job_nobody_decided_about_is_never_done,
    ),
    *without(
        "unreadable messages", "worker/broker/broker.py",
        "            self.ending.end(card, self._unreadable(card, error))\n", "",
        process.test_a_message_that_cannot_be_read_is_buried_and_stops_nobody, encoded=b"[]",
    ),
    *without(
        "messages that are gone", "parts/serve.lua", "lease_card(lease, info, J) or {lease, id, ''}",
        "lease_card(lease, info, J)",
        process.test_a_job_whose_message_is_gone_is_buried,
    ),
    *without(
        "one failed requeue", "worker/broker/acknowledging.py",
        '            logger.warning("job %s: could not be ended now (%s); its lease lapses", card.job_id, '
        'type(error).__name__)\n        self.let_go(card)\n',
        '            logger.warning("job %s: could not be ended now (%s); its lease lapses", card.job_id, '
        'type(error).__name__)\n',
        process.test_a_requeue_that_fails_does_not_keep_back_the_next,
    ),
    *without(
        "draining", "worker/broker/threads.py",
        "                if self.draining:\n                    self._condition.wait",
        "                if False:\n                    self._condition.wait",
        process.test_a_draining_process_takes_nothing_more,
    ),
    *(
        row
        for rule, file, text, instead in (
            ("leaving ends the asking", "acknowledging", "elif self._time_left_s() > ONCE_MORE_S:", "elif True:"),
            ("staying asks on", "acknowledging", "            return math.inf\n", "            return 0.0\n"),
            ("leaving began once", "threads", "            if not self.draining:\n", "            if True:\n"),
            ("the last word is short", "acknowledging", "min(PATIENCE_S, self._time_left_s())", "PATIENCE_S"),
        )
        for row in without(
            rule, f"worker/broker/{file}.py", text, instead,
            process.test_a_process_that_leaves_asks_an_absent_store_no_longer_than_a_call_could_last,
            dies_of=(AssertionError, ConnectionClosed),
        )
    ),
    *without(
        "renewed soon after an outage", "worker/broker/leases.py", "            elif self._away:",
        "            elif False:",
        process.test_a_renewal_that_failed_is_tried_again_long_before_the_next_is_due,
    ),
    *without(
        "send by", "worker/broker/taking.py", "question.asked_s + 0.9 *", "question.asked_s + 1.5 *",
        process.test_a_permit_may_be_used_for_less_than_its_lease_from_before_it_was_asked_for,
    ),
    *without(
        "clock steps", "worker/broker/taking.py", "if step_s := self.clock.step_s(now_us):", "if step_s := 0.0:",
        process.test_a_clock_of_the_server_that_stepped_forward_is_suspect,
    ),
    *without(
        "tests' clocks", "worker/broker/broker.py", 'if clock_us is not None and settings.environment != "test":',
        "if False:",
        process.test_a_replaced_clock_is_refused_outside_the_test_environment,
    ),
    *without(
        "no retries of its own", "worker/store/connection.py", "retry=Retry(NoBackoff(), 0),",
        "retry=Retry(NoBackoff(), 3),",
        process.test_the_client_repeats_nothing_by_itself,
    ),
    *without(
        "the exact moment", "worker/broker/threads.py", "self._look_at is not None and self._look_at <= now and",
        "self._look_at is not None and",
        waits.test_waiting_ends_at_the_moment_that_take_has_named,
    ),
    *without(
        "a wake stays", "worker/broker/threads.py",
        "moment if self._look_at is None else min(self._look_at, moment)", "moment",
        waits.test_a_bell_heard_meanwhile_is_not_overwritten_by_a_later_look,
    ),
]  # fmt: skip

_STORE = [
    *without(
        "room for running work", "renew.lua", "#!lua flags=allow-oom\n", "#!lua\n",
        store.test_every_decision_but_those_that_bring_work_in_may_run_in_a_full_store,
    ),
    *without(
        "no room for new work", "enqueue.lua", "#!lua\n", "#!lua flags=allow-oom\n",
        store.test_a_full_store_takes_no_new_work,
    ),
    *without(
        "nor for old", "redrive.lua", "#!lua\n", "#!lua flags=allow-oom\n", store.test_a_full_store_takes_no_new_work,
    ),
    *without(
        "take in a full store", "take.lua", "#!lua flags=allow-oom\n", "#!lua\n",
        store.test_running_work_goes_on_in_a_full_store, dies_of=(redis.exceptions.OutOfMemoryError,),
    ),
    *without(
        "forgotten scripts", "worker/store/scripts.py", "return self._client.eval(text, *words)", "raise",
        store.test_a_server_that_forgot_the_scripts_is_sent_them_again, dies_of=(redis.exceptions.NoScriptError,),
    ),
    *without(
        "no walks", "sweep.lua", "local now = read_clock()\n",
        "local now = read_clock()\nlocal all = redis.call('KEYS', '*')\n",
        store.test_no_decision_walks_the_key_space_or_waits,
    ),
    *without(
        "no keys of its own", "sweep.lua", "redis.call('ZREM', k_discarded(), id)",
        "redis.call('ZREM', P .. 'discarded', id)",
        store.test_no_key_is_spelt_outside_the_table,
    ),
    *without(
        "types", "parts/accept.lua", "redis.call('SADD', k_lanes(),", "redis.call('RPUSH', k_lanes(),",
        store.test_every_key_has_the_type_the_table_says,
    ),
    *without(
        "suspect after a restart", "parts/suspect.lua", "suspect_begin('restart', lease_us, mode, now)",
        "local _ = nil",
        store.test_after_a_restart_that_may_have_lost_something_nothing_is_handed_out_for_one_lease,
        store.test_no_lease_is_taken_back_before_renewals_have_had_their_time,
    ),
    *without(
        "a durable store is believed", "parts/suspect.lua", "RUN ~= run and not (durable and before == '1')",
        "RUN ~= run",
        store.test_a_restart_that_cannot_have_lost_anything_changes_nothing,
    ),
    *without(
        "suspect when empty", "parts/suspect.lua", "suspect_begin('empty', lease_us, mode, now)", "local _ = nil",
        store.test_an_empty_store_is_suspect_unless_told_that_this_is_a_first_start,
    ),
    *without(
        "introductions", "take.lua", "if not digest or not own or (digest ~= own",
        "if not digest or (digest ~= own",
        store.test_a_worker_the_store_does_not_know_must_introduce_itself_first,
    ),
    *without(
        "time never steps back", "parts/clock.lua", "    now = last + 1\n", "",
        store.test_time_never_steps_back,
    ),
    *without(
        "time goes on", "parts/clock.lua", "if last - now > 1000 then ahead = last + 1 - raw end", "",
        store.test_after_a_step_back_time_goes_on_at_once,
    ),
    *without(
        "steps forward are shown", "take.lua", "if A.expect and now - A.expect > 100000 then", "if false then",
        store.test_a_step_forward_is_shown_to_the_worker_before_anything_is_handed_out,
    ),
    *without(
        "the server's clock", "parts/clock.lua", "  local t = redis.call('TIME')\n", "  local t = {'1', '1'}\n",
        store.test_the_clock_is_the_servers_unless_a_test_gives_one,
    ),
    *without(
        "one table of keys", "worker/store/keys.py", "words = [f\"P .. '{first}'\"]", "words = [f\"'{first}'\"]",
        store.test_every_key_has_the_hash_tag_of_its_partition,
        store.test_partitions_know_nothing_of_each_other,
    ),
    *(
        row
        for decision, changes in store.BROKEN
        for row in without(
            "validate, then write", f"{decision}.lua",
            {"finish": "need_ack()\n", "park": "need_ack()\n", "bury": "need_ack()\nneed_why(A.why)\n"}[decision], "",
            store.test_a_decision_with_bad_facts_changes_nothing, decision=decision, changes=changes,
        )
        if decision != "park" or "settle" in changes
    ),
    *without(
        "batches are whole", "enqueue.lua", "for i, facts in ipairs(A.jobs) do need_job(facts, ARGV[2 + i]) end\n", "",
        store.test_of_a_batch_with_one_bad_job_none_is_taken_in,
    ),
    *without(
        "damaged records", "parts/job.lua", "if not (v[1] and v[2] and v[3] and v[4]) then return nil end",
        "",
        store.test_a_damaged_record_at_the_head_of_a_line_stops_nobody, dies_of=(redis.ResponseError,),
    ),
    *without(
        "no place", "parts/serve.lua", "tonumber(J.place or 0)", "tonumber(J.place)",
        store.test_a_bulk_job_that_has_lost_its_place_stops_nobody, dies_of=(redis.ResponseError,),
    ),
    *without(
        "damaged in hand", "parts/job.lua", "if not (J.state and J.op and J.acct and J.budget) then return nil end", "",
        store.test_a_record_that_is_damaged_in_hand_is_missed_at_its_end, dies_of=(redis.ResponseError,),
    ),
]  # fmt: skip

BROKER_RULES: list[Mutation] = [*LANE_RULES, *LEASE_RULES, *_CRASHES, *_ONCE, *_DUE, *_WAKING, *_PROCESS, *_STORE,
*_STAMPEDE, *MEMORY_RULES, *TROUBLE_RULES, *CALLBACK_RULES,
*TURN_RULES, *LATE_RULES]
