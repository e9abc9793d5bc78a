"""What people say of problems, notes and minutes: their rules, and which test fails when one is taken out."""

from tests.integration import test_rules_saying as saying
from tests.integration.mutations import Mutation, without

DEAD, MARK, NOTE, MINUTE = "parts/dead.lua", "mark.lua", "note.lua", "minute.lua"

SAYING_RULES: list[Mutation] = [
    *without(
        "the ignored is not told", DEAD, "if why.alert and mark ~= 'ignored' then", "if why.alert then",
        saying.test_nobody_is_told_of_a_problem_that_is_ignored_and_its_letters_are_kept,
    ),
    *without(
        "the mended opens again", DEAD, "if mark == 'resolved' or (", "if (",
        saying.test_a_problem_that_somebody_calls_mended_opens_with_one_more_letter,
    ),
    *without(
        "to know holds until it was over", DEAD, "(mark == 'acknowledged' and open == 1)", "false",
        saying.test_whoever_knows_of_a_problem_does_so_until_it_was_over,
    ),
    *without(
        "whoever knows is not told", MARK, "  if A.mark == 'acknowledged' then", "  if false then",
        saying.test_whoever_knows_of_a_problem_does_so_until_it_was_over,
    ),
    *without(
        "not said twice", MARK, "then return 'already' end", "then A.said = 1 end",
        saying.test_what_is_said_is_audited_and_not_said_twice,
    ),
    *without(
        "notes go with their letter", "sweep.lua", ",\n      k_notes(id))", ")",
        saying.test_notes_are_kept_with_their_writer_and_go_with_their_letter,
    ),
    *without(
        "notes go with their problem", "sweep.lua", "k_problem(fp), k_notes(fp))", "k_problem(fp))",
        saying.test_notes_are_kept_with_their_writer_and_go_with_their_letter,
    ),
    *without(
        "so many notes", NOTE, ">= A.most then", ">= A.most + 1 then", saying.test_there_are_never_too_many_notes
    ),
    *without(
        "once a minute", MINUTE, "math.floor(now / A.every) > math.floor(at / A.every)", "true",
        saying.test_a_minute_is_written_down_once_for_the_whole_fleet,
    ),
    *without(
        "a day of them", MINUTE, "  redis.call('LTRIM', k_minutes(), 0, A.keep - 1)\n", "",
        saying.test_a_day_of_minutes_is_kept,
    ),
    *without(
        "tries are counted", "park.lua", "  count('retried', 1)\n", "",
        saying.test_history_says_what_ended_in_which_minute_and_what_nobody_saw,
    ),
    *without(
        "deaths are counted", DEAD, "  count('died', 1)\n", "",
        saying.test_history_says_what_ended_in_which_minute_and_what_nobody_saw,
    ),
]  # fmt: skip
