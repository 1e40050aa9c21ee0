"""Sections at the end of a row: by hand from the figures, of other programs, cut short and broken."""

import pytest

from handlers.contact.history import CONTACT
from handlers.offers.section import OFFERS
from handlers.profile.customer import accounts, active_days, churn_raised_at, contact_history, profile
from handlers.profile.upgrade import current
from handlers.state.codec import VERSION, LayoutError
from handlers.state.sections import joined, numbers
from schemas.policy import Policy
from tests.bank import START, booked, day, event, offer
from tests.fast import Fast
from tests.rows import parts
from tests.unit.test_numbers import varint

STAY = offer("stay", 2_000, (), retention=True, channel="post")
POLICY = Policy(tiers_minor=[10_000, 100_000])
STREAM = [
    *(booked(n, 400, "transfer_in", balance=1_000 + n) for n in range(0, 24, 3)),
    event("product_taken", 22, product="visa", product_kind="card", account_id="ann/main", limit_minor=5_000),
    event("product_taken", 22.1, product="term", product_kind="deposit", account_id="ann/term", matures_at=day(90)),
    day(40),
]
"""A customer with a churn alert that stands, a card, a deposit, a tier, and an offer in the contact history."""

DUE, RAISED = START + 76 * 86_400_000 + 43_200_000, START + 29 * 86_400_000

ROW_2 = bytes.fromhex(
    "0280d8e2cbbe6380b0acc20d000010803200100080d08cf8d06380f082a0e4638098fdc1ef63020210616e6e2f6d61696efa0f000410616e6e2f"
    "6d61696e84e1ead816bf3e0007087465726dd8f1f98725008098fdc1ef6302000aa00606000aa00690010aa00690010aa006100781452003fa07"
    "636781452003f407636781452003ee07636781452003e807636781452003e207636781452003dc07636781452003d607636781452003d0076397"
    "929dc400a0a0cf0000018e87819400001e0000000000cf0000018e87819400009dc410565d4a929b635d34ad9f5d00f10be583a473746179a473"
    "746179cf0000018e87819400000e0600010000cf0000018e87819400019080a00082a476697361cf0000018e66083e00a47465726dcf0000018e"
    "668c140080"
)
"""The same customer in layout 2, as the program of then wrote it."""


def fed(*stream: object, row: bytes | None = None) -> Fast:
    bank = Fast(offers=(STAY,), policy=POLICY)
    if row is not None:
        bank.rows["ann"], bank.due["ann"] = row, DUE
    return bank.feed(stream)  # type: ignore[arg-type]


def full() -> bytes:
    return fed(*STREAM).rows["ann"]


def test_sections_stand_by_tag_each_with_its_length() -> None:
    row = full()
    history = contact_history(row).encoded()
    quiet = RAISED + 30 * 86_400_000
    churn = varint(0) + varint(RAISED) + varint(quiet)
    offers = varint(DUE) + varint(1)
    figures, sections = parts(row)
    watched = sections[3]
    # the second id shares "ann/" with the first; the deposit is looked at 14 days before it matures
    assert watched.startswith(varint(8) + b"ann/main")
    assert varint(-4) + varint(4) + b"term" in watched
    assert watched.endswith(varint(0) + varint(DUE))
    expected = ((1, churn), (2, offers), (3, watched), (4, history))
    assert row == figures + b"".join(bytes([tag]) + varint(len(each)) + each for tag, each in expected)
    assert len(history) > 63  # a length of two bytes


def test_an_empty_section_takes_no_byte_and_zeros_at_the_end_of_one_neither() -> None:
    assert fed(booked(0, 400, "transfer_in")).rows["ann"].endswith(bytes([OFFERS]) + varint(2) + varint(0) + varint(1))
    assert numbers(5, 0, 0) == varint(5)
    assert numbers(0, 0) == b""
    assert joined({7: b"", 5: b"x"}) == bytes([5]) + varint(1) + b"x"


def test_a_row_of_layout_2_says_the_same_and_goes_on_the_same() -> None:
    assert current(ROW_2) == full()
    assert profile(ROW_2, day(41))["in_90d"] == 3_200
    assert accounts(ROW_2) == [("ann/main", 1_021, day(21))]
    assert (churn_raised_at(ROW_2), len(active_days(ROW_2))) == (RAISED, 8)
    assert list(contact_history(ROW_2).products) == ["visa", "term"]
    alerts = fed(booked(44, 40_000, "transfer_in", balance=-4_500), day(100), row=ROW_2).alerts
    assert [(alert.kind, alert.status, alert.raised_at, alert.alert_id) for alert in alerts] == [
        ("churn_risk", "retracted", "2024-04-13T12:00:00.000Z", "42f09cf9-b3d3-549b-90c9-f3cd8cb8697e"),
        ("churn_risk", "raised", "2024-05-07T00:00:00.000Z", "272c72b6-d75a-53f0-a564-d8cd315b6d3c"),
        ("next_best_offer", "raised", "2024-05-07T00:00:00.000Z", "a48385ef-7e77-55f5-a0fb-5e98804bff85"),
    ]


MORE = (booked(41, 0, "fee"), booked(44, 40_000, "transfer_in", balance=-4_500))
"""One that is only folded, and one that is decided on."""


@pytest.mark.parametrize("tag", [5, 15, 16, 99, 255])
@pytest.mark.parametrize("length", [1, 49, 98])
def test_a_section_of_another_program_is_carried_through_unread(tag: int, length: int) -> None:
    figures, sections = parts(full())
    other = bytes(range(255 - length, 255))
    whole = bytes([tag]) + varint(length) + other
    for row in (figures + joined(sections) + whole, figures + whole + joined(sections)):
        assert profile(row, day(41)) == profile(full(), day(41))
        assert contact_history(row) == contact_history(full())
        for more in MORE:
            plain, carried = fed(more, row=full()), fed(more, row=row)
            assert (carried.alerts, carried.due) == (plain.alerts, plain.due)
            figures_after, sections_after = parts(plain.rows["ann"])
            assert parts(carried.rows["ann"]) == (figures_after, {**sections_after, tag: other})


def test_numbers_that_a_newer_program_keeps_in_a_known_section_are_carried_through() -> None:
    figures, sections = parts(full())
    newer = sections[OFFERS] + varint(0) + varint(-77)
    for more in MORE:
        plain = parts(fed(more, row=full()).rows["ann"])
        found = parts(fed(more, row=figures + joined({**sections, OFFERS: newer})).rows["ann"])
        assert found == (plain[0], {**plain[1], OFFERS: plain[1][OFFERS] + varint(0) + varint(-77)})


CHANGED = event("time_zone", 44.1, time_zone="UTC")
"""For this the contact history is read."""


def refused(row: bytes) -> bool:
    """By the worker, and by whoever looks at one customer."""
    answers = []
    for reader in (lambda: fed(*MORE, CHANGED, row=row), lambda: contact_history(row)):
        try:
            reader()
        except LayoutError:
            answers.append(True)
        else:
            answers.append(False)
    assert len(set(answers)) == 1
    return answers[0]


@pytest.mark.parametrize("row", [full(), ROW_2], ids=["present layout", "layout 2"])
def test_a_row_that_is_cut_short_is_refused_unless_whole_sections_are_missing(row: bytes) -> None:
    figures, sections = parts(full())
    whole = {
        len(figures) + len(joined({tag: each for tag, each in sections.items() if tag < last})) for last in range(5)
    }
    if row == ROW_2:
        whole = {len(row) - len(sections[CONTACT])}
    for length in range(1, len(row)):
        assert refused(row[:length]) == (length not in whole), length


@pytest.mark.parametrize(
    "sections",
    [
        b"\1" + varint(-1) + b"x",
        b"\1" + varint(3) + varint(5),  # longer than the row
        b"\1" + varint(1 << 62) + varint(5),
        b"\1" + varint(1) + varint(1 << 40),  # the number ends behind the section
        b"\1" + varint(9) + 9 * varint(1),  # more numbers than there can be
        b"\3" + varint(3) + varint(2) + b"ab",  # a watched product without its figures
        b"\3" + varint(4) + varint(60) + b"abc",  # an id that is longer than its section
        b"\3" + varint(6) + varint(-2) + varint(1) + b"a" + 3 * varint(1),  # nothing before it to share with
        b"\3" + varint(45) + 9 * (varint(1) + b"a" + 3 * varint(1)),  # more than are watched
        b"\4" + varint(2) + b"\x97\x91",  # a contact history that ends in its midst
        b"\x63" + varint(2) + b"a",
        b"\x63\xff",
        b"\x63",
    ],
)
def test_a_section_of_a_length_that_cannot_be_is_refused(sections: bytes) -> None:
    figures, _ = parts(full())
    assert refused(figures + sections)


def test_a_section_that_stands_twice_is_refused_where_it_is_read() -> None:
    figures, sections = parts(full())
    twice = figures + 2 * joined({CONTACT: sections[CONTACT]})
    with pytest.raises(LayoutError, match="twice"):
        fed(CHANGED, row=twice)


LIFE = bytes([VERSION]) + varint(START) + 7 * varint(0)
NOTHING = varint(0)


@pytest.mark.parametrize(
    "rest",
    [
        varint(65) + 65 * (varint(1) + b"a" + 2 * varint(0)) + 3 * NOTHING,  # accounts
        varint(-1) + 3 * NOTHING,
        varint(1) + varint(41) + 41 * b"a" + 2 * varint(0) + 3 * NOTHING,  # an id
        NOTHING + varint(15) + 15 * (varint(1) + varint(0)) + 2 * NOTHING,  # five minutes
        2 * NOTHING + varint(1_000_000) + NOTHING,  # hours
        3 * NOTHING + varint(183) + 183 * b"\x22\x00",  # days
        3 * NOTHING + varint(1) + b"\x20",  # a day of no byte
        3 * NOTHING + varint(1) + b"\x1f" + varint(1 << 40) + b"x",
    ],
)
def test_a_number_of_things_that_cannot_be_is_refused(rest: bytes) -> None:
    assert not refused(LIFE + 4 * NOTHING)
    assert refused(LIFE + rest)
