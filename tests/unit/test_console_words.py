"""Every text of the console has its Chinese; nothing is translated that is no longer said."""

import re
from pathlib import Path
from string import Formatter

import pytest

from handlers.aggregates.columns import COLUMNS, OF_LIFE, Operator
from handlers.aggregates.features import HOURS_24, LIFE, Feature
from handlers.contact.history import SUPPRESSION_REASONS
from schemas.offer import CONTACT_CHANNELS
from schemas.transaction import CHANNELS
from serving.chinese import CHINESE, ENGLISH
from serving.customer_pages import WINDOWS
from serving.figures import OTHERS, chinese_figure
from serving.picture import STATES
from serving.speech import Speech, language_of

SERVING = Path(__file__).parents[2] / "serving"


def texts() -> set[str]:
    """All that templates and code say, and all that they say by code."""
    said: set[str] = set()
    for template in SERVING.glob("templates/*.html"):
        text = template.read_text("utf-8")
        said |= set(re.findall(r"""_\(\s*"([^"]+)"(?!\s*~)""", text)) | set(re.findall(r"_\(\s*'([^']+)'", text))
    for file in SERVING.glob("*.py"):
        said |= set(re.findall(r'\.say\(\s*"([^"]+)"', file.read_text("utf-8")))
    said |= {f"rule.{rule}" for rule in SUPPRESSION_REASONS} | {f"switch.{to}" for to in ("on", "off", "dry-run")}
    said |= {*CHANNELS, *CONTACT_CHANNELS, *STATES, *WINDOWS, "control group", "dry run", "expired"}
    said |= {"eligibility", "applicability", "suitability", "priority"}
    return said | {feature.meaning for feature in OTHERS} | {"No longer at risk"}


def test_every_text_has_its_chinese() -> None:
    assert texts() - set(CHINESE) == set()


def test_whatever_is_declared_as_a_feature_has_its_chinese() -> None:
    declared = [
        Feature(
            "x",
            operator,
            column,
            LIFE if operator in OF_LIFE else HOURS_24,
            "X",
            HOURS_24 * (operator is Operator.RATIO),
        )
        for column in COLUMNS
        for operator in column.operators
    ]
    words = {chinese_figure(feature, CHINESE) for feature in declared}
    assert len(words) == len(declared), "no two are called the same"


def test_nothing_else_is_translated() -> None:
    assert set(CHINESE) - texts() == set()
    assert set(ENGLISH) <= set(CHINESE)


@pytest.mark.parametrize("text", sorted(CHINESE))
def test_a_translation_has_the_same_places(text: str) -> None:
    def places(words: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(words) if name}

    assert places(CHINESE[text]) == places(text)


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "de-AT,de;q=0.9,en;q=0.5", "en"),
        ("en", "zh-CN", "en"),
        ("xx", "", "en"),
    ],
)
def test_the_language_is_the_one_chosen_or_asked_for(chosen: str | None, accepted: str, language: str) -> None:
    assert language_of(chosen, accepted) == language


def test_dates_and_money_are_as_people_write_them() -> None:
    english, chinese = Speech("en", "JPY"), Speech("zh", "CNY")
    assert english.moment("2026-02-03T04:05:06.000Z") == "3 Feb 2026 04:05"
    assert chinese.day("2026-02-03T04:05:06.000Z") == "2026年2月3日"
    assert english.money(1_234_567) == "1,234,567 JPY"
    assert chinese.money(1_234_567) == "12,345.67 CNY"
