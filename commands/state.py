"""What commands share of state: the store in Redis, the intake as the worker has it, where a partition stands."""

from dataclasses import replace

from commands.console import Failure
from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from handlers.offers.catalog import Catalogue
from streams.ops.settings import Settings
from streams.store.redis_store import RedisStore, redis_routing
from streams.worker.churn_models import churn_rules
from streams.worker.exchange_rates import load_rates


def store(settings: Settings) -> RedisStore:
    """The state in Redis."""
    return RedisStore(redis_routing(settings))


def intake(settings: Settings, *, keyed: bool = True) -> TransactionIntake:
    """Reads transactions as the worker does. Raises Failure with every mistake in the file of rates."""
    try:
        file = settings.rates_file
        rates = {} if file is None else load_rates(file, settings.base_currency)
    except ValueError as error:
        raise Failure(str(error)) from error
    return TransactionIntake(settings.topic_transactions, settings.base_currency, rates, keyed=keyed)


def rules(settings: Settings, catalogue: Catalogue, partitions: int = 1) -> Rules:
    """The bank's rules as a worker has them. Raises SettingsError for a churn model that can't be used."""
    key = settings.control_key.get_secret_value().encode()
    return replace(
        churn_rules(settings),
        offers=catalogue.offers,
        policy=catalogue.policy,
        partitions=partitions,
        control_key=key,
    )


def claimed_partitions(state: RedisStore, settings: Settings) -> list[int]:
    """The partitions that Redis knows, which may be more or fewer than TRACKER_PARTITIONS. Raises StoreUnavailable."""
    found = []
    number = 0
    while (known := state.read(number) is not None) or number < settings.partitions:
        if known:
            found.append(number)
        number += 1
    return found
