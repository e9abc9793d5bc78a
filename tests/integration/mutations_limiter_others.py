"""The limiter's rules about others who use the same account."""

from tests.integration import test_estimates as estimates
from tests.integration import test_rules_limiter_neighbours as neighbours
from tests.integration import test_rules_limiter_others as others
from tests.integration.mutations import Mutation as Without

BUDGET, PERMIT, OTHERS = "parts/budget.lua", "parts/permit.lua", "parts/others.lua"

_TOLD = [
    Without(
        "the most stands", OTHERS, "if least >= was - fallen then", "if true then",
        others.test_of_calls_in_flight_together_the_one_that_knows_most_is_believed,
    ),
    Without(
        "more counts at once", OTHERS, "if least >= was - fallen then", "if was == 0 then",
        others.test_more_use_by_others_counts_at_once,
    ),
    Without(
        "less as the window passes", OTHERS, "w.lim * (now - w.top)", "2 * w.lim * (now - w.top)",
        others.test_what_others_use_becomes_less_no_faster_than_the_window_passes, {"steps": 1},
    ),
    Without(
        "and not slower", OTHERS, "w.lim * (now - w.top)", "w.lim / 2 * (now - w.top)",
        others.test_what_others_use_becomes_less_no_faster_than_the_window_passes, {"steps": 10},
    ),
    Without(
        "to the fraction", OTHERS, "w.top + math.ceil(fallen * w.len / w.lim)", "now",
        others.test_what_others_use_becomes_less_no_faster_than_the_window_passes, {"steps": 70},
    ),
    Without(
        "a refusal is a sign", PERMIT, "w.shut, w.sign = math.max(w.shut, now + wait), now",
        "w.shut = math.max(w.shut, now + wait)", others.test_a_refusal_says_that_there_are_others,
    ),
    Without(
        "who tells nothing any more", PERMIT, "        others_untold(w, now)\n", "",
        others.test_when_answers_tell_nothing_any_more_nobody_waits_for_them,
    ),
    Without(
        "and is not forgotten for it", OTHERS, "then w.heard = 0 end", "then w.heard, w.fgn_till = 0, 0 end",
        others.test_when_answers_tell_nothing_any_more_nobody_waits_for_them,
    ),
]  # fmt: skip

_FORETOLD = [
    Without(
        "an estimate leaves others their room", "forecast.lua", "window_reserve(w, A.p, now) - others)",
        "window_reserve(w, A.p, now))",
        estimates.test_what_others_use_and_what_is_kept_free_for_them_is_counted_in_every_turn,
    ),
    Without(
        "and the margin", "forecast.lua", "w.fgn + others_margin(w, now)", "w.fgn",
        estimates.test_what_others_use_and_what_is_kept_free_for_them_is_counted_in_every_turn,
    ),
    Without(
        "an estimate is as careful as the jobs", "forecast.lua", ", sure_from(w, n))", ")",
        estimates.test_after_a_loss_the_estimate_waits_as_the_jobs_do,
    ),
]  # fmt: skip

_CARE = [
    Without(
        "only where something is told", OTHERS, "  if w.heard == 0 then return free, now end", "",
        others.test_where_nothing_was_ever_told_there_is_no_care, {"account_of_headers": False},
    ),
    Without(
        "no care when alone", OTHERS, "if not lull and w.fgn == 0 and now >= w.sign + SURE_WINDOWS * w.len then",
        "if false then", others.test_where_others_are_long_gone_all_may_go_at_once_when_there_is_no_lull,
    ),
    Without(
        "a window and a half", OTHERS, "local SURE_WINDOWS = 1.5", "local SURE_WINDOWS = 1",
        others.test_others_are_reckoned_with_for_a_window_and_a_half_after_their_last_sign,
        {"windows": 1.45, "careful": True},
    ),
    Without(
        "and no longer", OTHERS, "local SURE_WINDOWS = 1.5", "local SURE_WINDOWS = 2",
        others.test_others_are_reckoned_with_for_a_window_and_a_half_after_their_last_sign,
        {"windows": 1.55, "careful": False},
    ),
    Without(
        "a margin", OTHERS, "free = free - others_margin(w, now)", "",
        others.test_a_margin_is_left_that_grows_while_nothing_is_told,
    ),
    Without(
        "a margin of a standard deviation and a half", OTHERS, "math.ceil(1.5 * math", "math.ceil(math",
        others.test_a_margin_that_takes_all_is_waited_out_until_the_lull,
    ),
    Without(
        "a margin ends with the lull", OTHERS, "local at = leaves and math.min(math.abs(leaves), lull_at + 1) or",
        "local at = leaves and math.abs(leaves) or", others.test_a_margin_that_takes_all_is_waited_out_until_the_lull,
    ),
    Without(
        "an answer makes the margin less", OTHERS, "return 0, w.inf > w.late and -at or at", "return 0, at",
        others.test_a_margin_that_takes_all_gives_way_when_an_answer_has_told,
    ),
    Without(
        "a third", OTHERS, "most = math.max(2, math.floor(free / ROOM_SHARE))", "most = free",
        others.test_a_third_of_what_is_free_may_be_out_unheard,
    ),
    Without(
        "never under two", OTHERS, "most = math.max(2, ", "most = math.max(1, ",
        others.test_near_the_limit_two_may_be_out,
    ),
    Without(
        "unheard, not unanswered", OTHERS, "math.min(w.taken - w.heard, w.inf - w.late)", "(w.inf - w.late)",
        others.test_a_third_of_what_is_free_may_be_out_unheard,
    ),
    Without(
        "who will not answer", OTHERS, "math.min(w.taken - w.heard, w.inf - w.late)", "(w.taken - w.heard)",
        others.test_calls_that_will_not_be_answered_are_not_waited_for,
    ),
    Without(
        "a second's patience", OTHERS, "  if now >= w.asked + PATIENCE then return 1, now end\n", "",
        others.test_calls_that_keep_quiet_hold_the_others_up_for_a_second,
    ),
    Without(
        "from the last that was sent", BUDGET, "    w.asked = w.now\n", "",
        others.test_calls_that_keep_quiet_hold_the_others_up_for_a_second,
    ),
    Without(
        "one asks after a lull", OTHERS, "now < w.sign + ASK_WINDOWS * w.len and 1 or math.max", "math.max",
        others.test_after_a_lull_one_call_asks_before_others_follow,
    ),
    Without(
        "for ten windows", OTHERS, "local ASK_WINDOWS = 10", "local ASK_WINDOWS = 9",
        others.test_one_call_alone_ends_a_lull_for_ten_windows_after_their_last_sign,
        {"windows": 9.5, "alone": True},
    ),
    Without(
        "and not longer", OTHERS, "local ASK_WINDOWS = 10", "local ASK_WINDOWS = 11",
        others.test_one_call_alone_ends_a_lull_for_ten_windows_after_their_last_sign,
        {"windows": 10.5, "alone": False},
    ),
    Without(
        "two journeys are no lull", OTHERS, ", 2 * (told - w.fgn_at))", ", 0)",
        others.test_for_a_slow_api_a_lull_is_two_journeys,
    ),
    Without(
        "a third after a lull", OTHERS, "1 or math.max(1, math.floor(free / ROOM_SHARE))", "1 or free",
        others.test_where_others_are_long_gone_a_third_may_go_after_a_lull,
    ),
    Without(
        "whom nobody has seen", OTHERS, "  if w.sign == 0 then return free, now end", "",
        others.test_where_nobody_else_was_ever_seen_all_may_go_after_a_lull,
    ),
]  # fmt: skip

_FIGURES = [
    Without(
        "of a steady user, few refusals", OTHERS, "most = math.max(2, math.floor(free / ROOM_SHARE))", "most = free",
        neighbours.test_a_second_shared_with_others_is_used_and_hardly_refused, {"evenly": True},
    ),
    Without(
        "of a random user, few refusals", OTHERS, "most = math.max(2, math.floor(free / ROOM_SHARE))", "most = free",
        neighbours.test_a_second_shared_with_others_is_used_and_hardly_refused, {"evenly": False},
    ),
    Without(
        "before a refusal of the day", BUDGET, "- w.tot - w.inf - w.fgn", "- w.tot - w.inf",
        neighbours.test_when_others_eat_half_of_the_day_bulk_slows_before_a_refusal_and_urgent_work_is_served,
    ),
    Without(
        "nobody is made up", BUDGET, "local ours = occ + (w.taken - taken)", "local ours = occ",
        neighbours.test_nobody_is_made_up_by_jitter_in_a_stampede, {"lag_s": 0.6},
    ),
]  # fmt: skip

OTHERS_RULES: list[Without] = [*_TOLD, *_FORETOLD, *_CARE, *_FIGURES]
