"""The catalogue file: what is right is read, and every mistake is told at once with the offer and the field."""

from pathlib import Path

import msgspec
import pytest

from handlers.offers.catalog import CatalogError, catalogue_of, read_catalog, record_mistake
from schemas.offer import OFFERS_MAX
from schemas.policy import Policy

SHIPPED = Path(__file__).parents[2] / "commands" / "offers.toml"

GOOD = """
[[offer]]
offer_id = "card"
product = "Card"
text = "Take a card."
value_minor = 100
when = ["salary"]
conditions = [{ feature = "count_90d", operator = "at_least", value = 3 }]
"""


def _mistakes(text: str) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        read_catalog(text)
    return str(caught.value).splitlines()


def test_the_catalogue_that_is_shipped_is_right() -> None:
    offers, policy = read_catalog(SHIPPED.read_text("utf-8"))
    assert len(offers) == 10
    assert all(offer.texts.zh for offer in offers)
    assert policy.control_share == 0.05
    assert {offer.offer_id for offer in offers} >= {"savings-account", "personal-loan", "mobile-banking"}


def test_an_offer_is_read_with_its_defaults() -> None:
    (offer,) = read_catalog(GOOD).offers
    assert (offer.offer_id, offer.cooldown_days, offer.conditions[0].value) == ("card", 90, 3.0)


def test_a_policy_alone_is_a_catalogue() -> None:
    offers, policy = read_catalog("[policy]\nchurn_raise_at = 0.5")
    assert (offers, policy) == ((), Policy(churn_raise_at=0.5))
    assert _mistakes("") == ["holds neither an [[offer]] nor a [policy]"]
    assert _mistakes("offer = []\n[policy]") == ["holds neither an [[offer]] nor a [policy]"]


def test_every_mistake_names_the_offer_and_the_field() -> None:
    text = """
[[offer]]
offer_id = "card"
product = "Card"
text = ""
value_minor = -1
when = ["birthday"]
colour = "red"
[[offer]]
product = "Loan"
text = "Take a loan."
value_minor = 1
when = ["salary"]
conditions = [
    { feature = "countt", operator = "at_least", value = 3 },
    { feature = "count_90d", operator = "about", value = 3 },
    { feature = "count_90d", operator = "above" },
    { feature = "count_90d", operator = "above", value = 1, times = 2, of = "nothing" },
    { feature = "count_90d", operator = "above", value = nan },
]
"""
    lines = _mistakes(text)
    assert [line.split(": ")[:3] for line in lines[:5]] == [
        ["line 8", "offer card", "colour"],
        ["line 5", "offer card", "text"],
        ["line 6", "offer card", "value_minor"],
        ["line 7", "offer card", "when"],
        ["line 9", "offer number 2", "offer_id"],
    ]
    assert [line.split(": ")[:4] for line in lines[5:]] == [
        ["line 15", "offer number 2", "conditions 1", "feature"],
        ["line 16", "offer number 2", "conditions 2", "operator"],
        ["line 17", "offer number 2", "conditions 3", "value"],
        ["line 18", "offer number 2", "conditions 4", "of"],
        ["line 18", "offer number 2", "conditions 4", "value"],
        ["line 19", "offer number 2", "conditions 5", "value, times"],
    ]


def test_a_line_is_found_past_texts_of_many_lines_and_tables_below_an_offer() -> None:
    text = '''[policy]
quiet_from = "9 o'clock"
[[policy.caps]]
at_most = 1
days = 7
[[policy.caps]]
at_most = -1
days = 7
[[offer]]
offer_id = "card"
product = "Card"
value_minor = 1
when = ["salary"]
[offer.text]
en = """
[[offer]]
weight = 3
"""
zh = ""
[[offer]]
offer_id = "loan"
product = ""
'''
    assert [line.split(": ")[:3] for line in _mistakes(text)] == [
        ["line 2", "policy", "quiet_from"],
        ["line 6", "policy", "caps 2"],
        ["line 14", "offer card", "text"],
        ["line 22", "offer loan", "product"],
        ["line 20", "offer loan", "text"],
        ["line 20", "offer loan", "value_minor"],
    ]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("cost_minor = 101", "cost_minor"),
        ("valid_from = 2026-02-01T00:00:00Z\nvalid_to = 2026-02-01T00:00:00Z", "valid_to"),
        ("valid_from = 2026-02-01T00:00:00", "valid_from"),
        ("budget = -1", "budget"),
        ('channel = "pigeon"', "channel"),
        ("propensity = 1.0", "propensity"),
        ("[[offer.eligibility]]\nfeature = 'balance'\noperator = 'above'", "eligibility 1"),
    ],
)
def test_what_an_offer_may_not_say(more: str, field: str) -> None:
    (line,) = _mistakes(GOOD + more)
    assert line.split(": ")[1:3] == ["offer card", field]


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ('quiet_from = "21:00"', "quiet_from"),
        ('quiet_from = "21:00"\nquiet_to = "21:00"', "quiet_to"),
        ('time_zone = "Europe/Atlantis"', "time_zone"),
        ("tiers_minor = [2, 1]", "tiers_minor"),
        ("control_share = 0.6", "control_share"),
        ('kill = ["spam"]', "kill"),
        ("context = { birthday = 1 }", "context"),
    ],
)
def test_what_a_policy_may_not_say(policy: str, field: str) -> None:
    (line,) = _mistakes(f"[policy]\n{policy}\n{GOOD}")
    assert line.split(": ")[1:3] == ["policy", field]


def test_an_offer_needs_a_moment_or_is_for_retention() -> None:
    without = GOOD.replace('when = ["salary"]', "")
    assert _mistakes(without) == ["line 2: offer card: when: write at least one moment, or retention = true"]
    assert read_catalog(without.replace("value_minor", "retention = true\nvalue_minor")).offers[0].retention


def test_the_topic_holds_what_the_file_holds() -> None:
    found = read_catalog(SHIPPED.read_text("utf-8"))
    records = {offer.offer_id.encode(): msgspec.json.encode(offer) for offer in found.offers}
    records[b"@policy"] = msgspec.json.encode(found.policy)
    assert [record_mistake(key, value) for key, value in records.items()] == [None] * len(records)
    again = catalogue_of(records)
    assert again.policy == found.policy
    assert again.offers == tuple(sorted(found.offers, key=lambda offer: offer.offer_id))
    assert catalogue_of({}) == ((), Policy())


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (None, b"{}", "key"),
        (b"a\0", b"{}", "key"),
        (b"a", b"{", "JSON"),
        (b"@policy", b'{"control_share":2}', "control_share"),
        (b"a", b'{"offer_id":"b","product":"B","text":"B","value_minor":1,"when":["salary"]}', "differs"),
    ],
)
def test_a_record_that_is_not_good_is_told(key: bytes | None, value: bytes, says: str) -> None:
    assert says in (record_mistake(key, value) or "")


def test_two_offers_cannot_have_one_id() -> None:
    assert _mistakes(GOOD + GOOD) == ["line 11: offer card: offer_id: another offer has the same"]


def test_more_offers_than_a_row_remembers_are_refused() -> None:
    text = "".join(GOOD.replace('"card"', f'"card{i}"') for i in range(OFFERS_MAX + 1))
    assert _mistakes(text) == [f"holds {OFFERS_MAX + 1} offers, more than {OFFERS_MAX}"]


@pytest.mark.parametrize("text", ["", "offer = 3", "[[offer", 'offers = "x"', "offer = []"])
def test_what_is_no_catalogue_is_told_in_a_line(text: str) -> None:
    assert _mistakes(text)
