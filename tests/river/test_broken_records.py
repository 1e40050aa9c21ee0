"""A feed with one broken record in a hundred: all others are processed, and the broken ones come back repaired."""

import json
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import orjson
import pytest
from confluent_kafka import Consumer

from commands.kafka import consumer, from_the_start, partitions, producer, to_the_end
from commands.publish import Feed
from learning.simulator import simulate
from schemas.dead_letter import DeadLetter, Reason, dead_letter_of
from schemas.transaction import AMOUNT_LIMIT
from streams.broker.messages import headers_of
from tests.live import Bank, Json, OpenBank, Worker

EVENTS = 3_000
MEGABYTES_10 = 10 * 1024 * 1024


class Kind(NamedTuple):
    """One way to break a record, and what its dead letter must say of it. `key` tells a key other than the customer's;
    None is no key."""

    name: str
    broken: Callable[[Json], bytes | None]
    reason: Reason
    field: str
    rule: str
    key: Callable[[Json], bytes | None] = lambda event: event["customer_id"].encode()


def changed(**fields: object) -> Callable[[Json], bytes]:
    return lambda event: orjson.dumps(event | fields)


def without(field: str) -> Callable[[Json], bytes]:
    return lambda event: orjson.dumps({name: value for name, value in event.items() if name != field})


def with_text(field: str, text: bytes) -> Callable[[Json], bytes]:
    """The field's value is that text, which orjson would not write."""
    return lambda event: orjson.dumps(event | {field: "@"}).replace(b'"@"', text)


KINDS = (
    Kind("cut off", lambda event: orjson.dumps(event)[:-10], "not_json", "", "must be JSON"),
    Kind("not UTF-8", with_text("category", b'"caf\xe9"'), "not_json", "", "must be UTF-8"),
    Kind("text as amount", changed(amount_minor="12.50"), "wrong_type", "amount_minor", "must be int, got str"),
    Kind("fraction as amount", changed(amount_minor=12.5), "wrong_type", "amount_minor", "must be int"),
    Kind("NaN as amount", with_text("amount_minor", b"NaN"), "not_json", "", "must be JSON"),
    Kind("number as customer", changed(customer_id=17), "wrong_type", "customer_id", "must be str, got int"),
    Kind("10 MB", changed(category="x" * MEGABYTES_10), "too_large", "", "must be at most 1048576 bytes"),
    Kind("no event_id", without("event_id"), "missing_field", "event_id", "is required"),
    Kind("no amount", without("amount_minor"), "missing_field", "amount_minor", "is required"),
    Kind("no such day", changed(occurred_at="2025-02-30T10:00:00Z"), "wrong_type", "occurred_at", "must be RFC 3339"),
    Kind("no offset", changed(occurred_at="2025-02-01T10:00:00"), "wrong_type", "occurred_at", "must be RFC 3339"),
    Kind("far future", changed(occurred_at="2099-01-01T00:00:00Z"), "in_the_future", "occurred_at", "24 hours"),
    Kind("beyond 64 bit", with_text("amount_minor", b"9" * 30), "out_of_bounds", "amount_minor", "must be int <="),
    Kind("beyond the limit", changed(amount_minor=AMOUNT_LIMIT + 1), "out_of_bounds", "amount_minor", "<="),
    Kind("no such currency", changed(currency="EUX"), "no_rate", "currency", "must be an ISO 4217 code"),
    Kind("no rate", changed(currency="JPY"), "no_rate", "currency", "must be the base currency"),
    Kind("empty", lambda _: b"", "empty", "", "must have a value"),
    Kind("null", lambda _: None, "empty", "", "must have a value"),
    Kind("a list", lambda event: orjson.dumps([event]), "wrong_type", "", "must be object"),
    Kind("wrong key", changed(), "wrong_key", "customer_id", "the same as the record's key", lambda _: b"someone"),
    Kind("no key", changed(), "wrong_key", "customer_id", "the same as the record's key", lambda _: None),
)
"""More than the fifteen kinds that a feed may break by."""


class Sent(NamedTuple):
    """A broken record as it was sent, and what it should have been."""

    kind: Kind
    event: Json
    key: bytes | None
    value: bytes | None


class Story(NamedTuple):
    """What one run over the broken feed came to."""

    broken: list[Sent]
    letters: list[DeadLetter]
    listed: list[Json]
    shown: str
    before: Json
    """What `verify` said while the broken ones were missing, and after they came back."""
    after: Json
    left: str
    counted: dict[Reason, float]
    """The metrics of dead letters by reason."""


@pytest.fixture(scope="module")
def story(open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The whole way: published, refused, listed, repaired, replayed."""
    bank = open_bank(partitions=4, clock="stream", poll_records_max=100)
    broken = publish(bank)
    with bank.worker() as worker:
        worker.until(bank.at_rest)
        before, letters = bank.verified(), dead_letters(bank)
        counted = {letter.reason: counter(worker, letter.reason) for letter in letters}
        shown = bank.command("dead-letters", "list").stdout
        listed = [json.loads(line) for line in bank.command("dead-letters", "list", "--json").stdout.splitlines()]
        file = tmp_path_factory.mktemp("letters") / "repaired.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in repaired(listed, letters, broken)))
        bank.command("dead-letters", "replay", file)
        worker.until(bank.at_rest)
        left = bank.command("dead-letters", "list").stdout
        return Story(broken, letters, listed, shown, before, bank.verified(), left, counted)


def publish(bank: Bank) -> list[Sent]:
    """Sends a simulated bank in which every hundredth record is broken; two of each kind."""
    events = list(simulate(customers=60, days=120, seed=3))[:EVENTS]
    broken: list[Sent] = []
    feed, sender = Feed(bank.settings), producer(bank.settings)
    for number, event in enumerate(events):
        turn, rest = divmod(number, EVENTS // (2 * len(KINDS)))
        if rest or turn >= 2 * len(KINDS):
            feed.send(orjson.dumps(event))
            continue
        kind = KINDS[turn % len(KINDS)]
        sent = Sent(kind, event, kind.key(event), kind.broken(event))
        broken.append(sent)
        sender.produce(bank.settings.topic_transactions, sent.value, sent.key)
    sender.flush()
    feed.end()
    return broken


def repaired(listed: list[Json], letters: list[DeadLetter], broken: list[Sent]) -> list[Json]:
    """The lines of `list --json` with each value as it should have been."""
    right = {(sent.key, sent.value): orjson.dumps(sent.event).decode() for sent in broken}
    raw = {(letter.partition, letter.offset): (letter.key, letter.value) for letter in letters}
    return [
        {name: value for name, value in line.items() if name != "value_base64"}
        | {"value": right[raw[line["from"]["partition"], line["from"]["offset"]]]}
        for line in listed
    ]


def dead_letters(bank: Bank) -> list[DeadLetter]:
    """All of the topic, read by an ordinary consumer."""
    reader: Consumer = consumer(bank.settings)
    topic = bank.settings.topic_dead_letters
    try:
        starts = from_the_start(partitions(reader, topic))
        return [dead_letter_of(m.key(), m.value(), headers_of(m)) for m in to_the_end(reader, topic, starts)]
    finally:
        reader.close()


def counter(worker: Worker, reason: Reason) -> float:
    return worker.metric(f'tracker_dead_letters_total{{reason="{reason}"}}')


def test_every_other_record_is_processed(story: Story) -> None:
    assert (story.before["events"], story.before["differences"]) == (EVENTS - 2 * len(KINDS), 0)


def test_each_broken_record_is_a_dead_letter_with_its_bytes_as_they_came(story: Story) -> None:
    sent = Counter((broken.key, broken.value or None) for broken in story.broken)
    assert Counter((letter.key, letter.value or None) for letter in story.letters) == sent


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_a_dead_letter_names_reason_field_and_rule(story: Story, kind: Kind) -> None:
    mine = {(broken.key, broken.value or None) for broken in story.broken if broken.kind is kind}
    found = [letter for letter in story.letters if (letter.key, letter.value or None) in mine]
    assert len(found) >= 2
    for letter in found:
        assert (letter.reason, letter.field) == (kind.reason, kind.field), letter.rule
        assert kind.rule in letter.rule


def test_the_metrics_count_them_by_reason(story: Story) -> None:
    assert story.counted == Counter(broken.kind.reason for broken in story.broken)


def test_the_list_shows_them_all_in_few_words(story: Story) -> None:
    assert len(story.listed) == len(story.broken)
    for kind in KINDS:
        assert kind.reason in story.shown
    assert len(story.shown) < 100_000, "a letter of 10 MB is shown by its beginning"


def test_repaired_and_replayed_nothing_is_missing(story: Story) -> None:
    assert (story.after["events"], story.after["differences"]) == (EVENTS, 0)
    assert story.left == ""


def test_no_letter_tells_what_was_in_the_record(story: Story) -> None:
    for letter in story.letters:
        said = msgspec.json.encode([letter.reason, letter.field, letter.rule]).decode()
        assert "EUX" not in said
        assert "someone" not in said
