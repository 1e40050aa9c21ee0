"""The newest alerts of the topic in memory, in the order of their causes, with what became of each."""

from bisect import insort
from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock
from typing import NamedTuple

import msgspec

from schemas.alert import Alert
from schemas.units import parse_rfc3339

BANDS = {"high": (0.9, 1.01), "medium": (0.7, 0.9), "low": (0.0, 0.7)}
"""Bounds of the score: from, and below."""


SortKey = tuple[int, int, int]
"""Sorts alerts by their causes: when it was raised (epoch ms), partition, offset."""


class Held(NamedTuple):
    """One alert."""

    raised: int
    """Epoch ms."""
    partition: int
    offset: int
    alert: Alert
    value: bytes
    """As published."""

    @property
    def sort_key(self) -> SortKey:
        return self[:3]

    @property
    def cursor(self) -> str:
        """Its sort key as text."""
        return ".".join(map(str, self.sort_key))

    @property
    def band(self) -> str | None:
        """None where the alert has no score."""
        score = self.alert.score
        return None if score is None else next(name for name, (low, high) in BANDS.items() if low <= score < high)


def sort_key_of(cursor: str) -> SortKey:
    """Raises ValueError for what is no cursor."""
    raised, partition, offset = map(int, cursor.split("."))
    return raised, partition, offset


class Filter(NamedTuple):
    """What is wanted; None is anything."""

    kind: str | None = None
    status: str | None = None
    band: str | None = None
    offer_id: str | None = None
    customer_id: str | None = None

    def takes(self, held: Held) -> bool:
        alert = held.alert
        return (
            self.kind in (None, alert.kind)
            and self.status in (None, alert.status)
            and self.band in (None, held.band)
            and (self.offer_id is None or (alert.offer is not None and alert.offer.offer_id == self.offer_id))
            and self.customer_id in (None, alert.customer_id)
        )


class OutcomeRecord(msgspec.Struct, frozen=True):
    """What matters here of a record of `alert-outcomes`."""

    outcome: str
    alert_id: str | None = None


class AlertLog:
    """Written by one thread, read by any. Holds at most `most` alerts: those of the latest causes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._sorted: list[Held] = []
        self._by_id: dict[str, Held] = {}
        self._arrived: list[Held] = []
        self._count = 0
        """Alerts that have ever arrived; the last of _arrived is number _count - 1."""
        self._outcomes: OrderedDict[str, list[str]] = OrderedDict()
        self._taken_back: dict[str, str] = {}

    def add(self, partition: int, offset: int, value: bytes) -> bool:
        """Takes a record of the topic; False for one that is no alert, and for one that is held already."""
        try:
            alert = msgspec.json.decode(value, type=Alert)
            held = Held(parse_rfc3339(alert.raised_at), partition, offset, alert, value)
        except (msgspec.DecodeError, ValueError):
            return False
        with self._lock:
            if alert.alert_id in self._by_id:
                return False
            insort(self._sorted, held, key=by_cause)
            self._by_id[alert.alert_id] = held
            if alert.supersedes is not None:
                self._taken_back[alert.supersedes] = alert.alert_id
            self._arrived.append(held)
            self._count += 1
            if len(self._arrived) > 2 * self._most:
                del self._arrived[: -self._most]
            if len(self._sorted) > self._most:
                oldest = self._sorted.pop(0).alert
                del self._by_id[oldest.alert_id]
                self._taken_back.pop(oldest.alert_id, None)
        return True

    def note_outcome(self, value: bytes) -> None:
        """Takes a record of `alert-outcomes`; whatever else it is changes nothing."""
        try:
            record = msgspec.json.decode(value, type=OutcomeRecord)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if record.alert_id is None:
            return
        with self._lock:
            outcomes = self._outcomes.setdefault(record.alert_id, [])
            if record.outcome not in outcomes:
                outcomes.append(record.outcome)
            while len(self._outcomes) > 2 * self._most:
                self._outcomes.popitem(last=False)

    def get(self, alert_id: str) -> Held | None:
        return self._by_id.get(alert_id)

    def outcomes(self, alert_id: str) -> list[str]:
        """In the order told."""
        return list(self._outcomes.get(alert_id, ()))

    def taken_back_by(self, alert_id: str) -> str | None:
        """The alert_id of the retraction."""
        return self._taken_back.get(alert_id)

    def with_answers(self, held: Held) -> tuple[Held, list[str], str | None]:
        """An alert with its outcomes, and the alert_id of its retraction."""
        return held, self.outcomes(held.alert.alert_id), self.taken_back_by(held.alert.alert_id)

    def newest(self, wanted: Filter, limit: int, before: SortKey | None = None) -> list[Held]:
        """Up to `limit`, the latest cause first, of those whose (raised, partition, offset) is below `before`."""
        matching: list[Held] = []
        with self._lock:
            for held in reversed(self._sorted):
                if (before is None or held.sort_key < before) and wanted.takes(held):
                    matching.append(held)
                    if len(matching) == limit:
                        break
        return matching

    def count(self, takes: Callable[[Held], bool]) -> int:
        with self._lock:
            return sum(map(takes, self._sorted))

    @property
    def arrived(self) -> int:
        """Alerts that have ever arrived."""
        return self._count

    def since(self, number: int) -> list[Held]:
        """Those that arrived from that number on, in the order of arrival, as far as they are held."""
        with self._lock:
            return self._arrived[max(len(self._arrived) - (self._count - number), 0) :] if number < self._count else []

    def after(self, read_to: dict[int, int]) -> list[Held]:
        """Those at or behind these offsets by partition, each partition's in its order."""
        with self._lock:
            return [held for held in self._arrived if held.offset >= read_to.get(held.partition, 0)]

    def offers(self) -> list[str]:
        """Ids of the offers in the alerts held."""
        with self._lock:
            return sorted({held.alert.offer.offer_id for held in self._sorted if held.alert.offer is not None})

    def __iter__(self) -> Iterator[Held]:
        with self._lock:
            return iter(list(self._sorted))


def by_cause(held: Held) -> SortKey:
    """To sort by."""
    return held.sort_key
