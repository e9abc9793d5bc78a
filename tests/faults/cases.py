"""The fault cases and where each is proven. `tests/house/test_fault_cases.py` holds this table to what exists.

Cases 1 to 20 are things that go wrong around a queue of calls; `SUSPECT` are the causes for which a store is not
trusted; `STOCK` are the faults of stock dramatiq 2.2.1 on Redis that were measured before its storage was replaced,
by the names they have in the tests' own docstrings.
"""

KILLED, FROZEN = "faults/test_killed_workers.py", "faults/test_frozen_workers.py"
OUTAGES, FORGETFUL = "faults/test_store_outages.py", "faults/test_forgetful_stores.py"
REPLIES, SHUTDOWN = "faults/test_lost_replies.py", "faults/test_shutdown.py"
FAILOVER, CLOCKS, VERSIONS = "faults/test_failover.py", "faults/test_bent_clocks.py", "faults/test_two_versions.py"
RATES, SUSPICION = "walk/test_rates.py", "integration/test_rules_limiter_suspect.py"
REFUSALS, HEADERS = "integration/test_fates_refusals.py", "integration/test_rules_limiter_headers.py"

CASES: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("kill -9 in the middle of a read", (
        f"{KILLED}::test_the_others_carry_on_when_a_worker_is_killed_and_what_it_was_sending_is_unknown",
        f"{KILLED}::test_an_orphan_leaves_within_seconds_when_its_master_is_killed_and_finishes_what_it_has",
    )),
    2: ("kill -9 in the middle of a call that must not be repeated", (
        f"{KILLED}::test_the_others_carry_on_when_a_worker_is_killed_and_what_it_was_sending_is_unknown",
        "faults/test_late_results.py::test_a_command_that_was_cut_off_is_sent_once_and_settled_by_its_late_result",
    )),
    3: ("kill -9 between the answer and its acknowledgement", (
        f"{KILLED}::test_a_worker_killed_between_an_answer_and_its_record_leaves_a_command_unknown_and_a_read_to_be_"
        "made_again",
    )),
    4: ("kill -9 of all workers with thousands waiting", (
        f"{KILLED}::test_a_fleet_killed_whole_with_thousands_waiting_loses_none",
    )),
    5: ("a job that kills its workers", (f"{KILLED}::test_a_job_that_kills_three_workers_is_given_up",)),
    6: ("the store restarts while jobs run, fail and wait", (
        f"{OUTAGES}::test_every_job_ends_once_when_the_store_restarts_in_the_middle",
        f"{OUTAGES}::test_a_job_that_fails_while_the_store_is_away_is_not_lost",
        f"{OUTAGES}::test_jobs_that_wait_for_their_time_survive_the_store",
        f"{OUTAGES}::test_no_thread_of_a_worker_dies_of_a_store_that_does_not_answer",
    )),
    7: ("kill -9 of the store, with the end of its log lost", (
        f"{OUTAGES}::test_claims_that_a_crashed_store_forgot_are_made_again_from_the_workers_memory",
        f"{FORGETFUL}::test_a_store_whose_log_has_lost_its_end_lets_no_window_overflow_and_no_command_go_out_twice",
    )),
    8: ("an emptied store", (
        f"{FORGETFUL}::test_an_emptied_store_is_worked_for_with_care_until_the_apis_have_told_how_much_is_left",
    )),
    9: ("a reply of the store that is lost", (
        f"{REPLIES}::test_the_lost_reply_of_a_take_strands_no_job_and_counts_no_crash",
        f"{REPLIES}::test_the_lost_reply_of_a_finish_does_not_run_the_job_again",
        f"{REPLIES}::test_the_lost_reply_of_a_bury_leaves_one_dead_letter",
        f"{REPLIES}::test_the_lost_reply_of_a_park_counts_one_attempt",
        f"{REPLIES}::test_the_lost_reply_of_an_enqueue_makes_one_job",
        f"{REPLIES}::test_the_lost_reply_of_a_renewal_loses_no_claim",
        f"{REPLIES}::test_an_unrepeatable_call_whose_permission_to_send_was_lost_is_not_sent_and_then_sent_once",
    )),
    10: ("a store that takes seconds to answer", (
        f"{FORGETFUL}::test_a_store_as_slow_as_its_clients_patience_hands_nothing_out_twice_and_lets_no_call_past_its_"
        "limit",
    )),
    11: ("a full store", (f"{OUTAGES}::test_a_full_store_finishes_what_runs_and_waits_and_refuses_what_is_new",)),
    12: ("a failover to a replica that lagged; a primary that is demoted", (
        f"{FAILOVER}::test_a_replica_that_lagged_takes_over_and_no_window_overflows_and_no_command_goes_out_twice",
        f"{FAILOVER}::test_a_store_that_was_a_replica_is_never_believed_to_have_forgotten_nothing",
        f"{FORGETFUL}::test_a_store_that_refuses_writes_for_a_while_makes_no_job_run_twice_and_kills_no_thread",
    )),
    13: ("clocks that are wrong, or step", (
        f"{CLOCKS}::test_hosts_two_minutes_apart_and_a_clock_that_steps_back_steal_no_claim_and_pass_no_limit",
        f"{SUSPICION}::test_a_clock_that_stepped_back_frees_nothing_early_and_keeps_nothing_longer",
    )),
    14: ("orders to stop, and rolling deploys", (
        f"{SHUTDOWN}::test_a_worker_that_is_told_to_stop_finishes_its_calls_takes_no_more_and_the_next_one_takes_over_at_"
        "once",
        f"{SHUTDOWN}::test_a_worker_that_is_told_to_stop_gives_back_what_a_reply_on_its_way_deals_it",
        f"{SHUTDOWN}::test_a_second_order_to_stop_ends_a_worker_at_once_and_says_of_its_commands_that_they_are_unknown",
        f"{SHUTDOWN}::test_a_rolling_deploy_under_load_repeats_nothing_loses_nothing_and_lets_two_versions_share_one_"
        "budget",
        f"{VERSIONS}::test_a_lane_keeps_its_order_through_a_rolling_deploy",
        f"{VERSIONS}::test_a_message_that_another_version_wrote_is_read_and_carried_out",
    )),
    15: ("a worker frozen for longer than its claims hold", (
        f"{FROZEN}::test_a_frozen_worker_sends_nothing_twice_and_its_late_answer_settles_what_was_unknown",
        f"{FROZEN}::test_reads_of_a_frozen_worker_are_made_by_another_and_its_late_answers_change_nothing",
        f"{FROZEN}::test_a_worker_frozen_before_it_could_send_does_not_send_when_it_wakes_up",
    )),
    16: ("an interpreter that is blocked", (
        f"{FROZEN}::test_a_worker_whose_interpreter_is_blocked_past_its_claims_is_fenced_and_settles_what_was_unknown",
    )),
    17: ("refusals with every kind of hint, or none", (
        f"{REFUSALS}::test_a_wait_is_obeyed_in_seconds_as_a_date_and_without_a_hint",
        f"{REFUSALS}::test_a_wait_that_cannot_be_obeyed_holds_the_budget_and_tells_once",
        f"{REFUSALS}::test_the_published_refusal_is_obeyed_although_it_contradicts_itself",
    )),
    18: ("somebody else uses the same account", (
        f"{HEADERS}::test_what_we_cannot_have_used_others_have",
        f"{HEADERS}::test_our_own_count_is_never_lowered_by_a_header",
    )),
    19: ("bursts at the edge of a window, by several processes", (
        f"{RATES}::test_four_processes_use_the_whole_limit_of_a_subscription_and_never_more",
        f"{RATES}::test_half_as_many_again_as_a_hub_window_takes_two_windows_and_slows_no_other_party",
        "faults/test_storm.py::test_permits_are_exact_while_threads_stall_calls_fail_and_processes_come_and_go",
    )),
    20: ("a long window that is used up while tens of thousands wait", (
        "faults/test_used_up.py::test_50000_jobs_that_wait_for_a_used_up_quota_cost_nothing_and_the_urgent_go_first_when_"
        "it_opens",
    )),
}  # fmt: skip
"""By number: what goes wrong, and the tests that prove what follows from it."""

SUSPECT = {
    "emptied": CASES[8][1][0],
    "restarted without the end of its log": CASES[7][1][1],
    "failed over to a replica that lagged": CASES[12][1][0],
    "clock stepped": f"{CLOCKS}::test_a_store_whose_clock_stepped_forward_is_worked_for_with_care",
}

STOCK = ("E2", "E3", "E6a", "E6b", "E7", "E15", "E16", "E17")
