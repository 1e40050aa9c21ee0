"""What the commands that learn share: history from files, dates, and a failure in plain words."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from confluent_kafka import Consumer

from commands import rights
from commands.console import Failure, err, progress, settings_with
from commands.kafka import consumer, ends, from_the_start, partitions, to_the_end
from commands.lines import reading
from commands.remarks import remark, remark_refused
from commands.state import intake
from handlers.churn.model import ModelError
from handlers.intake.inputs import CUSTOMER_EVENTS, TRANSACTIONS
from handlers.intake.lines import topic_of
from learning.history import History, HistoryError, read
from schemas.money import EXPONENTS
from schemas.units import DAY_MS, EpochMs, epoch_ms
from streams.ops.settings import Settings

Files = Annotated[
    list[Path],
    typer.Argument(
        default_factory=list,
        help="Transactions: JSON Lines (compressed too; - is standard input) or Parquet; without any, those in the"
        " topic.",
    ),
]
Horizon = Annotated[int, typer.Option("--horizon", min=1, max=1_000, help="Days without a transaction: has left.")]
BalanceBelow = Annotated[
    int | None,
    typer.Option(
        help="Has left as well: who held as much, over all accounts, and holds less when the horizon ends. Minor units"
        " of the base currency."
    ),
]
Closed = Annotated[
    list[str],
    typer.Option(
        default_factory=list,
        help="Has left as well: who closes this product (a customer event; in files, a line with the field record).",
    ),
]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]


def moment(day: datetime) -> EpochMs:
    """The start of a day in UTC."""
    return epoch_ms(day.replace(tzinfo=UTC))


def known_until(past: History) -> EpochMs:
    """The end in UTC of the day of the last transaction: nothing is known of what came then."""
    return EpochMs((past.ends_at // DAY_MS + 1) * DAY_MS)


def history(files: Sequence[Path]) -> History:
    """Reads all of it, in TRACKER_BASE_CURRENCY; where that isn't set, in the currency of the first transaction.

    No files: the topic of transactions, from its start to where it ends now, with the worker's settings.
    Raises Failure, OSError, KafkaException.
    """
    if not files:
        return _from_the_topic(settings_with("kafka_bootstrap_servers"))
    settings = settings_with()
    with ExitStack() as stack, progress("reading", None) as bar:
        sources = [stack.enter_context(reading(file)).lines for file in files]
        start = []
        for line in sources[0]:
            start.append(line)
            if line and topic_of(line) is TRANSACTIONS:
                break
        sources[0] = chain(start, sources[0])
        if "base_currency" not in settings.model_fields_set and start and (currency := _currency(start[-1])):
            settings = settings.model_copy(update={"base_currency": currency})
        return _remarked(read(sources, intake(settings, keyed=False), bar.at), settings)


def _from_the_topic(settings: Settings) -> History:
    """Each partition is a stream of its own, as a file is."""
    rights.require(settings, rights.learning(settings))
    reader, topic = consumer(settings), settings.topic_transactions
    try:
        numbers = partitions(reader, topic)
        for number in numbers:
            if start := ends(reader, topic, number).low:
                err.print(f"[yellow]partition {number} starts at offset {start:,}[/]: what was before has gone")
        with progress("reading", None) as bar:
            sources = [_values(reader, topic, number) for number in numbers]
            events = settings.topic_of(CUSTOMER_EVENTS)
            customer_events = (value for n in partitions(reader, events) for value in _values(reader, events, n))
            return _remarked(read(sources, intake(settings, keyed=False), bar.at, customer_events), settings)
    finally:
        reader.close()


def _values(reader: Consumer, topic: str, number: int) -> Iterator[bytes]:
    """Heartbeats, which have none, are left out."""
    messages = to_the_end(reader, topic, from_the_start([number]))
    return (value for message in messages if (value := message.value()) is not None)


def _remarked(past: History, settings: Settings) -> History:
    notices = past.notices
    if notices.sorted_files:
        err.print(f"[yellow]{notices.sorted_files} files were not in the order of time[/] and have been sorted")
    remark(err, notices.duplicates, notices.early_reversals, notices.unknown_types, notices.unknown_channels)
    remark_refused(err, notices.refusals, len(past) + notices.duplicates, settings)
    return past


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turns what can be expected to go wrong into a Failure."""
    from learning.backtest import LeakError  # what learns takes a second to import: no other command waits

    try:
        yield
    except (HistoryError, LeakError, ModelError) as error:
        raise Failure(str(error)) from error


class _Currency(msgspec.Struct):
    currency: str


def _currency(line: bytes) -> str | None:
    """The currency of one transaction, if it names one that there is."""
    try:
        code = msgspec.json.decode(line, type=_Currency).currency
    except msgspec.DecodeError:
        return None
    return code if code in EXPONENTS else None
