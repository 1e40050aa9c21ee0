"""Both sides may be older or newer than the other. The bytes below were recorded and must stay readable for ever."""

import msgspec
import pytest

from handlers.batch import NONE, Record
from handlers.intake import Intake
from handlers.seen import Seen
from schemas.alert import Alert
from schemas.dead_letter import dead_letter_of
from schemas.offer import Offer

TRANSACTION_1 = (
    b'{"event_id":"t-1","customer_id":"c-1","account_id":"a-1","occurred_at":"2026-01-31T09:00:00+01:00",'
    b'"amount_minor":-1250,"currency":"EUR","type":"card_payment","channel":"card"}'
)
"""Version 1, without any optional field."""

TRANSACTION_OF_TOMORROW = (
    b'{"event_id":"t-2","customer_id":"c-1","account_id":"a-1","occurred_at":1769846400000,"amount_minor":100,'
    b'"currency":"EUR","type":"crypto_sale","channel":"glasses","balance_minor":5,"mood":{"happy":true},"tags":[1,"x"]}'
)
"""With fields, a type and a channel that do not exist yet."""

ALERT_1 = (
    b'{"alert_id":"0c1cc9c5-2d3f-5d5f-8a3e-0d4bb2f6a1de","kind":"churn_risk","status":"raised","customer_id":"c-1",'
    b'"raised_at":"2026-03-01T00:00:00.000Z","expires_at":"2026-03-31T00:00:00.000Z","score":0.92,"horizon_days":30,'
    b'"reasons":[{"code":"silence_beyond_own_rhythm","sentence":"No transaction for 29 days.","value":29.0,'
    b'"usual":12.0}],'
    b'"cause":{"topic":"transactions","partition":3,"due_at":"2026-03-01T00:00:00.000Z"},'
    b'"model":{"name":"own-rhythm","version":"1"}}'
)
"""Version 1, as the first release published it."""

ALERT_OF_TOMORROW = ALERT_1[:-1] + (
    b',"offer":{"offer_id":"card","product":"Card","text":"Take it.","value_minor":5,"colour":"red"},'
    b'"campaign":"spring","probabilities":[0.1,0.9],"supersedes":"x"}'
)

DEAD_LETTER_1 = [
    ("dlq_reason", b"wrong_type"),
    ("dlq_field", b"amount_minor"),
    ("dlq_rule", b"must be a whole number"),
    ("dlq_topic", b"transactions"),
    ("dlq_partition", b"3"),
    ("dlq_offset", b"17"),
    ("dlq_timestamp_ms", b"1769846400000"),
]

OFFER_1 = b'{"offer_id":"card","product":"Card","text":"Take a card.","value_minor":100,"when":["salary"]}'


class OldReason(msgspec.Struct):
    code: str
    sentence: str


class OldAlert(msgspec.Struct):
    """What a subscriber that was written long ago reads."""

    alert_id: str
    kind: str
    customer_id: str
    reasons: list[OldReason]


@pytest.mark.parametrize("recorded", [ALERT_1, ALERT_OF_TOMORROW])
def test_an_older_consumer_reads_a_newer_alert(recorded: bytes) -> None:
    alert = msgspec.json.decode(recorded, type=OldAlert)
    assert (alert.kind, alert.customer_id) == ("churn_risk", "c-1")
    assert alert.reasons[0].sentence == "No transaction for 29 days."


@pytest.mark.parametrize("recorded", [ALERT_1, ALERT_OF_TOMORROW])
def test_todays_reader_reads_older_and_newer_alerts(recorded: bytes) -> None:
    alert = msgspec.json.decode(recorded, type=Alert)
    assert (alert.score, alert.cause.partition, alert.cause.offset) == (0.92, 3, None)


def test_a_newer_worker_reads_an_older_transaction() -> None:
    batch = Intake("transactions", "EUR", {}).batch(0, [Record(5, 1769846400000, b"c-1", TRANSACTION_1)], 0, Seen())
    assert batch.dead_letters == []
    assert (batch.customers, batch.amount.tolist(), batch.at.tolist()) == (["c-1"], [-1250], [1769846400000])
    assert batch.balance.tolist() == [NONE]


def test_a_worker_reads_a_transaction_that_knows_more_than_it_does() -> None:
    record = Record(6, 1769846400000, b"c-1", TRANSACTION_OF_TOMORROW)
    batch = Intake("transactions", "EUR", {}).batch(0, [record], 0, Seen())
    assert batch.dead_letters == []
    assert (batch.unknown_types, batch.unknown_channels, batch.amount.tolist()) == (1, 1, [100])


def test_a_dead_letter_of_before_is_read() -> None:
    letter = dead_letter_of(b"c-1", b"{", [*DEAD_LETTER_1, ("dlq_shade", b"grey")])
    assert (letter.reason, letter.partition, letter.offset, letter.key) == ("wrong_type", 3, 17, b"c-1")


def test_an_offer_of_before_is_read() -> None:
    assert msgspec.json.decode(OFFER_1, type=Offer).cooldown_days == 90
