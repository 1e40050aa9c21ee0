"""What one partition has offered so far, and how often it was taken: one more row, committed with all the others.

Budgets and learning need figures over many customers. Each partition keeps its own, under the name LEDGER among the
customers' rows, so that they are fenced, committed and recovered with what they count.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from handlers.contact.history import ACCEPTED, BOUGHT, CONTROL, SENT, ContactHistory
from handlers.state.codec import LayoutError
from schemas.offer import Offer

OFFERS_KNOWN_MAX = 256
_VERSION = b"\xf1"
"""Unlike that of any customer's row."""


class Counts(msgspec.Struct, array_like=True):
    """Of one offer in one partition."""

    spent: int = 0
    """How often it was sent."""
    cells: dict[int, tuple[int, int]] = {}
    """By segment: how often it was sent, and how often it was then taken."""
    control: tuple[int, int] = (0, 0)
    """The same for customers of the control group, to whom it would have been sent."""
    touched_at: int = 0

    @property
    def made(self) -> tuple[int, int]:
        """Over all segments."""
        whole = taken = 0
        for made_here, taken_here in self.cells.values():
            whole += made_here
            taken += taken_here
        return whole, taken


class Ledger:
    """Opened once a step."""

    def __init__(self, row: bytes | None) -> None:
        """Raises LayoutError for a row of another version."""
        if row and row[:1] != _VERSION:
            raise LayoutError(f"the ledger has version {row[0]}; this program reads version {_VERSION[0]}")
        self._offers: dict[str, Counts] = _decoder.decode(row[1:]) if row else {}
        self.changed = False

    def encoded(self) -> bytes:
        """The row."""
        return _VERSION + _encoder.encode(dict(sorted(self._offers.items())))

    def of(self, offer_id: str) -> Counts:
        """What is known of an offer; not to be changed."""
        return self._offers.get(offer_id) or _NONE

    def offers(self) -> list[str]:
        """Ids of those that anything is known of."""
        return list(self._offers)

    def made(self, offer_id: str, segment: int, at: int, *, control: bool, catalogue: dict[str, Offer]) -> None:
        """An offer has been sent, or, in the control group, would have been."""
        counts = self._touch(offer_id, at)
        if control:
            counts.control = (counts.control[0] + 1, counts.control[1])
        else:
            counts.spent += 1
            made, taken = counts.cells.get(segment, (0, 0))
            counts.cells[segment] = (made + 1, taken)
        while len(self._offers) > OFFERS_KNOWN_MAX:
            gone = [name for name in self._offers if name not in catalogue]
            del self._offers[min(gone, key=lambda name: (self._offers[name].touched_at, name))]

    def taken(self, offer_id: str, segment: int, at: int, *, control: bool, times: int = 1) -> None:
        """An offer that was made has been taken; with -1 it has not after all."""
        counts = self._touch(offer_id, at)
        if control:
            counts.control = (counts.control[0], counts.control[1] + times)
        else:
            made, taken = counts.cells.get(segment, (0, 0))
            counts.cells[segment] = (made, taken + times)

    def _touch(self, offer_id: str, at: int) -> Counts:
        counts = self._offers.setdefault(offer_id, Counts(cells={}))
        counts.touched_at = max(counts.touched_at, at)
        self.changed = True
        return counts


def share_of_budget(offer: Offer, partitions: int, partition: int) -> int | None:
    """This partition's part of an offer's budget; None without one. The parts of all partitions add up to the whole.

    Equal parts by largest remainder: what is left over goes to the partitions that follow one which the offer's id
    chooses, so that several small budgets do not all fall to the first.
    """
    if offer.budget is None:
        return None
    return _share(offer.budget, offer.offer_id, partitions, partition)


def made_to(history: ContactHistory, counted: dict[str, Counts]) -> None:
    """Adds what one customer was offered and took, as far as the contact history still says."""
    for contact in history.contacts:
        if not contact.offer_id or contact.mode not in (SENT, CONTROL):
            continue
        counts = counted.setdefault(contact.offer_id, Counts(cells={}))
        taken = contact.answer in (ACCEPTED, BOUGHT)
        if contact.mode == CONTROL:
            counts.control = _plus(counts.control, (1, taken))
        else:
            counts.cells[contact.segment] = _plus(counts.cells.get(contact.segment, (0, 0)), (1, taken))


def divided(ledgers: Iterable[bytes | None], counted: Sequence[dict[str, Counts]]) -> list[bytes]:
    """The rows of the ledgers of as many partitions as are `counted`, which says what was offered to the customers that
    each is to have. Together they say what `ledgers` say together.

    What is spent of a budget is divided as the budget is, so that what is left of it stays what it was. What nobody's
    contact history remembers is divided equally. Raises LayoutError for a row of another version.
    """
    whole: dict[str, Counts] = {}
    for row in ledgers:
        for name, counts in Ledger(row)._offers.items():
            _add(whole.setdefault(name, Counts(cells={})), counts)
    parts = [Ledger(None) for _ in counted]
    for name, counts in whole.items():
        known = [its.get(name, _NONE) for its in counted]
        spent = _shares(counts.spent, name, len(parts))
        control = _divided(counts.control, [its.control for its in known], name)
        cells = {
            segment: _divided(cell, [its.cells.get(segment, (0, 0)) for its in known], name)
            for segment, cell in counts.cells.items()
        }
        for place, part in enumerate(parts):
            its = {segment: cell[place] for segment, cell in cells.items() if cell[place] != (0, 0)}
            part._offers[name] = Counts(spent[place], its, control[place], counts.touched_at)
    return [part.encoded() if whole else b"" for part in parts]


def _add(to: Counts, more: Counts) -> None:
    to.spent += more.spent
    to.control = _plus(to.control, more.control)
    to.touched_at = max(to.touched_at, more.touched_at)
    for segment, cell in more.cells.items():
        to.cells[segment] = _plus(to.cells.get(segment, (0, 0)), cell)


def _plus(mine: tuple[int, int], more: tuple[int, int]) -> tuple[int, int]:
    return mine[0] + more[0], mine[1] + more[1]


def _divided(whole: tuple[int, int], known: Sequence[tuple[int, int]], name: str) -> list[tuple[int, int]]:
    """How often it was made and taken, for each partition: what is known of it, and its share of the rest."""
    made, taken = (
        [mine + more for mine, more in zip(its, _shares(of - sum(its), name, len(its)), strict=True)]
        if sum(its) <= of
        else _shares(of, name, len(its))
        for of, its in zip(whole, zip(*known, strict=True), strict=True)
    )
    return list(zip(made, taken, strict=True))


def _shares(whole: int, name: str, partitions: int) -> list[int]:
    return [_share(whole, name, partitions, partition) for partition in range(partitions)]


def _share(whole: int, name: str, partitions: int, partition: int) -> int:
    first = int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) % partitions
    share, left = divmod(whole, partitions)
    return share + (1 if (partition - first) % partitions < left else 0)


_NONE = Counts()
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(dict[str, Counts])
