"""Customers as Redis holds them at this moment: read only, each in one round trip to the node of their partition."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from handlers.offers.counts import Ledger
from handlers.state.row_table import LEDGER
from serving.partitioner import partition_of
from streams.ops.settings import Settings
from streams.store.port import Position, StoreUnavailable
from streams.store.redis_store import RedisStore, redis_routing

T = TypeVar("T")


class Known(NamedTuple):
    """What Redis holds of a customer."""

    customer_id: str
    row: bytes
    now: int
    """The moment that the figures are for, epoch ms: the wall clock's, or the stream's where that is the clock."""
    partition: int


class Customers:
    """One connection in a thread of its own, so that a slow Redis does not stop the web server."""

    def __init__(self, settings: Settings, partitions: Callable[[], int]) -> None:
        """`partitions` says how many the topic of transactions has."""
        self._by_stream = settings.clock == "stream"
        self._partitions = partitions
        self._store = RedisStore(redis_routing(settings))
        self._thread = ThreadPoolExecutor(1, "customers")

    async def find(self, customer_id: str) -> Known | None:
        """None for a customer of whom nothing has been processed. Raises StoreUnavailable."""
        return await self._ask(lambda: self._find(customer_id))

    async def positions(self) -> dict[int, Position]:
        """Where each partition that was ever claimed stands. Raises StoreUnavailable."""
        return await self._ask(self._positions)

    async def ledgers(self) -> dict[int, Ledger]:
        """What each partition has offered so far. Raises StoreUnavailable."""
        return await self._ask(self._ledgers)

    async def sample(self, most: int) -> list[tuple[bytes, int]]:
        """Rows of up to about `most` customers, as good as drawn by lot, each with its moment. Raises
        StoreUnavailable."""
        return await self._ask(lambda: self._sample(most))

    async def now(self, customer_id: str) -> int:
        """The moment at which something about the customer happens now, epoch ms. Raises StoreUnavailable."""
        return await self._ask(lambda: self._now(self._store.read(partition_of(customer_id, self._partitions()))))

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    async def _ask(self, question: Callable[[], T]) -> T:
        def twice() -> T:
            try:
                return question()
            except StoreUnavailable:  # a connection that was idle may have been closed; what follows is a new one
                return question()

        return await asyncio.get_running_loop().run_in_executor(self._thread, twice)

    def _find(self, customer_id: str) -> Known | None:
        expected = partition_of(customer_id, self._partitions())
        row, position = self._store.look(expected, customer_id)
        if row is not None:
            return Known(customer_id, row, self._now(position), expected)
        # Core banking's producer may choose partitions otherwise than Kafka's own.
        others = [number for number in range(self._partitions()) if number != expected]
        for number, loaded in zip(others, self._store.load_all([(n, [customer_id]) for n in others]), strict=True):
            if isinstance(loaded, StoreUnavailable):
                raise loaded
            if loaded[0] is not None:
                return Known(customer_id, loaded[0], self._now(self._store.read(number)), number)
        return None

    def _positions(self) -> dict[int, Position]:
        stands = ((number, self._store.read(number)) for number in range(self._partitions()))
        return {number: position for number, position in stands if position is not None}

    def _ledgers(self) -> dict[int, Ledger]:
        wanted = [(number, [LEDGER]) for number in range(self._partitions())]
        ledgers = {}
        for (number, _), loaded in zip(wanted, self._store.load_all(wanted), strict=True):
            if isinstance(loaded, StoreUnavailable):
                raise loaded
            ledgers[number] = Ledger(loaded[0])
        return ledgers

    def _sample(self, most: int) -> list[tuple[bytes, int]]:
        numbers = range(self._partitions())
        rows = []
        for number in numbers:
            now = self._now(self._store.read(number))
            rows += [(row, now) for row in self._store.sample(number, -(-most // len(numbers)))]
        return rows

    def _now(self, position: Position | None) -> int:
        if self._by_stream and position is not None:
            return position.clock
        return int(time.time() * 1000)
