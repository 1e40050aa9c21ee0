"""The catalogue file: what is right is read, and every mistake is told at once with the offer and the field."""

from pathlib import Path

import pytest

from handlers.catalog import CatalogError, read_catalog
from schemas.offer import OFFERS_MAX

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
    offers = read_catalog(SHIPPED.read_text("utf-8"))
    assert len(offers) == 6
    assert {offer.offer_id for offer in offers} >= {"savings-account", "personal-loan", "mobile-banking"}


def test_an_offer_is_read_with_its_defaults() -> None:
    (offer,) = read_catalog(GOOD)
    assert (offer.offer_id, offer.cooldown_days, offer.conditions[0].value) == ("card", 90, 3.0)


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
    assert [line.split(": ")[:2] for line in lines[:5]] == [
        ["offer card", "colour"],
        ["offer card", "text"],
        ["offer card", "value_minor"],
        ["offer card", "when"],
        ["offer number 2", "offer_id"],
    ]
    assert [line.split(": ")[:3] for line in lines[5:]] == [
        ["offer number 2", "conditions 1", "feature"],
        ["offer number 2", "conditions 2", "operator"],
        ["offer number 2", "conditions 3", "value"],
        ["offer number 2", "conditions 4", "of"],
        ["offer number 2", "conditions 4", "value"],
        ["offer number 2", "conditions 5", "value, times"],
    ]


def test_two_offers_cannot_have_one_id() -> None:
    assert _mistakes(GOOD + GOOD) == ["offer card: offer_id: another offer has the same"]


def test_more_offers_than_a_row_remembers_are_refused() -> None:
    text = "".join(GOOD.replace('"card"', f'"card{i}"') for i in range(OFFERS_MAX + 1))
    assert _mistakes(text) == [f"holds {OFFERS_MAX + 1} offers, more than {OFFERS_MAX}"]


@pytest.mark.parametrize("text", ["", "offer = 3", "[[offer", 'offers = "x"', "offer = []"])
def test_what_is_no_catalogue_is_told_in_a_line(text: str) -> None:
    assert _mistakes(text)
