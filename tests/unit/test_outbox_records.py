"""What subscribers and the dead letters get, word for word: topic, key, value and headers of each record, in order."""

import json

import pytest

from handlers.intake.events import Record
from streams.store.memory_store import MemoryStore
from tests.bank import event, salary
from tests.unit.test_partition import opened, record

RECEIVED_AT = 1_709_200_000_123
TOO_MUCH = b'{"customer_id": "bob", "amount_minor": "much"}'


def test_an_alert_is_a_cloud_event_in_binary_mode_keyed_by_its_customer() -> None:
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    partition.process([record(0, salary(0))], None, [], [record(0, event("consent_withdrawn", 1, channel="sms"))])
    (_, raised), (_, retracted) = store.outbox(0, 0, 9)
    assert (raised.topic, raised.key) == ("customer-alerts", b"ann")
    assert raised.headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"3e031b8f-f7a0-50bc-a598-b9f37ef9d5f1"),
        ("ce_source", b"/customer-tracker"),
        ("ce_type", b"customer-tracker.next_best_offer.raised.v1"),
        ("ce_subject", b"ann"),
        ("ce_time", b"2024-02-29T12:00:00.000Z"),
        ("content-type", b"application/json"),
    ]
    assert (retracted.topic, retracted.key) == ("customer-alerts", b"ann")
    assert retracted.headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"ba5d36a5-c192-5ae4-a71a-bedfeaf4c5c4"),
        ("ce_source", b"/customer-tracker"),
        ("ce_type", b"customer-tracker.next_best_offer.retracted.v1"),
        ("ce_subject", b"ann"),
        ("ce_time", b"2024-03-01T12:00:00.000Z"),
        ("content-type", b"application/json"),
    ]
    for entry in (raised, retracted):
        said = json.loads(entry.value or b"")
        headers = {name: text.decode() for name, text in entry.headers}
        assert (headers["ce_id"], headers["ce_subject"], headers["ce_time"]) == (
            said["alert_id"],
            said["customer_id"],
            said["raised_at"],
        )


@pytest.mark.parametrize(
    ("key", "value", "reason", "field", "rule"),
    [
        (b"\xffbob", TOO_MUCH, b"wrong_type", b"amount_minor", b"must be int, got str"),
        (b"bob", b"not JSON \xe2\x82\xac" * 100, b"not_json", b"", b"must be JSON: invalid character (byte 4)"),
        (None, b"", b"empty", b"", b"must have a value"),
        (b"bob", None, b"empty", b"", b"must have a value"),
        (b"bob", b"1" * 1_048_577, b"too_large", b"", b"must be at most 1048576 bytes"),
    ],
)
def test_a_dead_letter_is_the_record_as_it_came_with_reason_field_rule_and_place(
    key: bytes | None, value: bytes | None, reason: bytes, field: bytes, rule: bytes
) -> None:
    store = MemoryStore()
    partition = opened(store, 3)
    partition.claim()
    partition.process([Record(41, RECEIVED_AT, key, value)], None)
    ((_, letter),) = store.outbox(3, 0, 9)
    assert (letter.topic, letter.key, letter.value) == ("transactions-dlq", key, value)
    assert letter.headers == [
        ("dlq_reason", reason),
        ("dlq_field", field),
        ("dlq_rule", rule),
        ("dlq_topic", b"transactions"),
        ("dlq_partition", b"3"),
        ("dlq_offset", b"41"),
        ("dlq_timestamp_ms", b"1709200000123"),
    ]


@pytest.mark.parametrize(
    ("topic", "place", "rule"),
    [
        ("alert-outcomes", 0, b"is required"),
        ("customer-events", 1, b"is required"),
    ],
)
def test_a_dead_letter_of_another_topic_names_that_topic(topic: str, place: int, rule: bytes) -> None:
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    beside: list[list[Record]] = [[], []]
    beside[place] = [Record(7, RECEIVED_AT, b"ann", b"{}")]
    partition.process([], None, *beside)
    ((_, letter),) = store.outbox(0, 0, 9)
    assert (letter.topic, letter.key, letter.value) == ("transactions-dlq", b"ann", b"{}")
    headers = dict(letter.headers)
    assert (headers["dlq_topic"], headers["dlq_offset"], headers["dlq_rule"]) == (topic.encode(), b"7", rule)
    assert headers["dlq_reason"] == b"missing_field"


def test_the_entries_of_a_batch_are_its_letters_in_their_order_then_its_alerts_in_theirs() -> None:
    store = MemoryStore()
    partition = opened(store)
    partition.claim()
    records = [record(0, salary(0)), Record(1, 0, b"a", b"-"), record(2, salary(20)), Record(3, 0, b"b", b"+")]
    done = partition.process([*records, record(4, salary(40, "bob"))], None)
    entries = [(number, entry.topic, entry.key) for number, entry in done.outbox]
    assert entries == [
        (1, "transactions-dlq", b"a"),
        (2, "transactions-dlq", b"b"),
        (3, "customer-alerts", b"ann"),
        (4, "customer-alerts", b"ann"),
        (5, "customer-alerts", b"bob"),
    ]
    assert done.outbox == store.outbox(0, 0, 9)
    raised = [json.loads(entry.value or b"")["raised_at"] for _, entry in done.outbox[2:]]
    assert raised == ["2024-02-29T12:00:00.000Z", "2024-03-20T12:00:00.000Z", "2024-04-09T12:00:00.000Z"]
