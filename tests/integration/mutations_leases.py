"""The rules of lanes and leases, and which test fails when one is taken out of the source."""

from tests.integration import test_rules_broker_crashes as crashes
from tests.integration import test_rules_broker_due as due
from tests.integration import test_rules_broker_lanes as lanes
from tests.integration import test_rules_broker_leases as leases
from tests.integration import test_rules_broker_once as once
from tests.integration import test_rules_broker_process as process
from tests.integration import test_rules_broker_slices as slices
from tests.integration import test_rules_command_results as results
from tests.integration.mutations import without

LANE_RULES = [
    *without(
        "urgent first", "take.lua",
        "for p = 0, 2 do\n  local want = wanted(p)\n", "for p = 2, 0, -1 do\n  local want = wanted(p)\n",
        lanes.test_an_urgent_job_overtakes_everything_that_waits_for_the_same_budget,
        due.test_a_due_urgent_job_goes_before_all_due_bulk,
    ),
    *without(
        "a lane is a line", "parts/lease.lua", "redis.call('ZREM', k_queue(lane, p), unpack(ids))",
        "redis.call('ZPOPMAX', k_queue(lane, p), #ids)",
        lanes.test_jobs_of_a_lane_go_in_the_order_in_which_they_came,
    ),
    *without(
        "no more than free threads", "take.lua",
        "serve_group(group, p, math.min(share, want), ctx", "serve_group(group, p, share + 1, ctx",
        lanes.test_no_more_jobs_are_handed_out_than_there_are_free_threads,
    ),
    *without(
        "lanes in turn", "parts/serve.lua",
        "redis.call('ZADD', k_group(group, p), I(now), lane)\n  else", "local _ = nil\n  else",
        lanes.test_lanes_of_one_budget_are_served_in_turn,
    ),
    *without(
        "equal shares", "parts/serve.lua", "local share = math.ceil((want - given) / #lanes)", "local share = want",
        lanes.test_what_one_call_hands_out_is_shared_by_the_lanes,
    ),
    *without(
        "budgets in turn", "parts/lane.lua",
        "redis.call('ZADD', k_ready(p), I(at), group)", "redis.call('ZADD', k_ready(p), 'NX', I(at), group)",
        lanes.test_budgets_are_served_in_turn,
    ),
    *without(
        "half of the fleet", "parts/serve.lua", "math.floor(FLEET / 2))", "math.floor(FLEET))",
        lanes.test_a_lane_has_at_most_half_of_the_fleets_threads_in_flight,
    ),
    *without(
        "never under one", "parts/serve.lua", "return math.max(1, math.floor(FLEET",
        "return math.max(0, math.floor(FLEET",
        lanes.test_a_fleet_of_one_thread_may_still_work,
    ),
    *without(
        "own caps", "parts/serve.lua", "if own then return tonumber(own) end", "",
        lanes.test_a_cap_of_ones_own_goes_before_the_general_one,
    ),
    *without(
        "caps that are gone", "configure.lua",
        "do redis.call('HDEL', k_conf(), 'cap:' .. operation) end", "do local _ = nil end",
        lanes.test_a_cap_that_settings_no_longer_name_is_gone,
    ),
    *without(
        "a command's result finds it", "renew.lua",
        "HSET', k_job(J.id), 'door', entry.full.door)", "EXISTS', k_job(J.id))",
        results.test_a_result_finds_its_command_in_a_store_that_was_emptied_while_it_was_being_sent, ends="accepted",
    ),
    *without(
        "a result that never came is evidence", "unheard.lua", "job_note(J, ", "local _ = (",
        results.test_a_result_that_never_comes_stands_in_what_happened,
    ),
    *without(
        "when a crashed call was taken", "parts/lease.lua", "taken_us = J.leased,", "",
        crashes.test_a_crash_leaves_evidence,
    ),
    *without(
        "when sending began", "sending.lua", "'began', I(now), ", "",
        crashes.test_a_crash_is_unknown_only_when_an_unrepeatable_call_may_have_gone_out,
        changes={"op": "hub.start_session", "rep": 0}, sent=True, state="dead",
    ),
    *without(
        "a worker remembers the address", "worker/broker/acknowledging.py", "card.door = door if card.sent else None",
        "pass", process.test_what_a_worker_remembers_of_a_command_is_the_address_of_its_result_too,
    ),
    *without(
        "a newcomer knows the clock", "worker/broker/broker.py", "        self._taker.clock.recall(word)\n", "",
        process.test_a_process_that_has_never_asked_knows_the_clock_from_another_of_its_machine, stepped=True,
    ),
    *without(
        "expired by account", "worker/fail/dead_letter.py",
        'key("expired_by", "account", wanted.account)', 'key("expired")',
        due.test_the_expired_jobs_of_an_account_are_found_among_a_crowd_of_others,
    ),
    *without(
        "no id outlives its job", "sweep.lua",
        "I(now - conf_number('result_ttl', 86400) * 1000000)", "I(now - A.dead_us)",
        due.test_the_expired_jobs_of_an_account_are_found_among_a_crowd_of_others,
    ),
    *without(
        "accounts that are gone", "configure.lua", "    account_forget(account)\n", "",
        lanes.test_jobs_of_an_account_that_settings_no_longer_name_wait_until_it_comes_back,
    ),
    *without(
        "brought to the end", "configure.lua", "if whole == A.digest and current == A.digest then",
        "if current == A.digest then", slices.test_settings_that_were_not_brought_to_their_end_are_brought_again,
    ),
    *without(
        "the newer go first", "configure.lua", "if not first and current ~= A.digest then", "if false then",
        slices.test_whoever_brings_newer_settings_meanwhile_goes_first,
    ),
    *without(
        "as it was", "configure.lua",
        "string.match(known, '^%S+') == c.digest then return end", "false then return end",
        slices.test_an_account_that_is_as_it_was_costs_a_look,
    ),
    *without(
        "removed by and by", "configure.lua", "if removed == REMOVED then", "if false then",
        slices.test_accounts_by_the_thousands_come_and_go_in_calls_that_are_short,
    ),
    *without(
        "a look in slices", "judge.lua", "accounts_after(after, SLICE)", "accounts_after(after, 100000)",
        slices.test_a_look_at_thousands_of_accounts_is_many_short_calls,
    ),
    *without(
        "a look goes on", "judge.lua", "'a' .. accounts[SLICE].name or", "'a' or",
        slices.test_two_processes_share_one_look,
    ),
    *without(
        "a look that stopped goes on", "judge.lua",
        "redis.call('HSET', k_meta(), 'judging', number and 'f' .. I(number) .. ' ' .. cursor or at)\n", "",
        slices.test_a_look_that_was_broken_off_is_gone_on_with,
    ),
    *without(
        "what is kept of accounts that are gone", "judge.lua", "{k_tally(), k_samples(), k_watches()}",
        "{k_tally(), k_watches()}",
        slices.test_accounts_that_are_gone_by_the_thousands_are_forgotten_by_and_by,
    ),
    *without(
        "slice by slice", "worker/limiter/quota.py", "while not after or len(rows) == SLICE:", "while not after:",
        slices.test_the_figures_of_all_accounts_are_asked_for_in_slices, count=slices.SLICE + 1,
    ),
    *without(
        "brought to their end", "configure.lua", "redis.call('HSET', k_conf(), 'whole', A.digest)\n", "",
        slices.test_settings_that_hold_are_brought_by_the_first_process_alone,
    ),
    *without(
        "not whole any more", "configure.lua", "'whole', 'lane_cap')", "'lane_cap')",
        slices.test_the_older_settings_hold_again_when_nobody_is_left_to_bring_the_newer_to_their_end,
    ),
    *without(
        "caps end", "parts/lane.lua",
        "if any(k_capped()) and redis.call('SREM', k_capped(), lane) == 1 then", "if false then",
        lanes.test_a_lane_at_its_cap_goes_on_when_one_of_its_jobs_has_landed,
    ),
    *without(
        "one thread for urgent work", "take.lua", "if A.keep == 1 and URGENT > now - 600000000 then", "if false then",
        lanes.test_the_last_thread_is_kept_for_urgent_work_while_there_is_any,
    ),
    *without(
        "only while urgent work was seen", "take.lua", " and URGENT > now - 600000000 then", " then",
        lanes.test_no_thread_is_kept_where_no_urgent_job_was_seen_for_long,
    ),
    *without(
        "holds of accounts and budgets", "parts/serve.lua",
        "if not any(k_holds()) then return 'open' end", "do return 'open' end",
        lanes.test_a_held_account_hands_out_nothing_and_delays_nobody_else,
        lanes.test_a_held_budget_hands_out_nothing_and_delays_nobody_else,
    ),
    *without(
        "holds of lanes", "parts/serve.lua", "  local hold = hold_read(scope)\n  if hold then\n    local at",
        "  local hold = nil\n  if hold then\n    local at",
        lanes.test_a_held_lane_hands_out_nothing_and_delays_nobody_else,
    ),
    *without(
        "a release wakes", "parts/hold.lua", "  resolve_alert('hold:' .. scope, now)\n  hold_wake(scope, now)\n",
        "  resolve_alert('hold:' .. scope, now)\n", lanes.test_released_jobs_go_on_in_their_old_order,
    ),
    *without(
        "a person's stop is kept", "parts/serve.lua", "and not hold.probe and not other then",
        "and not hold.probe then",
        lanes.test_the_call_let_through_a_refused_credential_does_not_pass_what_a_person_has_stopped,
    ),
    *without(
        "one probe", "parts/serve.lua", "  if verdict == 'probe' then want = 1 end\n", "",
        lanes.test_one_call_is_let_through_a_hold_and_ends_it_when_it_is_not_refused,
    ),
    *without(
        "no answer, no release", "parts/ack.lua",
        "local void = not refused and A.settle.mode ~= 'answered' or A.close", "local void = false",
        lanes.test_a_hold_stays_when_the_call_let_through_was_never_answered,
    ),
    *without(
        "old probes", "parts/hold.lua",
        "  if not hold or hold.probe ~= lease then return end\n  if not refused then",
        "  if not hold then return end\n  if not refused then",
        lanes.test_the_answer_to_an_old_probe_says_nothing_about_a_later_hold,
    ),
]  # fmt: skip

LEASE_RULES = [
    *without(
        "a claim has its time", "parts/serve.lua", "leases_write(lane, p, made, now + ctx.lease_us)",
        "leases_write(lane, p, made, now)", leases.test_a_job_in_hand_is_nobody_elses,
    ),
    *without(
        "one holder", "parts/lease.lua", "local lapsed = redis.call('ZRANGEBYSCORE', k_leases(), '-inf', I(now),",
        "local lapsed = redis.call('ZRANGEBYSCORE', k_leases(), '-inf', '+inf',",
        leases.test_a_lease_that_lapses_takes_no_other_with_it,
    ),
    *without(
        "renewal", "renew.lua", "    redis.call('ZADD', k_leases(), I(now + A.lease_us), entry.lease)\n", "",
        leases.test_a_renewed_lease_does_not_lapse,
    ),
    *without(
        "leases lapse", "take.lua", "again = leases_reclaim(now, A.transit_us) >= 50", "again = false",
        leases.test_a_lapsed_lease_can_be_taken_back_by_anyone,
        crashes.test_a_job_whose_worker_has_ended_is_handed_out_again,
    ),
    *(
        row
        for decision in ("finish", "park", "bury")
        for row in [
            *without(
                "reclaimable, not void", "parts/ack.lua",
                "if J.state == 'running' and J.lease == A.lease then return 'own' end",
                "if J.state == 'running' and J.lease == A.lease and tonumber(redis.call('ZSCORE', k_leases(), "
                "A.lease) or 0)"
                " > peek_clock() then return 'own' end",
                leases.test_the_holder_of_a_lapsed_lease_still_counts_until_it_is_taken_back, decision=decision,
            ),
            *without(
                "until another take", "parts/ack.lua", "if J.state == 'waiting' then return 'waiting' end", "",
                leases.test_the_last_holder_still_counts_until_another_take_has_claimed_the_job, decision=decision,
            ),
            *without(
                "fencing", "parts/ack.lua", "  return 'superseded'\nend", "  return 'own'\nend",
                leases.test_a_superseded_lease_decides_nothing, decision=decision,
            ),
            *without(
                "the truth", "parts/ack.lua", "J.state == 'dead' or J.state == 'expired'", "J.state == 'expired'",
                leases.test_a_late_answer_settles_a_job_whose_outcome_was_unknown, decision=decision,
            ),
            *without(
                "said twice", "parts/ack.lua", "  if J.acked == A.lease then return 'already' end\n", "",
                once.test_a_decision_said_twice_is_made_once, decision=decision,
            ),
        ]
    ),
    *without(
        "evidence is kept", "finish.lua", "job_note(J, ARGV[3])\n", "if mine then job_note(J, ARGV[3]) end\n",
        leases.test_the_evidence_of_a_superseded_lease_is_kept,
    ),
    *without(
        "its permit is settled", "parts/ack.lua", "    permit_correct(A.group, A.lease, A.settle, now)\n", "",
        leases.test_the_permit_of_a_superseded_lease_is_settled_when_its_answer_comes,
        leases.test_a_truth_settles_its_permit_where_it_belongs,
    ),
    *without(
        "who lost it is told", "renew.lua", "answer = 'unknown' else answer = 'lost' end",
        "answer = 'unknown' else answer = 'held' end",
        leases.test_a_renewal_of_a_superseded_lease_is_told_so,
    ),
    *without(
        "a gap shifts", "take.lua", "leases_shift_gap(now, A.lease_us)\n", "",
        leases.test_an_outage_longer_than_a_lease_takes_no_job_from_its_living_worker,
        crashes.test_an_outage_is_no_crash,
    ),
    *without(
        "silence is no gap", "parts/lease.lua", "or gap <= lease_us / 2 then return end",
        "or gap <= lease_us / 5 then return end",
        leases.test_an_ordinary_silence_lengthens_no_lease,
    ),
    *without(
        "upsert", "renew.lua", "answer = restore(entry, ARGV[blob])", "answer = 'lost'",
        leases.test_a_lease_that_the_store_has_forgotten_is_made_again_by_its_worker,
    ),
    *without(
        "upsert of jobs", "renew.lua",
        "if redis.call('EXISTS', k_job(entry.id)) == 0 then job_accept(facts, message, now) end",
        "if redis.call('EXISTS', k_job(entry.id)) == 0 then return 'lost' end",
        leases.test_a_job_that_the_store_has_forgotten_is_taken_in_again_by_its_worker,
        process.test_a_job_the_store_has_lost_is_brought_back_before_its_end_is_said,
    ),
    *without(
        "one permit", "parts/permit.lua",
        "    if redis.call('ZREM', k_late(w.name), lease) == 1 then\n      w.late = w.late - 1\n    else",
        "    if false then\n      w.late = w.late - 1\n    else",
        leases.test_a_lease_made_again_has_one_permit_not_two,
    ),
    *without(
        "fence by holder", "sending.lua", " or J.lease ~= A.lease then", " then",
        leases.test_only_the_holder_may_send_an_unrepeatable_call,
    ),
    *without(
        "fence by lease", "sending.lua", "if not redis.call('ZSCORE', k_leases(), A.lease) then return 0 end\n", "",
        leases.test_nothing_may_be_sent_for_a_lease_the_store_does_not_know,
    ),
    *without(
        "a parked job is not being sent", "parts/job.lua",
        "redis.call('HDEL', k_job(J.id), 'lease', 'sending')\n  if", "redis.call('HDEL', k_job(J.id), 'lease')\n  if",
        leases.test_a_job_parked_after_its_fence_is_not_marked_as_being_sent,
    ),
    *without(
        "the truth resolves", "parts/dead.lua", "    resolve_alert('problem:' .. fp, now)\n", "    local _ = nil\n",
        leases.test_the_alert_of_an_unknown_outcome_is_resolved_by_the_truth,
    ),
    *without(
        "the truth of the crashed", "parts/ack.lua", "J.state == 'dead' or", "J.err == 'outcome_unknown' or",
        leases.test_a_late_answer_settles_a_job_that_was_buried_as_crashed,
    ),
    *without(
        "the truth of the expired", "parts/ack.lua", "J.state == 'dead' or J.state == 'expired'", "J.state == 'dead'",
        leases.test_a_late_answer_settles_a_job_that_expired_meanwhile,
    ),
    *without(
        "a redrive begins anew", "parts/letter.lua", "'acked', 'last', 'sending')", "'acked', 'sending')",
        leases.test_after_a_redrive_a_late_answer_decides_nothing,
    ),
    *without(
        "a late permit stays", "parts/lease.lua", "more = expiry + transit - now}", "more = expiry - now}",
        leases.test_the_permit_of_a_lapsed_lease_is_held_until_the_call_can_no_longer_arrive_and_a_window_more,
    ),
    *without(
        "no longer than it must", "parts/lease.lua", "more = expiry + transit - now}",
        "more = math.max(0, expiry + transit - now)}",
        leases.test_the_permit_of_a_lapsed_lease_is_held_until_the_call_can_no_longer_arrive_and_a_window_more,
    ),
    *without(
        "forget first", "parts/window.lua", "  if #due > 0 or w.tot < settled then",
        "  w.first = w.first - 2 * SLOTS\n  ring_roll(w, now)\n  if #due > 0 or w.tot < settled then",
        leases.test_a_late_permit_is_not_forgotten_while_nobody_looks,
    ),
]  # fmt: skip
