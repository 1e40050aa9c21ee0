"""Outcomes and customer events: what they settle, what they teach, and that told again they change nothing."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from handlers.contact.history import ACCEPTED, ANSWERS, BOUGHT, DECLINED, IGNORED, RETRACTED, SHOWN
from handlers.contact.rules import in_control
from handlers.intake.customer_records import CustomerRecord, CustomerRecordIntake
from handlers.intake.events import Record
from handlers.intake.inputs import CUSTOMER_EVENTS, OUTCOMES, InputTopic
from schemas.dead_letter import DeadLetter
from schemas.policy import Policy
from tests.bank import booked, day, event, offer, offered, outcome, salary
from tests.fast import Fast


def run_with_an_offer(**fields: Any) -> Fast:
    """One alert has been sent."""
    return Fast(offers=(offer(cooldown_days=90, **fields),)).feed([salary(0)])


@pytest.mark.parametrize(
    ("told", "answer", "taken"),
    [
        (["shown"], SHOWN, 0),
        (["shown", "ignored", "shown"], IGNORED, 0),
        (["declined", "shown", "declined"], DECLINED, 0),
        (["accepted", "accepted", "ignored"], ACCEPTED, 1),
        (["accepted", "declined", "ignored"], DECLINED, 0),
        (["shown", "accepted", "bought", "bought"], BOUGHT, 1),
        (["bought", "accepted", "shown"], BOUGHT, 1),
        (["declined", "accepted"], ACCEPTED, 1),
    ],
)
def test_the_weightiest_outcome_stays_and_counts_once(told: list[str], answer: int, taken: int) -> None:
    run = run_with_an_offer()
    run.feed([outcome(what, 1 + number, "savings", run.alerts[0]) for number, what in enumerate(told)])
    assert run.dealings("ann").contacts[0].answer == answer
    assert run.ledger().of("savings").made == (1, taken)
    assert len(run.alerts) == 1
    assert run.unmatched == 0


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ([("declined", 10), ("ignored", 9)], DECLINED),
        ([("declined", 10), ("ignored", 19)], DECLINED),
        ([("declined", 10), ("accepted", 9)], DECLINED),
        ([("declined", 10), ("accepted", 11)], ACCEPTED),
        ([("bought", 5), ("declined", 10)], BOUGHT),
        ([("shown", 1), ("ignored", 9), ("shown", 12)], IGNORED),
    ],
)
def test_outcomes_come_to_the_same_in_whatever_order_they_arrive(told: list[tuple[str, int]], answer: int) -> None:
    ends = []
    for order in permutations(told):
        run = run_with_an_offer()
        run.feed([outcome(what, on, "savings", run.alerts[0]) for what, on in order])
        contact = run.dealings("ann").contacts[0]
        ends.append((contact.answer, contact.answered_at, run.ledger().of("savings").made))
    weighty = next(on for what, on in told if ANSWERS[what] == answer)
    assert set(ends) == {(answer, day(weighty), (1, int(answer in (ACCEPTED, BOUGHT))))}


def test_what_was_bought_through_an_alert_is_known_when_the_offer_has_left_the_catalogue() -> None:
    january, february = offer("gold-jan", product_code="gold"), offer("gold-feb", product_code="gold")
    run = Fast(offers=(january,)).feed([salary(0)])
    run.rules = replace(run.rules, offers=(february,))
    run.feed([outcome("bought", 3, "gold-jan", run.alerts[0]), salary(4)])
    assert offered(run.alerts) == ["gold-jan"]
    assert run.suppressed == {"held": 1}
    assert set(run.dealings("ann").products) == {"gold"}


def test_a_cooldown_goes_on_while_the_offer_is_out_of_the_catalogue() -> None:
    """Made on day 0 for 365 days; on day 100 another offer's moment comes while it is out; on day 120 it is back."""
    gold, other = offer("gold", cooldown_days=365), offer("other", when=("new_channel",))
    run = Fast(offers=(gold,)).feed([salary(0)])
    run.rules = replace(run.rules, offers=(other,))
    run.feed([booked(100, -5, "purchase", channel="mobile")])
    run.rules = replace(run.rules, offers=(gold,))
    run.feed([salary(120), salary(364)])
    assert offered(run.alerts) == ["gold", "other"]
    run.feed([salary(366)])
    assert offered(run.alerts) == ["gold", "other", "gold"]


def test_an_outcome_of_an_unknown_alert_or_of_another_offer_changes_nothing_and_is_counted() -> None:
    run = run_with_an_offer()
    before = dict(run.rows)
    stranger = outcome("accepted", 1, "savings", run.alerts[0]) | {"alert_id": "no-such-alert"}
    run.feed([stranger, outcome("accepted", 1, "loan", run.alerts[0])])
    assert run.unmatched == 2
    assert run.rows == before


def test_a_product_that_was_taken_takes_back_every_offer_of_it_that_stands() -> None:
    offers = (offer("a", 900, product_code="p", cooldown_days=90), offer("b", product_code="p"), offer("c"))
    run = Fast(offers=offers).feed([salary(0), salary(1)])
    taken = event("product_taken", 2, product="p")
    sent = {alert.offer.offer_id: alert.alert_id for alert in run.alerts if alert.offer}
    run.feed([taken, taken])
    assert {alert.supersedes for alert in run.alerts[2:]} == {sent[name] for name in sent if name != "c"}
    assert {alert.reasons[0].code for alert in run.alerts[2:]} == {"taken"}
    assert run.dealings("ann").holds("p")
    assert sum(run.ledger().of(name).made[1] for name in "ab") == len(run.alerts) - 2
    run.feed([event("product_closed", 3, product="p"), event("product_taken", 2.5, product="p")])
    assert not run.dealings("ann").holds("p")


def test_buying_through_an_alert_is_no_reason_to_take_that_one_back() -> None:
    run = run_with_an_offer(product_code="p")
    run.feed([outcome("bought", 1, "savings", run.alerts[0]), event("product_taken", 1, product="p")])
    assert len(run.alerts) == 1
    assert run.ledger().of("savings").made == (1, 1)


def test_a_product_taken_after_the_alert_expired_does_not_count_as_its_doing() -> None:
    for on, taken in ((13.9, 1), (14, 0)):
        run = run_with_an_offer(valid_days=14).feed([event("product_taken", on, product="savings")])
        assert run.ledger().of("savings").made == (1, taken)


def test_what_the_control_group_takes_unasked_is_counted_alike() -> None:
    policy = Policy(control_share=0.5)
    names = [f"c{number}" for number in range(20)]
    run = Fast(offers=(offer(),), policy=policy).feed([salary(0, name) for name in names])
    control = [name for name in names if in_control(name, run.rules.policy, run.rules.control_key)]
    run.feed([event("product_taken", 1, name, product="savings") for name in names])
    counts = run.ledger().of("savings")
    assert counts.control == (len(control), len(control))
    assert counts.made == (20 - len(control), 20 - len(control))
    assert {alert.customer_id for alert in run.alerts} == set(names) - set(control)


def test_an_event_of_a_customer_never_seen_makes_a_row() -> None:
    run = Fast(offers=()).feed([event("time_zone", 0, time_zone="Asia/Tokyo"), event("time_zone", -1, time_zone="UTC")])
    assert run.dealings("ann").zone == "Asia/Tokyo"
    assert run.dealings("ann").contacts == []


def test_a_retracted_offer_that_is_accepted_all_the_same_counts() -> None:
    run = Fast(offers=(offer(channel="email"),)).feed([salary(0), event("consent_withdrawn", 1, channel="email")])
    assert run.dealings("ann").contacts[0].answer == RETRACTED
    run.feed([outcome("accepted", 2, "savings", run.alerts[0])])
    assert run.dealings("ann").contacts[0].answer == ACCEPTED


def read(value: bytes, source: InputTopic = CUSTOMER_EVENTS, key: bytes | None = b"ann") -> CustomerRecord | DeadLetter:
    """What becomes of one record that Kafka received on day 0."""
    notes, letters = CustomerRecordIntake(source, "events").notes(3, [Record(7, day(0), key, value)])
    return (notes + letters)[0]


SOUND = b'{"event_id":"e","customer_id":"ann","occurred_at":"2024-02-29T12:00:00Z","kind":"%s"%s}'
OUTCOME = b'{"customer_id":"ann","offer_id":"card","outcome":"%s","occurred_at":"2024-02-29T12:00:00Z"}'


def test_a_sound_record_becomes_a_note() -> None:
    note = read(SOUND % (b"consent_given", b',"channel":"sms","mood":"good"'))
    assert isinstance(note, CustomerRecord)
    assert (note.at, note.topic, note.offset) == (day(0), "events", 7)
    assert isinstance(read(OUTCOME % b"bought", OUTCOMES), CustomerRecord)


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        (b"{", "not_json", ""),
        (b"", "empty", ""),
        (SOUND % (b"moved", b""), "wrong_type", "kind"),
        (SOUND % (b"consent_given", b""), "missing_field", "channel"),
        (SOUND % (b"consent_given", b',"channel":"pigeon"'), "wrong_type", "channel"),
        (SOUND % (b"time_zone", b',"time_zone":"Europe/Atlantis"'), "out_of_bounds", "time_zone"),
        (SOUND % (b"time_zone", b',"time_zone":"../zones"'), "out_of_bounds", "time_zone"),
        (SOUND % (b"product_taken", b""), "missing_field", "product"),
        (SOUND % (b"product_taken", b',"product":"p","product_kind":"card"'), "missing_field", "account_id"),
        (
            SOUND % (b"product_taken", b',"product":"p","product_kind":"deposit","account_id":"a"'),
            "missing_field",
            "matures_at",
        ),
        (SOUND % (b"product_closed", b',"product":"p\\n"'), "out_of_bounds", "product"),
        (
            SOUND.replace(b"02-29", b"03-02") % (b"consent_given", b',"channel":"sms"'),
            "in_the_future",
            "occurred_at",
        ),
        (SOUND.replace(b'"ann"', b'"bob"') % (b"consent_given", b',"channel":"sms"'), "wrong_key", "customer_id"),
    ],
)
def test_a_record_that_breaks_a_rule_becomes_a_dead_letter(value: bytes, reason: str, field: str) -> None:
    letter = read(value)
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.field, letter.topic, letter.partition, letter.offset) == (
        reason, field, "events", 3, 7,
    )  # fmt: skip
    assert letter.value == value


def test_only_bought_can_do_without_an_alert() -> None:
    letter = read(OUTCOME % b"accepted", OUTCOMES)
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.field) == ("missing_field", "alert_id")


def test_neither_an_outcome_nor_a_customer_event_makes_anybody_look_silent() -> None:
    """Stream time is moved by transactions alone: due on day 29, told of on day 60, silent when the stream is there."""
    visits = [booked(on, -5, "purchase") for on in range(0, 24, 3)]
    told = [
        outcome("shown", 60, "savings", customer="ann") | {"alert_id": "x"},
        event("time_zone", 60, time_zone="UTC"),
    ]
    run = Fast(offers=()).feed([*visits, *told])
    assert run.alerts == []
    assert [alert.raised_at[5:10] for alert in run.feed([day(60)]).alerts] == ["03-29"]
