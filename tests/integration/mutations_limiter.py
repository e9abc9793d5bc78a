"""The limiter's rules, and which test fails when one is taken out of the source."""

from tests.integration import test_rules_limiter_headers as headers
from tests.integration import test_rules_limiter_property as properties
from tests.integration import test_rules_limiter_refusals as refusals
from tests.integration import test_rules_limiter_reserve as reserve
from tests.integration import test_rules_limiter_windows as windows
from tests.integration.desk import UNANSWERED
from tests.integration.mutations import Mutation as Without
from tests.integration.mutations_limiter_care import CARE_RULES
from tests.integration.mutations_limiter_others import OTHERS_RULES

WINDOW, BUDGET, PERMIT = "parts/window.lua", "parts/budget.lua", "parts/permit.lua"
OTHERS = "parts/others.lua"
SERVE, ACK, LEASE = "parts/serve.lua", "parts/ack.lua", "parts/lease.lua"

_WINDOWS = [
    Without(
        "calls in flight occupy the window", BUDGET, "- w.tot - w.inf - w.fgn", "- w.tot - w.fgn",
        windows.test_no_more_permits_than_the_limit_are_out,
    ),
    Without(
        "settled calls occupy the window", BUDGET, "- w.tot - w.inf - w.fgn", "- w.inf - w.fgn",
        windows.test_a_permit_is_held_from_take_until_its_answer_and_one_window_more,
    ),
    Without(
        "a permit is held while its call is out", BUDGET, "- w.tot - w.inf - w.fgn", "- w.tot - w.fgn",
        windows.test_a_call_that_waits_for_its_answer_holds_its_permit_for_longer_than_the_window,
    ),
    Without(
        "the first byte counts", PERMIT, "        ring_add(w, now - (settle.age or 0))\n      else",
        "        ring_add(w, now)\n      else",
        windows.test_the_first_byte_of_the_answer_counts_not_the_moment_it_is_told,
    ),
    Without(
        "a bucket frees at its end", WINDOW, "math.floor((now - w.len) / w.bw)", "math.ceil((now - w.len) / w.bw)",
        windows.test_a_bucket_frees_at_its_end_plus_the_window_and_not_a_microsecond_earlier, {"offset_us": 20_833},
    ),
    Without(
        "take names the moment", WINDOW, "(i + b) * w.bw + w.len", "(i + b + 9) * w.bw + w.len",
        windows.test_take_names_the_very_moment_of_the_next_permit,
    ),
    Without(
        "all windows", BUDGET, "    room = math.min(room, free)\n", "    room = free\n",
        windows.test_the_fullest_window_decides_whichever_it_is,
        {"windows": {"day": (2, 86_400), "second": (9, 1)}},
    ),
    Without(
        "or none", SERVE, "      w.inf = w.inf - (want - given)\n", "",
        windows.test_permits_for_which_no_job_was_there_are_not_kept,
    ),
    Without(
        "refund", PERMIT, "      if settle.mode == 'refund' then\n        w.inf = w.inf - 1\n",
        "      if settle.mode == 'refund' then\n",
        windows.test_a_permit_of_which_no_byte_was_sent_goes_back_at_once,
    ),
    Without(
        "a refund wakes", PERMIT, "local freer = settle.mode == 'refund'", "local freer = false",
        reserve.test_a_refund_wakes_who_waits_for_a_time,
    ),
    Without(
        "an unanswered call may still arrive", PERMIT, "I(now + settle.more)", "I(now)",
        windows.test_an_unanswered_call_is_held_until_it_can_no_longer_arrive_and_one_window_more,
    ),
    Without(
        "an unanswered call is held for a window more", WINDOW, "    ring_add(w, tonumber(due[i + 1]))\n", "",
        windows.test_an_unanswered_call_is_held_until_it_can_no_longer_arrive_and_one_window_more,
    ),
    Without(
        "forgetting comes before moving on", WINDOW, "  ring_roll(w, now)\n  local due = {}\n", "  local due = {}\n",
        windows.test_an_unanswered_call_is_held_as_long_when_nobody_looks_in_between, {"looks_s": 60.1},
    ),
    Without(
        "a look in vain is written down", WINDOW, "if #due > 0 or w.tot < settled then window_save(w) end", "",
        windows.test_what_a_look_in_vain_has_counted_stays_counted,
    ),
    Without(
        "a dead worker's call may still arrive", LEASE, "more = expiry + transit - now", "more = 0",
        windows.test_the_permit_of_a_dead_worker_is_held_until_lease_and_transit_and_window_are_over,
    ),
    Without(
        "a late answer is put in its place", ACK, "    permit_correct(A.group, A.lease, A.settle, now)\n", "",
        windows.test_an_answer_that_comes_after_its_lease_puts_the_permit_where_it_belongs,
    ),
    Without(
        "never over the limit", WINDOW, "math.floor((now - w.len) / w.bw)", "math.floor((now - w.len * 0.9) / w.bw)",
        properties.test_no_window_of_the_remote_side_is_ever_overfull,
    ),
    Without(
        "nearly all of it", WINDOW, "w.bw = math.ceil(w.len / 1440)\n  if", "w.bw = math.ceil(w.len / 10)\n  if",
        properties.test_saturated_demand_uses_nearly_all_of_the_limit, {"slowest_s": 0.02},
    ),
]  # fmt: skip

_HEADERS = [
    Without(
        "others use the rest", BUDGET, "- w.tot - w.inf - w.fgn", "- w.tot - w.inf",
        headers.test_what_we_cannot_have_used_others_have,
    ),
    Without(
        "the most that can be ours", BUDGET, "occ + (w.taken - taken)", "w.tot",
        headers.test_calls_in_flight_may_have_been_counted_already_and_are_ours,
    ),
    Without(
        "sent meanwhile is ours", BUDGET, "occ + (w.taken - taken)", "occ",
        headers.test_calls_sent_between_a_call_and_its_answer_are_ours,
    ),
    Without(
        "given back is not ours", PERMIT, "w.taken = w.taken - 1", "w.taken = w.taken",
        headers.test_a_permit_that_was_given_back_hides_no_foreign_call,
    ),
    Without(
        "not by an earlier one", BUDGET, "told.remaining and sent >= w.fgn_at", "told.remaining",
        headers.test_the_headers_of_a_call_sent_earlier_change_nothing,
    ),
    Without(
        "gone after the window", WINDOW, "if w.fgn > 0 and w.fgn_till <= now then w.fgn = 0 end", "",
        headers.test_what_others_use_is_gone_one_window_after_it_was_told,
    ),
    Without(
        "ours is never lowered", BUDGET, "math.max(0, ((told.limit or w.lim) - told.remaining) - ours)",
        "((told.limit or w.lim) - told.remaining) - ours", headers.test_our_own_count_is_never_lowered_by_a_header,
    ),
    Without(
        "less foreign use wakes", OTHERS, "return w.fgn < was", "return false",
        headers.test_when_others_turn_out_to_use_less_waiting_jobs_are_woken,
    ),
    Without(
        "a lower limit at once", BUDGET, "  if told > w.lim then\n", "  if told ~= w.lim then\n",
        headers.test_a_lower_limit_holds_at_once,
    ),
    Without(
        "a higher one after three", BUDGET, "if w.rn < 3 then", "if w.rn < 2 then",
        headers.test_a_higher_limit_holds_after_three_equal_answers_and_wakes_who_waits,
    ),
    Without(
        "three equal ones", BUDGET, "w.rv == told and w.rn + 1 or 1", "w.rn + 1",
        headers.test_answers_that_disagree_raise_nothing, {"between": 40},
    ),
    Without(
        "a value in force starts anew", BUDGET,
        "    if told == w.lim then w.rv, w.rn = 0, 0 end\n", "",
        headers.test_answers_that_disagree_raise_nothing, {"between": 30},
    ),
    Without(
        "up to the ceiling", BUDGET, "math.min(told, w.ceil)", "told",
        headers.test_no_header_raises_a_limit_above_what_settings_allow,
    ),
]  # fmt: skip

_REFUSALS = [
    Without(
        "a refusal closes", BUDGET, "    if w.shut > now then\n      free = 0\n", "    if w.shut > now then\n",
        refusals.test_a_refusal_closes_the_budget_for_every_process_until_the_time_that_was_asked,
    ),
    Without(
        "the time that was asked", BUDGET, "again = again == BLOCKED and w.shut or later_of(again, w.shut)",
        "again = now + 1000000",
        refusals.test_take_names_the_moment_a_closed_budget_opens,
    ),
    Without(
        "used-up windows only", PERMIT, "if next(chosen) == nil or chosen[", "if true or chosen[",
        refusals.test_only_the_windows_that_are_used_up_are_closed,
    ),
    Without(
        "the longer wait stays", PERMIT, "math.max(w.shut, now + wait), now", "now + wait, now",
        refusals.test_a_shorter_wait_does_not_open_what_a_longer_one_has_closed,
    ),
    Without(
        "doubles", PERMIT, "close.base * 2 ^ math.min(n - 1, 30)", "close.base",
        refusals.test_without_a_hint_each_refusal_in_a_row_doubles_the_wait,
    ),
    Without(
        "jitter", PERMIT, "(0.5 + close.jitter / 2)", "1",
        refusals.test_the_wait_without_a_hint_is_spread, {"jitter": 0, "expected": 0.5},
    ),
    Without(
        "once per generation", PERMIT, "if info.at >= at then n = n + 1 end", "n = n + 1",
        refusals.test_calls_that_were_out_together_double_the_wait_once,
    ),
    Without(
        "a success ends the row", "finish.lua",
        "if any(k_refusals()) then redis.call('HDEL', k_refusals(), A.group) end\n", "",
        refusals.test_a_success_starts_the_row_anew,
    ),
    Without(
        "capped by the setting", PERMIT, "math.min(close.cap, longest_wait(group),", "math.min(longest_wait(group),",
        refusals.test_the_wait_without_a_hint_is_never_longer_than_the_setting,
    ),
    Without(
        "capped by the window", PERMIT, "math.min(close.cap, longest_wait(group),", "math.min(close.cap,",
        refusals.test_the_wait_without_a_hint_is_never_longer_than_the_window_and_a_tenth,
    ),
    Without(
        "too long is held", "park.lua", "A.close.after > longest_wait(A.group)", "false",
        refusals.test_a_wait_that_no_window_can_explain_holds_the_budget_and_alerts_once,
        {"close": {"after_s": 66.1}, "why": ""},
    ),
    Without(
        "nonsense is held", "park.lua", "A.close.nonsense or ", "",
        refusals.test_a_wait_that_no_window_can_explain_holds_the_budget_and_alerts_once,
        {"close": {"nonsense": True}, "why": ""},
    ),
    Without(
        "a tenth is believed", PERMIT, "longest * 1.1", "longest",
        refusals.test_a_wait_as_long_as_the_window_and_a_tenth_is_believed,
    ),
    Without(
        "budgets without windows", BUDGET, "    if shut > now then return 0, shut end\n", "",
        refusals.test_a_budget_without_windows_closes_too,
    ),
    Without(
        "a held account opens", ACK, "else probe_answered(info.probe, A.lease, refused, now) end", "end",
        refusals.test_a_held_account_lets_one_call_try_and_opens_when_it_is_not_refused,
    ),
    Without(
        "no answer opens nothing", ACK, "A.settle.mode ~= 'answered' or A.close", "A.settle.mode == 'refund'",
        refusals.test_a_try_that_came_to_no_answer_opens_nothing_and_is_followed_by_another, {"settle": UNANSWERED},
    ),
    Without(
        "a refused handshake is an answer", ACK, "local void = not refused and ", "local void = ",
        refusals.test_a_try_that_was_refused_before_it_was_a_request_is_not_followed_by_another_at_once,
        {"settle": UNANSWERED},
    ),
    Without(
        "a limit opens nothing", ACK, "A.settle.mode ~= 'answered' or A.close", "A.settle.mode ~= 'answered'",
        refusals.test_a_try_that_met_a_limit_says_nothing_about_the_credential,
    ),
    Without(
        "both holds", SERVE, "and not hold.probe and not other then", "and not hold.probe then",
        refusals.test_a_try_for_an_account_does_not_pass_a_budget_that_is_held_as_well,
    ),
]  # fmt: skip

LIMITER_RULES: list[Without] = [*_WINDOWS, *_HEADERS, *_REFUSALS, *CARE_RULES, *OTHERS_RULES]
