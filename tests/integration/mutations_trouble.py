"""Lanes in trouble or braked: their rules, and which test fails when one is taken out of the source."""

from tests.integration import test_rules_broker_brake as brake
from tests.integration import test_rules_broker_trouble as trouble
from tests.integration.mutations import Mutation, without

TROUBLE, SERVE, ACK = "parts/trouble.lua", "parts/serve.lua", "parts/ack.lua"

TROUBLE_RULES: list[Mutation] = [
    *without(
        "ten in a row", TROUBLE, "local PATIENCE = 10", "local PATIENCE = 9",
        trouble.test_a_few_failures_in_a_row_are_no_trouble,
    ),
    *without(
        "an answer ends the row", TROUBLE, "  if t.cap == 0 then\n    redis.call('HDEL', k_trouble(), lane)\n",
        "  if t.cap == 0 then\n", trouble.test_an_answer_among_them_ends_the_row,
    ),
    *without(
        "any answer does", ACK, "    elseif served then\n      trouble_eased",
        "    elseif served and not A.why then\n      trouble_eased",
        trouble.test_a_dead_letter_of_the_other_side_ends_the_row_too,
    ),
    *without(
        "nothing before its time", SERVE, "if trouble.till > now then", "if false then",
        trouble.test_in_trouble_nothing_goes_out_until_its_time_and_then_one_call,
    ),
    *without(
        "it doubles", TROUBLE, "base * 2 ^ math.min(t.n - PATIENCE, 30)", "base",
        trouble.test_each_further_failure_doubles_the_wait_up_to_half_a_minute,
    ),
    *without(
        "half a minute", TROUBLE, "local TRICKLE = 30000000", "local TRICKLE = 300000000",
        trouble.test_each_further_failure_doubles_the_wait_up_to_half_a_minute,
    ),
    *without(
        "old failures say nothing", TROUBLE, "  if t.cap > 0 and at < t.since then return end\n", "",
        trouble.test_calls_that_were_in_flight_when_it_began_say_nothing_new,
    ),
    *without(
        "old answers say nothing", TROUBLE, "  if at < t.since then return end\n  t.n,", "  t.n,",
        trouble.test_an_answer_to_an_old_call_does_not_open_it_either,
    ),
    *without(
        "half open", SERVE, "else cap = trouble.cap end", "end",
        trouble.test_after_a_success_it_ramps_up_by_doubling_and_is_over_when_it_is_as_fast_as_it_was,
    ),
    *without(
        "a failure on the ramp", TROUBLE, "t.n, t.cap, t.till, t.since = PATIENCE - 1, t.cap * 2, 0, now",
        "t.n, t.cap, t.till, t.since = 0, t.cap * 2, 0, now", trouble.test_a_failure_on_the_ramp_begins_it_anew,
    ),
    *without(
        "resolved when idle", TROUBLE, "  if idle then return trouble_over(lane, now) end\n", "",
        trouble.test_all_of_it_is_told_once_and_resolved_once,
    ),
    *without(
        "lane by lane", SERVE, "trouble_read(lane)", "trouble_read(string.gsub(lane, 'car%.start', 'car.read'), nil)",
        trouble.test_another_lane_of_the_same_budget_is_not_slowed,
    ),
    *without(
        "victims are no news", "bury.lua", "then A.why.alert = false end", "then A.why.alert = true end",
        trouble.test_dead_letters_of_a_trouble_that_was_told_are_no_news,
    ),
    *without(
        "unknown outcomes are", "bury.lua", "if A.trouble and J['repeat'] == '1' and", "if A.trouble and",
        trouble.test_a_call_that_must_not_be_repeated_is_told_all_the_same,
    ),
    *without(
        "a brake tries one call", SERVE, "    want = 1      -- one call", "    -- one call",
        brake.test_a_braked_lane_tries_one_call_when_its_time_has_come,
    ),
    *without(
        "not before its time", SERVE,
        "    if at > now then redis.call('ZADD', k_group(group, p), I(at), lane) return 0 end\n", "",
        brake.test_a_braked_lane_tries_one_call_when_its_time_has_come,
    ),
    *without(
        "a success releases it", SERVE, "hold and scope or ctx.probe", "ctx.probe",
        brake.test_a_call_that_succeeds_releases_the_brake_and_resolves_its_alert,
    ),
    *without(
        "a failure does not", ACK, "local refused = A.refused or failed", "local refused = A.refused",
        brake.test_a_call_that_fails_keeps_it_for_another_while, end="buried",
    ),
    *without(
        "no answer is a failure", ACK, "A.settle.mode ~= 'refund' and (A.why", "A.settle.mode == 'answered' and (A.why",
        brake.test_a_call_that_fails_keeps_it_for_another_while, end="never answered",
    ),
    *without(
        "an attempt is a failure", ACK, "(A.why or A.attempt == 1)", "A.why ~= nil",
        brake.test_a_call_that_fails_keeps_it_for_another_while, end="parked with an attempt",
    ),
    *without(
        "never sent is none", ACK, "A.settle.mode ~= 'refund' and (A.why or A.attempt == 1)", "true",
        brake.test_a_call_that_never_went_out_is_followed_by_another_at_once,
    ),
    *without(
        "the probe is written down", SERVE, "        hold.probe = lease\n", "",
        brake.test_a_worker_that_ends_with_the_call_is_followed_by_another,
    ),
    *without(
        "a person ends it", "parts/dead.lua", "every = conf_number('brake_probe', 0)", "every = 30000000",
        brake.test_without_such_a_setting_a_person_ends_it,
    ),
]  # fmt: skip
