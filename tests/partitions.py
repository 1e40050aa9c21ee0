"""Partitions as a worker has them, over a store of a test's own."""

from collections.abc import Callable
from typing import Any

from handlers.engine.rules import Rules
from streams.ops.settings import Settings
from streams.partition.partition import Partition
from streams.partition.row_cache import RowCache
from streams.store.port import Store
from streams.worker.bootstrap import Parts, bootstrap

CACHE_BYTES = 1 << 20


def parts(
    store: Store, rules: Rules | Callable[[], Rules] = Rules, cache: RowCache | None = None, **settings: Any
) -> Parts:
    """Rules without offers by default, and no share of refused records is too large."""
    given = {"kafka_bootstrap_servers": "127.0.0.1:1", "poison_share_max": 1.0} | settings
    asked = (lambda: rules) if isinstance(rules, Rules) else rules
    return bootstrap(Settings(**given), asked, store=store, cache=cache or RowCache(CACHE_BYTES))


def opened(store: Store, rules: Rules | Callable[[], Rules] = Rules, number: int = 0, **more: Any) -> Partition:
    """A partition of such parts, not claimed."""
    return parts(store, rules, **more).partition(number)


def claimed(store: Store, rules: Rules | Callable[[], Rules] = Rules, number: int = 0, **more: Any) -> Partition:
    """A partition of such parts, claimed."""
    partition = opened(store, rules, number, **more)
    partition.claim()
    return partition
