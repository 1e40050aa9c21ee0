"""How every command talks: results on standard output, progress and errors on standard error, an error in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import redis
import typer
from confluent_kafka import KafkaError, KafkaException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from typer.core import TyperGroup

from streams.broker.rights import is_refusal, user_of
from streams.ops.settings import Settings, SettingsError, load_settings, variable
from streams.store.connection import Unreachable
from streams.store.port import StoreUnavailable

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Failure(Exception):
    """An expected failure. The text is for the user: what is wrong and what to do about it."""


class Commands(TyperGroup):
    """Ends with one clear line for what can be expected to go wrong: 2 for wrong settings, 1 for all else."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            complain(str(error))
            raise typer.Exit(2) from error
        except KafkaException as error:
            complain(f"Kafka: {error.args[0].str()}{_what_to_do(error.args[0])}")
        except (redis.ConnectionError, redis.TimeoutError, Unreachable) as error:
            complain(f"Redis: {error}; check TRACKER_REDIS_URL and that the server is up")
        except (redis.RedisError, StoreUnavailable) as error:
            complain(f"Redis: {error}")
        except (Failure, OSError) as error:
            complain(str(error))
        raise typer.Exit(1)


def _what_to_do(error: KafkaError) -> str:
    if is_refusal(error):
        return f": {user_of(load_settings())} lacks a right; docs/security.md lists those of each command"
    match error.code():
        case KafkaError._AUTHENTICATION:
            refused = f"; the brokers refuse {user_of(load_settings())}"
            return f"{refused}: check TRACKER_KAFKA_SASL_USERNAME and TRACKER_KAFKA_SASL_PASSWORD"
        case KafkaError._SSL:
            return "; check the variables TRACKER_KAFKA_SSL_*"
        case KafkaError._TRANSPORT | KafkaError._ALL_BROKERS_DOWN | KafkaError._TIMED_OUT | KafkaError._RESOLVE:
            return "; check TRACKER_KAFKA_BOOTSTRAP_SERVERS and that the brokers are up"
    return ""


def complain(text: str) -> None:
    """Prints errors, a line each, in red."""
    for line in text.splitlines():
        err.print(line, style="red", markup=False)


def settings_with(*needed: str) -> Settings:
    """The settings, with those that this command can't do without. Raises SettingsError naming all that are missing."""
    settings = load_settings()
    missing = [
        f"{variable(name)}: this command needs it. It means: {Settings.model_fields[name].description}"
        for name in needed
        if getattr(settings, name) is None
    ]
    if missing:
        raise SettingsError("\n".join(missing))
    return settings


def print_json(value: object) -> None:
    """One line of JSON on standard output."""
    typer.echo(orjson.dumps(value).decode())


@contextmanager
def progress(what: str, total: float | None, unit: str = "events") -> Iterator["Bar"]:
    """A progress bar on standard error, shown only on a terminal. `total` is None where nobody knows."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=err, transient=True) as bars:
        yield Bar(bars, what, total)


class Bar:
    """A progress bar that is told where things stand, often and cheaply."""

    def __init__(self, bars: Progress, what: str, total: float | None) -> None:
        self._bars = bars
        self._task = bars.add_task(what, total=total)

    def at(self, completed: float) -> None:
        """Moves to `completed` of the total."""
        self._bars.update(self._task, completed=completed)

    def add(self, more: float) -> None:
        """Moves on by `more`."""
        self._bars.advance(self._task, more)

    def says(self, what: str) -> None:
        """Names what is being done now, where nobody knows how long it takes."""
        self._bars.update(self._task, description=what)
