"""More of the limiter's rules: room for urgent work, a store that forgets, settings that change."""

from tests.integration import test_rules_limiter_changes as changes
from tests.integration import test_rules_limiter_loss as loss
from tests.integration import test_rules_limiter_relearn as relearn
from tests.integration import test_rules_limiter_reserve as reserve
from tests.integration import test_rules_limiter_suspect as suspect
from tests.integration.desk import BULK
from tests.integration.mutations import Mutation as Without

WINDOW, BUDGET, PERMIT = "parts/window.lua", "parts/budget.lua", "parts/permit.lua"
SERVE, LANE, ACK = "parts/serve.lua", "parts/lane.lua", "parts/ack.lua"
SUSPECT, CLOCK = "parts/suspect.lua", "parts/clock.lua"

_RESERVE = [
    Without(
        "a share is kept", BUDGET, "w.lim - window_reserve(w, p, now) - w.tot", "w.lim - w.tot",
        reserve.test_while_urgent_work_is_about_the_others_leave_their_share, {"prio": BULK, "free": 80},
    ),
    Without(
        "only while urgent work is about", WINDOW, "urgent == 0 or urgent < now - 10 * w.len", "false",
        reserve.test_without_urgent_work_nothing_is_kept, {"prio": BULK},
    ),
    Without(
        "ten windows", WINDOW, "now - 10 * w.len", "now - 20 * w.len",
        reserve.test_ten_windows_after_the_last_urgent_job_nothing_is_kept_any_more,
    ),
    Without(
        "a minute and longer", WINDOW, "p == 0 or w.len < 60000000", "p == 0",
        reserve.test_a_window_shorter_than_a_minute_keeps_nothing,
    ),
    Without(
        "one is always open", WINDOW, "math.min(math.ceil(w.lim * share / 1000), w.lim - 1)",
        "math.ceil(w.lim * share / 1000)", reserve.test_at_least_one_permit_is_open_to_everybody, {"allowed": 2},
    ),
    Without(
        "the reserve is for now", "parts/accept.lua",
        "for _, name in ipairs(windows_of(J.group) or {}) do redis.call('HSET', k_window(name), 'urg', I(now)) end", "",
        reserve.test_while_urgent_work_is_about_the_others_leave_their_share, {"prio": BULK, "free": 80},
    ),
    Without(
        "half of the fleet", SERVE, "math.floor(FLEET / 2))", "math.floor(FLEET))",
        reserve.test_one_lane_has_at_most_half_of_the_fleets_threads_in_flight,
    ),
    Without(
        "never under one", SERVE, "return math.max(1, math.floor(", "return math.max(0, math.floor(",
        reserve.test_a_lane_may_always_have_one_call_in_flight, {"threads": 1},
    ),
    Without(
        "caps that have grown", LANE, "      redis.call('SREM', k_capped(), lane)\n", "",
        reserve.test_a_lane_that_was_set_aside_takes_part_when_the_fleet_has_grown,
    ),
    Without(
        "the general cap", SERVE, " or conf_read('lane_cap')", "",
        reserve.test_a_cap_in_the_settings_goes_before_the_half,
    ),
    Without(
        "a landed call makes room", LANE, "if any(k_capped()) and redis.call('SREM', k_capped(), lane) == 1 then",
        "if false then",
        reserve.test_a_lane_at_its_cap_is_looked_at_again_when_a_call_of_it_is_over, {"end": "finish"},
    ),
    Without(
        "the last thread", "take.lua", "then keep = 1 end", "then keep = 0 end",
        reserve.test_while_urgent_work_is_about_a_process_keeps_its_last_thread_for_it,
    ),
    Without(
        "the last thread is not kept for nobody", "take.lua", "A.keep == 1 and URGENT > now - 600000000",
        "A.keep == 1", reserve.test_without_urgent_work_the_last_thread_is_kept_for_nobody,
    ),
]  # fmt: skip

_SUSPECT = [
    Without(
        "an empty store is suspect", SUSPECT, "    suspect_begin('empty', lease_us, mode, now)\n", "",
        suspect.test_an_empty_store_hands_out_nothing_for_one_lease,
    ),
    Without(
        "nothing for one lease", SUSPECT, "= now, now + lease_us, cause", "= now, now, cause",
        suspect.test_an_empty_store_hands_out_nothing_for_one_lease,
    ),
    Without(
        "a first start may say so", SUSPECT, "if mode == 'fresh' and cause == 'empty' then return end", "",
        suspect.test_a_first_start_that_says_so_is_not_suspect,
    ),
    Without(
        "a restart is suspect", SUSPECT, "    suspect_begin('restart', lease_us, mode, now)\n", "",
        suspect.test_a_restart_that_may_have_lost_its_tail_is_suspect_whatever_a_first_start_says,
    ),
    Without(
        "fresh is for empty stores", SUSPECT, "mode == 'fresh' and cause == 'empty'", "mode == 'fresh'",
        suspect.test_a_restart_that_may_have_lost_its_tail_is_suspect_whatever_a_first_start_says,
    ),
    Without(
        "a durable restart is not", SUSPECT, "RUN ~= run and not (durable and before == '1')", "RUN ~= run",
        suspect.test_a_restart_that_cannot_have_lost_anything_is_not_suspect,
    ),
    Without(
        "the run before", SUSPECT, "(durable and before == '1')", "durable",
        suspect.test_a_run_that_promises_more_than_the_one_before_cannot_speak_for_it,
    ),
    Without(
        "this run too", SUSPECT, "(durable and before == '1')", "(before == '1')",
        suspect.test_a_run_that_lost_nothing_cannot_speak_for_a_replica_that_took_over,
    ),
    Without(
        "what a run was for a while", SUSPECT, "(RUN ~= run or before ~= '0')", "true",
        suspect.test_a_run_that_had_a_replica_for_a_while_is_not_believed_although_it_had_none_at_either_end,
    ),
    Without(
        "a doubt ends with its run", SUSPECT, "(RUN ~= run or before ~= '0')", "(before ~= '0')",
        suspect.test_a_run_that_promises_more_than_the_one_before_cannot_speak_for_it,
    ),
    Without(
        "looked at again and again", SUSPECT, "if RUN == run and before == kept then return end",
        "if RUN == run then return end",
        suspect.test_a_run_that_had_a_replica_for_a_while_is_not_believed_although_it_had_none_at_either_end,
    ),
    Without(
        "unknown yet", SUSPECT, "before ~= '0')", "before == '1')",
        suspect.test_a_run_of_which_nothing_is_known_yet_is_what_it_is_seen_to_be,
    ),
    Without(
        "one at a time", BUDGET, "if w.inf == 0 then return 1, now end", "if w.inf < 100 then return 100, now end",
        suspect.test_after_the_quiet_time_one_call_is_in_flight_until_headers_have_told,
    ),
    Without(
        "until headers have told", BUDGET, "or w.sure > doubt.unsure or", "or",
        suspect.test_after_the_quiet_time_one_call_is_in_flight_until_headers_have_told,
    ),
    Without(
        "told by a call sent since", BUDGET, "w.sure > doubt.unsure", "w.sure > 0",
        suspect.test_the_answer_to_a_call_of_before_the_loss_tells_nothing_about_now,
    ),
    Without(
        "a claim made again is old", "renew.lua", "A.worker, entry.full.probe, taken)",
        "A.worker, entry.full.probe, now)",
        suspect.test_the_answer_to_a_claim_that_was_made_again_tells_nothing_about_now,
    ),
    Without(
        "a probe that is lost", BUDGET, "return 0, window_late(w, now) or BLOCKED", "return 0, BLOCKED",
        suspect.test_a_probe_without_an_answer_is_followed_by_another,
    ),
    Without(
        "without headers", BUDGET, "if doubt.headers and doubt.mode ~= 'wait' then", "if doubt.mode ~= 'wait' then",
        suspect.test_an_api_without_headers_waits_its_own_window,
    ),
    Without(
        "wait", BUDGET, "if doubt.headers and doubt.mode ~= 'wait' then", "if doubt.headers then",
        suspect.test_who_wants_no_probe_waits_the_window_even_with_headers,
    ),
    Without(
        "care ends", BUDGET, " or now >= sure_at then", " then",
        suspect.test_care_ends_by_itself_after_a_window,
    ),
    Without(
        "a step ahead", "take.lua", "if A.expect and now - A.expect > 100000 then", "if false then",
        suspect.test_a_clock_that_jumped_ahead_is_told_to_who_asks_and_frees_nothing,
    ),
    Without(
        "one step, one pause", "suspect.lua", "if now >= QUIET then", "if true then",
        suspect.test_two_processes_that_saw_the_same_step_wait_once,
    ),
    Without(
        "never back", CLOCK, "  if now <= last then\n", "  if false then\n",
        suspect.test_a_clock_that_stepped_back_frees_nothing_early_and_keeps_nothing_longer,
    ),
    Without(
        "no wait for the clock to catch up", CLOCK, "if last - now > 1000 then ahead = last + 1 - raw end", "",
        suspect.test_a_clock_that_stepped_back_frees_nothing_early_and_keeps_nothing_longer,
    ),
    Without(
        "operators wait too", "permit.lua", "if now < QUIET then return {0, now, QUIET} end\n", "",
        suspect.test_a_check_of_an_operator_is_not_handed_out_in_the_quiet_time,
    ),
    Without(
        "operators look at the run", "permit.lua", "suspect_check(A.run, A.durable, A.quiet_us, A.mode, now)\n", "",
        suspect.test_a_check_of_an_operator_may_be_the_first_to_meet_a_store_that_has_forgotten,
    ),
    Without(
        "operators look at the clock", "permit.lua", "if A.expect and now - A.expect > 100000 then", "if false then",
        suspect.test_a_check_of_an_operator_is_shown_a_clock_that_jumped_ahead,
    ),
    Without(
        "nothing is open in the quiet time", "windows.lua", "if now < QUIET then at = math.max(at, QUIET) end", "",
        suspect.test_who_looks_at_a_budget_is_told_of_the_care_it_is_handed_out_with, {"headers": True},
    ),
    Without(
        "who looks is told of the care", "windows.lua", "A.p or 1, now, doubt)",
        "A.p or 1, now, {unsure = 0, quiet = 0, transit = 0})",
        suspect.test_who_looks_at_a_budget_is_told_of_the_care_it_is_handed_out_with, {"headers": False},
    ),
]  # fmt: skip

_CHANGES = [
    Without(
        "a lowered limit", "configure.lua", "if w.lim > c.limit or w.lim == w.ceil then", "if false then",
        changes.test_a_lowered_limit_holds_at_once_and_what_is_out_counts,
    ),
    Without(
        "a raised limit wakes", "configure.lua", "for account in pairs(A.accounts) do open_gates(account, now) end\n",
        "", changes.test_a_raised_limit_holds_at_once_and_wakes_who_waits,
    ),
    Without(
        "a limit headers have lowered", "configure.lua", "w.lim > c.limit or w.lim == w.ceil", "true",
        changes.test_a_limit_that_headers_have_lowered_stays_low_when_settings_are_raised,
    ),
    Without(
        "used stays used", "configure.lua",
        "  if w.tot > 0 then ring_write(w, math.floor(now / w.bw), struct.pack('>I4', w.tot)) end\n",
        "  w.tot = 0\n", changes.test_a_window_of_another_length_keeps_what_was_used_for_a_whole_new_window,
        {"length": 30},
    ),
    Without(
        "foreign use too", "configure.lua", "I(w.fgn_till + c.len_us - w.len)", "I(w.fgn_till)",
        changes.test_what_others_use_stays_as_long_as_the_new_window,
    ),
    Without(
        "no flap", "configure.lua", "and (carried and seen > now - DIGEST_LIVES) then", "and false then",
        changes.test_the_older_version_of_a_rolling_deploy_does_not_bring_its_limits_back,
    ),
    Without(
        "a version may come back", "parts/workers.lua", "local DIGEST_LIVES = 60000000", "local DIGEST_LIVES = 10^13",
        changes.test_a_version_whose_workers_are_gone_may_come_back,
    ),
    Without(
        "who is left", "take.lua", "and not digest_lives(digest, now)) then", "and false) then",
        changes.test_after_a_deploy_was_taken_back_the_settings_of_who_is_left_hold,
    ),
]  # fmt: skip

_LOSS = [
    Without(
        "a loss closes windows", SUSPECT, "= now, now + lease_us, cause", "= 0, now + lease_us, cause",
        loss.test_a_restart_that_lost_its_last_moments_lets_no_window_overflow,
    ),
    Without(
        "what is forgotten is asked for", ACK, "then return 'forgotten' end\n", "then return 'superseded' end\n",
        loss.test_the_answer_to_a_claim_of_the_lost_moments_counts_and_is_not_asked_for_again,
        {"remembered": "waiting"},
    ),
    Without(
        "an earlier claim gives way", "renew.lua", "if J.state == 'running' and (entry.full.taken or 0) >",
        "if false and (entry.full.taken or 0) >",
        loss.test_the_answer_to_a_claim_of_the_lost_moments_counts_and_is_not_asked_for_again,
        {"remembered": "an earlier claim"},
    ),
    Without(
        "a claim made again has its permit", PERMIT, "      w.inf = w.inf + 1\n      w.taken = w.taken + 1\n",
        "      w.inf = w.inf + 0\n", suspect.test_a_claim_that_was_made_again_has_its_permit_again,
    ),
    Without(
        "what the probe was told holds", "parts/others.lua", "  if now < kept then fallen = 0 end\n", "",
        suspect.test_what_the_lone_probe_was_told_is_not_made_less_by_calls_that_were_in_flight_together,
    ),
    Without(
        "a dead worker may have sent", BUDGET, "local sure_at = doubt.quiet + doubt.transit + w.len",
        "local sure_at = doubt.unsure + doubt.transit + w.len",
        suspect.test_an_api_without_headers_waits_its_own_window,
    ),
]  # fmt: skip

_RELEARN = [
    Without(
        "the configured limit again", "relearn.lua", "'lim', I(math.max(w.lim, w.ceil)), ", "",
        relearn.test_a_limit_that_one_odd_answer_lowered_for_a_day_is_the_configured_one_again,
    ),
    Without(
        "others again", "relearn.lua", ", 'fgn', '0', 'fgn_till', '0')", ")",
        relearn.test_what_others_were_told_to_use_is_forgotten_even_where_nothing_may_be_sent_any_more,
        dies_of=(ValueError,),
    ),
    Without(
        "closed windows", "relearn.lua", "'shut', '0', ", "",
        relearn.test_a_window_that_a_refusal_closed_for_hours_is_tried_by_one_call, dies_of=(ValueError,),
    ),
    Without(
        "one call goes first", "relearn.lua", "budget ~= 'control' then budget_probe(A.account .. '|' .. budget) end",
        "false then budget_probe('') end",
        relearn.test_one_call_goes_first_and_what_it_is_told_holds_before_the_second,
    ),
    Without(
        "at once", "relearn.lua", "  hold.probe_at = I(now)\n", "",
        relearn.test_one_call_goes_first_and_what_it_is_told_holds_before_the_second,
    ),
    Without(
        "a hold that no job could end", "relearn.lua", "concerned and budget ~= 'control'", "concerned",
        relearn.test_a_budget_that_checks_alone_use_is_not_held_for_a_job_that_never_comes,
    ),
    Without(
        "who waits is woken", "relearn.lua", "  open_gates(A.account, now)\n", "",
        relearn.test_one_call_goes_first_and_what_it_is_told_holds_before_the_second,
    ),
    Without(
        "who forgot it", "relearn.lua", "by = A.by, reason = A.reason, count", "reason = A.reason, count",
        relearn.test_who_forgot_it_is_in_the_audit,
    ),
]  # fmt: skip

CARE_RULES: list[Without] = [*_RESERVE, *_SUSPECT, *_CHANGES, *_LOSS, *_RELEARN]
