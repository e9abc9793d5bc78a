"""Ends that are told: their rules, and which test fails when one is taken out of the source."""

import redis

from tests.integration import test_rules_broker_callbacks as told
from tests.integration.mutations import Mutation, without

CALLBACK, JOB, ACCEPT = "parts/callback.lua", "parts/job.lua", "parts/accept.lua"
AGAIN = "local n = redis.call('HINCRBY', k_job(J.id), 'ends', 1)"
PLACE = "  facts.chain, facts.page = facts.id, 1\n"

CALLBACK_RULES: list[Mutation] = [
    *(
        row
        for way in told.WAYS
        for row in without(
            f"told when it is {way.__name__.replace('_', ' ')}", JOB, "  callback_make(J, state, now)\n", "",
            told.test_every_way_to_end_makes_one_job_that_tells_it, dies_of=(ValueError,), way=way,
        )
    ),
    *without(
        "a dead page ends its list", JOB, "  callback_make(J, state, now)\n",
        "  if J.page == '1' then callback_make(J, state, now) end\n",
        told.test_a_list_is_told_when_one_of_its_pages_has_died, dies_of=(ValueError,),
    ),
    *without(
        "what is told", CALLBACK, "state = state, number = n,\n", "number = n, state = 'done', chain = J.id,\n",
        told.test_a_list_is_told_when_one_of_its_pages_has_died,
    ),
    *without(
        "when it ended", CALLBACK, "at_us = I(now), ", "at_us = '0', ", told.test_it_says_which_job_ended_how_and_when
    ),
    *without(
        "an answer counts once", "parts/ack.lua", "if J.acked == A.lease then return 'already' end",
        "if J.acked == A.lease then return 'own' end", told.test_an_end_said_again_is_told_once,
    ),
    *without(
        "every end has its number", CALLBACK, AGAIN, "local n = 1",
        told.test_an_end_after_a_redrive_is_told_anew,
        told.test_a_truth_that_comes_late_is_told_after_what_was_believed,
        told.test_the_end_of_a_command_that_was_unknown_is_told_when_its_result_comes,
    ),
    *without(
        "to wait is no end", JOB, "local function job_wait(J, due, now)\n",
        "local function job_wait(J, due, now)\n  callback_make(J, 'waiting', now)\n",
        told.test_a_job_that_is_parked_or_given_back_has_not_ended,
    ),
    *without(
        "a page is not its list", CALLBACK, "  if A.successors and #A.successors > 0 then return end\n", "",
        told.test_a_list_is_told_once_when_its_last_page_has_ended,
    ),
    *without(
        "only who asked", CALLBACK, "  if not J.cb then return end\n", "",
        told.test_an_end_that_nobody_wants_to_know_of_is_told_to_nobody, dies_of=(redis.ResponseError,),
    ),
    *without(
        "telling is not told", CALLBACK, PLACE, f"{PLACE}  facts.callback = J.cb\n",
        told.test_the_end_of_a_job_that_tells_is_told_to_nobody,
    ),
    *without(
        "the priority it was given", CALLBACK, PLACE, f"{PLACE}  facts.prio = 1\n",
        told.test_what_tells_the_end_of_bulk_work_is_bulk,
    ),
    *without(
        "kept with the job", ACCEPT,
        "  if facts.callback then redis.call('HSET', k_job(facts.id), 'cb', facts.callback) end\n", "",
        told.test_a_job_brought_back_from_its_workers_memory_is_still_told,
    ),
    *(
        row
        for bad in ("no JSON", "[]", told.callback(acct=None), told.callback(dl="soon"), told.callback(text=["a", "b"]))
        for row in without(
            "looked at before", "parts/facts.lua", "  if facts.callback then need_callback(facts.callback) end\n", "",
            told.test_what_could_not_be_told_later_is_refused_at_once, bad=bad,
        )
    ),
    *without(
        "heard of at once", ACCEPT, "touch_lane(J.lane, J.group, J.prio, now)\n  return 'accepted'",
        "touch_lane(J.lane, J.group, J.prio, now, true)\n  return 'accepted'",
        told.test_the_one_who_waits_for_work_hears_of_it,
    ),
]  # fmt: skip
