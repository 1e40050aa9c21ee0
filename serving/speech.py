"""How the console speaks to one person: in English or Chinese, with numbers, money and dates as they write them."""

from typing import Literal, NamedTuple, get_args

from handlers.aggregates.features import FEATURES, INDEX, Unit
from schemas.alert import Alert, OfferReference, Reason
from schemas.money import money
from schemas.units import DAY_MS, parse_rfc3339, rfc3339
from serving.chinese import CHINESE, ENGLISH
from serving.words import MISSING

Language = Literal["en", "zh"]
LANGUAGES: dict[Language, str] = {"en": "English", "zh": "中文"}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def language_of(chosen: str | None, accepted: str) -> Language:
    """The one chosen before, else the first that the browser asks for and we have, else English."""
    if chosen in get_args(Language):
        return chosen  # type: ignore[return-value]
    for part in accepted.split(","):
        name = part.split(";")[0].strip().lower()[:2]
        if name in get_args(Language):
            return name  # type: ignore[return-value]
    return "en"


class Speech(NamedTuple):
    """Used by the templates."""

    language: Language
    currency: str

    def say(self, english: str, **values: object) -> str:
        """A text of the console, with values put in the places {so}."""
        text = (CHINESE if self.language == "zh" else ENGLISH).get(english, english)
        return text.format(**values) if values else text

    def reason(self, reason: Reason) -> str:
        return (reason.sentence_zh if self.language == "zh" else None) or reason.sentence

    def pitch(self, offer: OfferReference) -> str:
        """What the employee says."""
        return (offer.text_zh if self.language == "zh" else None) or offer.text

    def headline(self, alert: Alert) -> str:
        """The alert in a few words."""
        if alert.status == "retracted":
            return self.say("Offer taken back" if alert.kind == "next_best_offer" else "No longer at risk")
        if alert.offer is not None:
            return alert.offer.product
        return self.say("May be leaving")

    def day(self, at: str | int) -> str:
        """The date of an RFC 3339 text or epoch ms."""
        text = at if isinstance(at, str) else rfc3339(at)
        year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
        return f"{year}年{month}月{day}日" if self.language == "zh" else f"{day} {_MONTHS[month - 1]} {year}"

    def moment(self, at: str | int) -> str:
        """Date and time, UTC."""
        text = at if isinstance(at, str) else rfc3339(at)
        return f"{self.day(text)} {text[11:16]}"

    def ago(self, at: str | int, now: int) -> str:
        """How many days before `now`."""
        days = (now - (parse_rfc3339(at) if isinstance(at, str) else at)) // DAY_MS
        if days <= 0:
            return self.say("today")
        return self.say("yesterday") if days == 1 else self.say("{days} days ago", days=f"{days:,}")

    def number(self, value: float) -> str:
        return f"{value:,}"

    def share(self, value: float, digits: int = 0) -> str:
        return f"{value:.{digits}%}"

    def money(self, minor: float) -> str:
        return money(minor, self.currency)

    def figure(self, name: str, value: float | None) -> str:
        """A feature's value with its unit."""
        if value is None:
            return MISSING
        match FEATURES[INDEX[name]].unit:
            case Unit.MINOR:
                return self.money(value)
            case Unit.SHARE:
                return self.share(value)
            case Unit.RATIO:
                return self.say("{times} times", times=f"{value:.2f}")
            case Unit.DAYS | Unit.WHOLE_DAYS:
                return self.say("{days} days", days=f"{value:,.4g}")
            case Unit.PER_30_DAYS:
                return self.say("{count} in 30 days", count=f"{value:,.1f}")
            case _:
                return f"{value:,}"
