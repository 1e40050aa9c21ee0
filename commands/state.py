"""What commands share of state: the store in Redis, the intake as the worker has it, where a partition stands."""

from commands.console import Failure
from handlers.engine.rules import Rules
from handlers.intake.transactions import TransactionIntake
from handlers.offers.catalog import Catalogue
from streams.ops.settings import Settings
from streams.store.redis_store import RedisStore, redis_routing
from streams.worker.bootstrap import rules_at_start, transaction_intake, with_catalogue


def store(settings: Settings) -> RedisStore:
    """The state in Redis."""
    return RedisStore(redis_routing(settings))


def intake(settings: Settings, *, keyed: bool = True) -> TransactionIntake:
    """Reads transactions as the worker does. Raises Failure with every mistake in the file of rates."""
    try:
        return transaction_intake(settings, keyed=keyed)
    except ValueError as error:
        raise Failure(str(error)) from error


def rules(settings: Settings, catalogue: Catalogue, partitions: int = 1) -> Rules:
    """The bank's rules as a worker has them. Raises SettingsError for a churn model that can't be used."""
    return with_catalogue(rules_at_start(settings), catalogue, partitions)


def claimed_partitions(state: RedisStore, settings: Settings) -> list[int]:
    """The partitions that Redis knows, which may be more or fewer than TRACKER_PARTITIONS. Raises StoreUnavailable."""
    numbers = []
    number = 0
    while (known := state.read(number) is not None) or number < settings.partitions:
        if known:
            numbers.append(number)
        number += 1
    return numbers
