"""What is known to be published: order, numbers, and the looking back."""

from tests.broken.mistake import Mistake

_TESTS = "tests/contract/test_publisher.py::"

MISTAKES = (
    Mistake(
        "group-forgot",
        "Where the group's offsets say nothing, the whole outbox is published.",
        "streams/claim.py",
        "if mark is None and position.version > 0:",
        "if mark is None and position.version < 0:",
        _TESTS + "test_without_the_group_s_word_nothing_is_published_again",
        servers=True,
    ),
    Mistake(
        "numbers-again",
        "After the store has gone back the numbers of published entries are given again.",
        "streams/claim.py",
        "        partition.sequence_min = mark.published\n",
        "",
        _TESTS + "test_after_the_store_has_gone_back_numbers_are_not_given_twice_and_nothing_is_published_twice",
        servers=True,
    ),
    Mistake(
        "transactions-reversed",
        "The entries of a transaction leave in reverse order.",
        "streams/publisher.py",
        "            for _, outgoing in entries:\n                if",
        "            for _, outgoing in entries[::-1]:\n                if",
        _TESTS + "test_entries_leave_in_the_order_of_their_sequence_with_key_value_and_headers",
    ),
    Mistake(
        "no-key",
        "Alerts leave without their key.",
        "streams/transactions.py",
        "producer.produce(outgoing.topic, outgoing.value, outgoing.key, headers=headers)",
        "producer.produce(outgoing.topic, outgoing.value, headers=headers)",
        _TESTS + "test_entries_leave_in_the_order_of_their_sequence_with_key_value_and_headers",
    ),
    Mistake(
        "letter-cut-on-its-way",
        "A dead letter is published cut short.",
        "streams/transactions.py",
        "producer.produce(outgoing.topic, outgoing.value, outgoing.key, headers=headers)",
        "producer.produce(outgoing.topic, (outgoing.value or b'')[:1000], outgoing.key, headers=headers)",
        _TESTS + "test_a_dead_letter_comes_whole",
    ),
    Mistake(
        "hidden-by-open",
        "What is read back ends where somebody's open transaction begins.",
        "streams/lookback.py",
        "if (message.offset() or 0) >= ends[place]:",
        "if (message.offset() or 0) >= 0:",
        _TESTS + "test_a_transaction_of_another_producer_hides_nothing_that_is_published",
        servers=True,
    ),
    Mistake(
        "back-too-soon",
        "A store that has gone back counts as healed before the ticks that it forgot have come again.",
        "streams/publisher.py",
        "clock = max(mark.back.clock, backlog.said.due)",
        "clock = mark.back.clock",
        _TESTS + "test_after_the_store_has_gone_back_numbers_are_not_given_twice_and_nothing_is_published_twice",
        servers=True,
    ),
    Mistake(
        "oldest-entry",
        "What is read back begins where the store stands, after entries of its outbox were published.",
        "streams/lookback.py",
        "            since = min(since, _moment_of(oldest))\n",
        "            since = max(since, 0)\n",
        _TESTS + "test_the_read_back_begins_before_the_oldest_entry_that_is_left",
        servers=True,
    ),
)
