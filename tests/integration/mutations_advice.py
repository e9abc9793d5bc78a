"""The rules of advice and of what people say about alerts, and which test fails when one is taken out of the source."""

from functools import partial

from tests.integration import test_rules_advice as advice
from tests.integration import test_rules_standing as standing
from tests.integration.mutations import Mutation, without

ACK, ALERT, JUDGE = "parts/ack.lua", "parts/alert.lua", "judge.lua"
QUOTA, SHARE, WATCH = "parts/quota.lua", "parts/share.lua", "parts/watch.lua"

# Nothing is told where one thing should be.
rule = partial(without, dies_of=(AssertionError, LookupError, ValueError))

ADVICE_RULES: list[Mutation] = [
    *rule(
        "the bar", JUDGE, "local bar = A.quota.share * ", "local bar = 0.5 * ",
        advice.test_a_day_that_is_nearly_used_up_is_told_once_with_the_figures_people_see,
    ),
    *rule(
        "clear of the bar", JUDGE, "local CLEAR = 0.95", "local CLEAR = 1",
        advice.test_a_use_that_swings_about_the_bar_is_one_advice,
    ),
    *rule(
        "one look for the fleet", JUDGE, "redis.call('HSET', k_meta(), 'judged', I(now))", "",
        advice.test_ten_processes_look_as_often_as_one,
    ),
    *rule(
        "who is gone", JUDGE, "      redis.call('HDEL', family, field)\n", "",
        advice.test_accounts_that_settings_no_longer_name_are_forgotten_and_their_advice_is_over,
    ),
    *rule(
        "what is gone is over", JUDGE, "if record then resolve_alert(record.key, now) end\n      redis", "redis",
        advice.test_accounts_that_settings_no_longer_name_are_forgotten_and_their_advice_is_over,
    ),
    *rule(
        "others count", QUOTA, "w.tot + w.inf + w.fgn", "w.tot + w.inf",
        advice.test_what_others_use_of_the_day_counts,
    ),
    *rule(
        "long windows only", QUOTA, "w.len >= LONG", "true",
        advice.test_a_short_window_that_is_full_is_no_matter_for_advice,
    ),
    *rule(
        "what is held does not age", QUOTA, "local since = not held and waits_since(lane, p)",
        "local since = waits_since(lane, p)",
        advice.test_jobs_behind_a_hold_and_jobs_put_off_wait_for_something_else,
    ),
    *rule(
        "sent again begins anew", QUOTA, "tonumber(v[1]) - tonumber(v[2])",
        "tonumber(redis.call('HGET', k_job(head), 'created'))",
        advice.test_a_letter_that_is_sent_again_has_not_waited_since_it_was_first_wanted,
    ),
    *rule(
        "by priority", JUDGE, "age >= A.quota.ages[p]", "age >= A.quota.ages[2]",
        advice.test_an_urgent_job_waits_too_long_sooner,
    ),
    *rule(
        "a day's alert", WATCH, "base .. ':' .. date_of(now)", "base .. ':always'",
        advice.test_advice_that_goes_on_is_told_anew_the_next_day,
    ),
    *rule(
        "who knows is left alone", WATCH, "(record.key == key or known)", "record.key == key",
        advice.test_advice_that_somebody_knows_of_is_not_told_the_next_day,
    ),
    *rule(
        "once a day", WATCH, "  if state and state ~= 'untold' then return false end   -- told today\n", "",
        advice.test_advice_ends_when_the_day_has_room_again_and_comes_once_a_day_only,
    ),
    *rule(
        "a jump, not a height", SHARE, "share - before >= wanted.jump", "share >= wanted.jump",
        advice.test_a_share_that_was_always_high_is_no_jump,
    ),
    *rule(
        "what was usual then", SHARE, "(record.usual or 0) + wanted.jump / 2", "before + wanted.jump / 2",
        advice.test_a_share_that_stays_high_stays_one_alert_though_it_has_become_usual,
    ),
    *rule(
        "enough of them", SHARE, "n >= wanted.least and ", "", advice.test_a_few_answers_say_nothing,
    ),
    *rule(
        "silence says nothing", SHARE, "total < wanted.least or ", "",
        advice.test_an_alert_about_a_share_goes_on_while_nothing_is_answered,
    ),
    *rule(
        "bounded", SHARE,
        "    while samples[2] and samples[2].at <= now - (PERIODS + 1) * period do table.remove(samples, 1) end\n"
        "    while #samples > (PERIODS + 1) * SLICES + 1 do table.remove(samples, 1) end\n", "",
        advice.test_what_is_remembered_of_answers_is_bounded,
    ),
    *rule(
        "forgotten windows", SHARE, "if last and last.total > sample.total then", "if false then",
        advice.test_a_store_that_has_forgotten_its_windows_starts_counting_anew,
    ),
    *rule(
        "counted at the end of the job", ACK, "  if A.tally then redis.call(", "  if false then redis.call(",
        advice.test_a_share_that_jumps_is_told_once_and_is_over_when_it_falls_back,
    ),
    *rule(
        "an acknowledged alert is quiet", ALERT, "or redis.call('HEXISTS', k_alert(key), 'acked') == 1", "",
        standing.test_an_acknowledged_problem_is_not_told_again_after_an_hour,
    ),
    *rule(
        "an acknowledgement ends with its alert", ALERT,
        "  redis.call('HDEL', k_alert(key), 'acked', 'acked_by', 'acked_why', 'ended_by', 'ended_why')\n", "",
        standing.test_an_acknowledged_problem_that_was_over_is_told_when_it_comes_back,
    ),
    *rule(
        "who acknowledged", "acknowledge.lua", "alert = A.key, by = A.by", "alert = A.key, by = 'somebody'",
        standing.test_who_said_what_of_an_alert_is_in_the_audit,
    ),
]  # fmt: skip
