"""The loop over partitions, the breaker, the cache and the gate."""

from tests.broken.mistake import Mistake

MISTAKES = (
    Mistake(
        "retry-longest",
        "The wait between attempts grows without bound.",
        "streams/ops/retry.py",
        "min(LONGEST_SECONDS, FIRST_SECONDS * 2.0**self._attempts)",
        "FIRST_SECONDS * 2.0**self._attempts",
        "tests/unit/test_retry.py::"
        "test_the_wait_doubles_from_a_fifth_of_a_second_to_five_and_is_drawn_from_its_upper_half",
    ),
    Mistake(
        "retry-jitter",
        "All workers try again at the same moment.",
        "streams/ops/retry.py",
        "random.uniform(longest / 2, longest)",
        "longest",
        "tests/unit/test_retry.py::"
        "test_the_wait_doubles_from_a_fifth_of_a_second_to_five_and_is_drawn_from_its_upper_half",
    ),
    Mistake(
        "retry-worked",
        "A success does not end a series of failures.",
        "streams/ops/retry.py",
        "self._since, self._attempts = None, 0",
        "self._attempts = 0",
        "tests/unit/test_retry.py::test_what_has_worked_once_starts_anew",
    ),
    Mistake(
        "retry-gives-up",
        "An outage is outlived for twice as long as set.",
        "streams/ops/retry.py",
        "> self._seconds_max:",
        "> 2 * self._seconds_max:",
        "tests/unit/test_retry.py::"
        "test_it_gives_up_when_it_has_failed_for_longer_than_the_limit_and_names_what_and_why",
    ),
    Mistake(
        "breaker-equal",
        "A partition stops at exactly the share of refused records that is allowed.",
        "streams/partition/poison_breaker.py",
        "self._refused > self._share_max",
        "self._refused >= self._share_max",
        "tests/unit/test_poison_breaker.py::test_exactly_the_share_that_is_allowed_passes_and_one_more_does_not",
    ),
    Mistake(
        "breaker-min",
        "A flood of a hundred refused records is let pass.",
        "streams/partition/poison_breaker.py",
        "RECORDS_MIN = 100",
        "RECORDS_MIN = 101",
        "tests/unit/test_poison_breaker.py::test_of_ninety_nine_records_no_share_is_taken",
    ),
    Mistake(
        "breaker-window",
        "The share of refused records is of more than the last thousand.",
        "streams/partition/poison_breaker.py",
        "- self._batches[0][0] >= RECORDS:",
        "- self._batches[0][0] > RECORDS:",
        "tests/unit/test_poison_breaker.py::test_the_share_is_of_the_last_thousand_records",
    ),
    Mistake(
        "breaker-stretch",
        "In a large batch a flood hides behind what is good.",
        "streams/partition/poison_breaker.py",
        "STRETCH = RECORDS // 2",
        "STRETCH = RECORDS * 100",
        "tests/unit/test_partition.py::test_a_flood_of_refused_records_drains_at_most_1000_however_large_the_batches",
    ),
    Mistake(
        "breaker-off",
        "No flood of refused records stops a partition.",
        "streams/partition/partition.py",
        "        self._breaker.watch(records, batch.dead_letters)\n",
        "",
        "tests/unit/test_partition.py::test_a_flood_of_refused_records_drains_at_most_1000_however_large_the_batches",
    ),
    Mistake(
        "cache-put-old",
        "A row that is used often is thrown out of memory with the old ones.",
        "streams/partition/row_cache.py",
        "            self.put(partition, again)\n",
        "",
        "tests/unit/test_row_cache.py::test_memory_is_bounded_and_what_was_used_lately_stays",
    ),
    Mistake(
        "cache-drop-old",
        "Of a partition that is given away old rows stay in memory.",
        "streams/partition/row_cache.py",
        "        self._old.drop(partition)\n",
        "",
        "tests/unit/test_row_cache.py::test_what_is_held_is_always_the_row_that_was_put_last",
    ),
    Mistake(
        "cache-too-long",
        "A row too long for memory is held as it was before.",
        "streams/partition/row_cache.py",
        "                self._old.forget(self._old.find(partition, rows.ids[put : put + 1]))\n",
        "",
        "tests/unit/test_row_cache.py::test_a_row_that_has_grown_too_long_is_not_held_as_it_was",
    ),
    Mistake(
        "cache-clear",
        "Memory for rows grows without bound.",
        "streams/partition/row_cache.py",
        "            self._young.clear()\n",
        "",
        "tests/unit/test_row_cache.py::test_memory_is_bounded_and_what_was_used_lately_stays",
    ),
)
