"""What works on partitions, put together in one place, each part by default as the settings say: for the worker, for
commands and for tests. Whoever hands in a part of their own gets all others as the worker has them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from handlers.engine.engine import Engine
from handlers.engine.rules import Rules
from handlers.intake.customer_records import CustomerRecordIntake
from handlers.intake.inputs import SIDE_INPUTS
from handlers.intake.transactions import TransactionIntake
from handlers.offers.catalog import Catalogue
from streams.ops.settings import Settings
from streams.partition.partition import Partition
from streams.partition.row_cache import RowCache
from streams.store.port import Store
from streams.store.redis_store import RedisStore, redis_routing
from streams.worker.churn_models import churn_rules
from streams.worker.exchange_rates import load_rates


@dataclass(frozen=True, slots=True)
class Parts:
    """For one thread at a time."""

    settings: Settings
    rules: Callable[[], Rules]
    store: Store
    intake: TransactionIntake
    customer_records: list[CustomerRecordIntake]
    engine: Engine
    cache: RowCache

    def partition(self, number: int) -> Partition:
        """The state of a partition, not claimed yet."""
        settings = self.settings
        return Partition(
            number,
            self.store,
            self.intake,
            self.engine,
            self.customer_records,
            self.rules,
            settings.topic_alerts,
            settings.topic_dead_letters,
            self.cache,
            settings.poison_share_max,
        )


def bootstrap(
    settings: Settings,
    rules: Callable[[], Rules],
    *,
    store: Store | None = None,
    intake: TransactionIntake | None = None,
    engine: Engine | None = None,
    cache: RowCache | None = None,
) -> Parts:
    """`rules` is asked once a step. Raises ValueError with every mistake in the file of rates."""
    return Parts(
        settings,
        rules,
        RedisStore(redis_routing(settings)) if store is None else store,
        transaction_intake(settings) if intake is None else intake,
        [CustomerRecordIntake(source, settings.topic_of(source)) for source in SIDE_INPUTS],
        Engine(settings.topic_transactions) if engine is None else engine,
        RowCache(settings.cache_mib_max * 1024 * 1024) if cache is None else cache,
    )


def transaction_intake(settings: Settings, *, keyed: bool = True) -> TransactionIntake:
    """`keyed` as for TransactionIntake. Raises ValueError with every mistake in the file of rates."""
    file = settings.rates_file
    rates = {} if file is None else load_rates(file, settings.base_currency)
    return TransactionIntake(settings.topic_transactions, settings.base_currency, rates, keyed=keyed)


def rules_at_start(settings: Settings) -> Rules:
    """What the settings decide: the churn models, the key of the control group, the currency; no offers. Raises
    SettingsError for a churn model that can't be used."""
    return replace(churn_rules(settings), control_key=settings.control_key.get_secret_value().encode())


def with_catalogue(rules: Rules, catalogue: Catalogue, partitions: int) -> Rules:
    """The same with these offers and this policy; budgets are divided over so many partitions."""
    return replace(rules, offers=catalogue.offers, policy=catalogue.policy, partitions=partitions)
