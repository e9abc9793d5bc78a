"""The rules of operations on many letters, and which test fails when one is taken out of the source."""

from functools import partial

from tests.integration import test_rules_bulk as bulk
from tests.integration.mutations import Mutation, without

STEP, WALK, LETTER, TOLD = "bulk_step.lua", "parts/bulk.lua", "parts/letter.lua", "parts/bulk_told.lua"
DEAD, SERVE = "parts/dead.lua", "parts/serve.lua"

# What should have been done once may be missing altogether.
rule = partial(without, dies_of=(AssertionError, LookupError, ValueError))

BULK_RULES: list[Mutation] = [
    *rule(
        "who dies later is not covered", WALK, "I(from), I(F['until']), 'WITHSCORES'", "I(from), '+inf', 'WITHSCORES'",
        bulk.test_it_covers_the_letters_there_are_each_once_and_none_that_come_later,
        bulk.test_a_letter_that_dies_again_is_not_sent_round_by_the_same_operation,
    ),
    *rule(
        "a filter is all of its words", WALK, "and is(F['class'], J.err)", "",
        bulk.test_a_filter_means_its_letters_and_no_other,
        wanted={"operation": "car.start", "class": "malformed"}, fits=0,
    ),
    *rule(
        "the name decides within a moment", WALK, "if score > from or stands_after(id, last) then",
        "if score > from then", bulk.test_letters_of_one_moment_are_each_done_once,
    ),
    *rule(
        "on past a portion of one moment", WALK, "offset = came and 0 or offset + LOOK", "if not came then break end",
        bulk.test_more_of_one_moment_than_a_portion_are_all_seen,
    ),
    *rule(
        "no more than asked for", STEP, "    if B.limit > 0 and B.done + B.left >= B.limit then return false end\n", "",
        bulk.test_no_more_than_asked_for_are_done,
    ),
    *rule(
        "what goes in a circle is left", LETTER,
        "  if not again and tonumber(J.redrives or 0) >= ROUNDS then return 'circling' end\n", "",
        bulk.test_the_plan_counts_by_cause_by_lane_and_what_would_be_left_alone,
    ),
    *rule(
        "the unknown is left", LETTER, "(J.err == 'outcome_unknown' or ", "(",
        bulk.test_the_plan_counts_by_cause_by_lane_and_what_would_be_left_alone,
    ),
    *rule(
        "a plan is not done", "bulk_make.lua", "redis.call('ZADD', k_bulks(), I(now), A.id)",
        "redis.call('ZADD', k_bulks(), I(now), A.id) redis.call('ZADD', k_bulk_open(), I(now), A.id) "
        "redis.call('HSET', k_bulk(A.id), 'state', 'running')",
        bulk.test_what_is_planned_is_not_done_and_goes_after_a_day,
    ),
    *rule(
        "a plan goes after a day", "bulk_make.lua", "redis.call('EXPIRE', k_bulk(A.id), 86400)\n", "",
        bulk.test_what_is_planned_is_not_done_and_goes_after_a_day,
    ),
    *rule(
        "a yes is said once", "bulk_start.lua", "if B.state ~= 'planned' then return B.state end\n", "",
        bulk.test_saying_yes_twice_is_saying_it_once,
        bulk.test_a_cancel_stops_it_where_it_is_and_says_how_much_was_done,
    ),
    *rule(
        "one carries it", STEP, "B.claim > now and B.carrier ~= A.worker", "false",
        bulk.test_one_process_carries_it_and_another_goes_on_when_it_is_silent,
    ),
    *rule(
        "a claim lapses", STEP, "I(math.max(now, due) + CLAIM)", "I(now + 86400000000)",
        bulk.test_one_process_carries_it_and_another_goes_on_when_it_is_silent,
    ),
    *rule(
        "a cancel stops it", "bulk_cancel.lua", "'state', 'cancelled', 'ended'", "'ended'",
        bulk.test_a_cancel_stops_it_where_it_is_and_says_how_much_was_done,
    ),
    *rule(
        "no step without a yes or after a no", STEP, "if not B or B.state ~= 'running' then", "if not B then",
        bulk.test_a_cancel_that_comes_between_is_heard,
    ),
    *rule(
        "what is over is not cancelled", "bulk_cancel.lua", "if B.state == 'done' then return 'done' end\n", "",
        bulk.test_what_is_done_is_not_cancelled,
    ),
    *rule(
        "it goes when it is old", STEP, "  redis.call('EXPIRE', k_bulk(B.id), I(B.ttl))\n", "",
        bulk.test_what_is_done_is_not_cancelled,
    ),
    *rule(
        "the pace", STEP, "    if did >= may then return false end\n", "", bulk.test_it_keeps_its_pace, pace=7,
    ),
    *rule(
        "lost time is lost", STEP, "local tat = math.max(B.tat, now - ", "local tat = math.max(B.tat, 0 * ",
        bulk.test_time_in_which_nobody_carried_it_is_not_made_up_for,
    ),
    *rule(
        "few under way", STEP, "    if did >= room then", "    if false then", bulk.test_few_are_under_way_at_once,
    ),
    *rule(
        "half a lane stays free", STEP, "math.floor(lane_cap(lane) / 2)", "lane_cap(lane)",
        bulk.test_half_of_what_a_lane_may_have_in_flight_stays_free_for_what_lives,
    ),
    *rule(
        "others go on", STEP, "return kept <= LATER and 'later'", "return false",
        bulk.test_a_lane_that_takes_no_more_does_not_keep_others_waiting,
    ),
    *rule(
        "the place stays before it", WALK, "if not ahead then at, past = score, id end", "at, past = score, id",
        bulk.test_a_lane_that_takes_no_more_does_not_keep_others_waiting,
    ),
    *rule(
        "left alone once", STEP, "    if why and ahead then return nil end", "    -- ",
        bulk.test_a_lane_that_takes_no_more_does_not_keep_others_waiting,
    ),
    *rule(
        "calls in flight count", STEP, " - behind - lane_flies(lane)", " - behind",
        bulk.test_half_of_what_a_lane_may_have_in_flight_stays_free_for_what_lives,
    ),
    *rule(
        "ever later", STEP, "math.min(REST, 2 * math.max(SOON, B.rest))", "SOON",
        bulk.test_a_step_that_finds_no_room_looks_again_ever_later,
    ),
    *rule(
        "below live work", STEP, "prio = below and 2 or nil, behind = below}", "prio = nil, behind = false}",
        bulk.test_they_wait_as_bulk_unless_told_otherwise_and_come_back_as_they_were,
    ),
    *rule(
        "as it was before", LETTER, "or redis.call('HGET', k_job(J.id), 'asked')", "or nil",
        bulk.test_they_wait_as_bulk_unless_told_otherwise_and_come_back_as_they_were,
    ),
    *rule(
        "behind live bulk work", LETTER, "(order.behind and BEHIND or 0)", "0",
        bulk.test_live_work_of_the_lane_goes_first_even_if_it_came_later, prio=2,
    ),
    *rule(
        "behind it in every lane", SERVE, "tonumber(J.place or 0) >= BEHIND and group_lives(group, p, lane, now)",
        "false",
        bulk.test_live_bulk_work_of_another_lane_of_the_budget_goes_first,
    ),
    *rule(
        "not into a line where live work waits", STEP, "if living[J.group] then return", "if false then return",
        bulk.test_nothing_is_let_into_the_line_while_live_work_waits_there,
    ),
    *rule(
        "unless it keeps its priority", STEP, "B.kind == 'redrive' and B.keep == '' then\n      if living",
        "B.kind == 'redrive' then\n      if living", bulk.test_as_urgent_as_before_does_not_stand_back,
    ),
    *rule(
        "who ordered it is kept", WALK, "  redis.call('LPUSH', k_audit(), cjson.encode(entry))\n", "",
        bulk.test_who_ordered_and_who_stopped_it_is_in_the_audit,
    ),
    *rule(
        "each in its turn", STEP, "    stepped = true\n    sooner(step(B))", "    stepped = true\n    sooner(step(B))\n"
        "    if B.waits ~= 'x' then redis.call('ZADD', k_bulk_open(), I(0), B.id) end",
        bulk.test_one_that_must_wait_does_not_keep_another_waiting,
    ),
    *rule(
        "ends are counted", "parts/job.lua", "  bulk_told(J, state, 1)\n", "",
        bulk.test_it_knows_what_became_of_what_it_sent,
    ),
    *rule(
        "by what they died of", TOLD, "'again:' .. J.fp, by)", "'again:', by)",
        bulk.test_it_knows_what_became_of_what_it_sent,
    ),
    *rule(
        "what was counted stays", LETTER, "  redis.call('HDEL', k_job(J.id), 'bulk')", "  -- ",
        bulk.test_it_knows_what_became_of_what_it_sent,
    ),
    *rule(
        "an end that was none", DEAD, "  bulk_told(J, 'dead', -1)\n", "",
        bulk.test_an_end_that_was_none_is_taken_back,
    ),
    *rule(
        "its own are no news", "bulk_count.lua", "A.apart and redis.call('HGET', k_job(J.id), 'bulk') == A.apart",
        "false", bulk.test_what_it_sent_itself_is_not_counted_as_new,
    ),
    *rule(
        "discarded ones are none of the dead", WALK, "(J.disc and 'discarded' or J.state)", "J.state",
        bulk.test_letters_are_set_aside_and_taken_back_together,
    ),
    *rule(
        "a full store sends nothing again", STEP, "#!lua\n", "#!lua flags=allow-oom\n",
        bulk.test_a_full_store_sends_nothing_again_and_can_still_be_told_to_stop,
    ),
]  # fmt: skip
