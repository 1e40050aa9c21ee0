"""Both sides may be older or newer than the other. The bytes below were recorded and must stay readable for ever."""

import msgspec
import pytest

from handlers.contact.history import DECLINED, history_of
from handlers.intake.dedup import DuplicateFilter
from handlers.intake.events import Record
from handlers.intake.stream_time import StreamTime
from handlers.intake.transactions import TransactionIntake
from handlers.kernel.jit import NONE
from handlers.offers.counts import Counts, Ledger
from handlers.profile.customer import profile
from handlers.state.codec import VERSION
from schemas.alert import Alert
from schemas.dead_letter import dead_letter_of
from schemas.offer import Offer
from schemas.policy import Policy
from tests.bank import day, offered, salary
from tests.fast import Fast

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


OFFER_2 = (
    b'{"offer_id":"card","product":"Card","text":{"en":"Take a card.","zh":"\xe5\x8d\xa1"},"value_minor":100,'
    b'"when":["salary"],"suitability":[{"feature":"balance","operator":"above","value":1}],"channel":"sms",'
    b'"valid_to":"2027-01-01T00:00:00Z","budget":5}'
)

POLICY_1 = b'{"caps":[{"at_most":1,"days":7,"kind":"next_best_offer"}],"quiet_from":"21:00","quiet_to":"08:00"}'

ROW_1 = bytes.fromhex(
    "0180d8e2cbbe6380a0df940e000012904ef83e100080c0bfcad16380e0b5f2e4630210616e6e2f6d61696ed08c010002e0f0f5e08befc190e8"
    "0180d8a4d8866402000a904e06000a904e300cf60790010cf40712007902904ed08c010034026202f607c865003b066202f407b06d003b0662"
    "02f2079875003b066202f007807d003b066202ee07e88401003b066202ec07d08c01003b066202ea07b89401003b066202e807a09c01003b"
)
"""Layout 1: a customer with a rhythm of three days, an offer (card) in its cooldown, and a churn alert that stands."""

DEALINGS_1 = bytes.fromhex(
    "97919cc41005b16a0146c656ddbd6ec6dfb4a1427aa463617264a463617264cf0000018df4bc5600000e00000b03cf0000018df9e2b2000091"
    "93cf0000018df9e2b20008a4636172648105cf0000018df9e2b200aa417369612f546f6b796fcf0000018df9e2b20081a46c6f616ecf000001"
    "8dff090e0080"
)
"""One offer, sent and declined, one suppression, a consent, a zone, a product."""

LEDGER_1 = bytes.fromhex("f181a4636172649403810b920301920100cf0000018e042f6a00")


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
    batch = TransactionIntake("transactions", "EUR", {}).batch(
        0, [Record(5, 1769846400000, b"c-1", TRANSACTION_1)], StreamTime(), DuplicateFilter()
    )
    assert batch.dead_letters == []
    assert (batch.customers, batch.amount.tolist(), batch.at.tolist()) == (["c-1"], [-1250], [1769846400000])
    assert batch.balance.tolist() == [NONE]


def test_a_worker_reads_a_transaction_that_knows_more_than_it_does() -> None:
    record = Record(6, 1769846400000, b"c-1", TRANSACTION_OF_TOMORROW)
    batch = TransactionIntake("transactions", "EUR", {}).batch(0, [record], StreamTime(), DuplicateFilter())
    assert batch.dead_letters == []
    assert (batch.unknown_types, batch.unknown_channels, batch.amount.tolist()) == (1, 1, [100])


def test_a_dead_letter_of_before_is_read() -> None:
    letter = dead_letter_of(b"c-1", b"{", [*DEAD_LETTER_1, ("dlq_shade", b"grey")])
    assert (letter.reason, letter.partition, letter.offset, letter.key) == ("wrong_type", 3, 17, b"c-1")


def test_an_offer_of_before_is_read() -> None:
    old, new = msgspec.json.decode(OFFER_1, type=Offer), msgspec.json.decode(OFFER_2, type=Offer)
    assert (old.cooldown_days, old.texts.en, old.channel, old.code) == (90, "Take a card.", "counter", "card")
    assert (new.texts.zh, new.budget, len(new.suitability)) == ("卡", 5, 1)
    assert msgspec.json.decode(POLICY_1, type=Policy).caps[0].at_most == 1


def test_a_row_of_layout_1_keeps_its_figures_its_cooldown_and_its_alert() -> None:
    figures = profile(ROW_1, day(60))
    assert (figures["count_90d"], figures["net_life"], figures["balance"], figures["gap_q90_days"]) == (9, 972, 9000, 3)
    card, loan = (Offer(name, name, "Take it.", 1, ["salary"], propensity=0.99) for name in ("card", "loan"))
    for on, offers in ((111, ["loan"]), (112, ["card"])):  # sent on day 22, for 90 days
        run = Fast(offers=(card,) if on == 112 else (card, loan))
        run.rows["ann"] = ROW_1
        returned, offer = run.feed([salary(on)]).alerts
        assert returned.status == "retracted"
        assert offered([offer]) == offers
        assert run.rows["ann"][0] == VERSION


def test_dealings_and_a_ledger_of_before_are_read() -> None:
    dealings = history_of(DEALINGS_1)
    (contact,) = dealings.contacts
    assert (contact.offer_id, contact.kind, contact.answer, contact.valid_days) == (
        "card",
        "next_best_offer",
        DECLINED,
        14,
    )
    assert (dealings.zone, dealings.consents, dealings.products) == ("Asia/Tokyo", {5: day(1)}, {"loan": day(2)})
    assert Ledger(LEDGER_1).of("card") == Counts(3, {11: (3, 1)}, (1, 0), day(3))
