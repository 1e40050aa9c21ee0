"""What a worker logs of an exception: kind and place, and the words only where they can't hold what was read."""

import io
import logging
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from handlers.state.codec import LayoutError
from streams.ops.logs import DiscreetFormatter
from streams.ops.retry import GaveUp
from streams.store.port import StoreUnavailable

READ = "customer-4711"
"""What was being worked on."""


def logged(log: Callable[[logging.Logger], None]) -> str:
    """What comes of it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(DiscreetFormatter("%(levelname)s %(name)s %(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    log(logger)
    return out.getvalue()


def fails_on(customer: str) -> None:
    raise KeyError(customer)


def fails_after_a_cause() -> None:
    try:
        fails_on(READ)
    except KeyError as error:
        raise ValueError(f"no such customer: {READ}") from error


def test_a_traceback_names_kind_and_place_of_the_error_and_its_causes_and_not_their_text() -> None:
    def log(logger: logging.Logger) -> None:
        try:
            fails_after_a_cause()
        except ValueError as error:
            logger.critical("crashed: %s", type(error).__name__, exc_info=error)

    said = logged(log)
    assert READ not in said
    first, *places = said.splitlines()
    assert first == "CRITICAL test crashed: ValueError"
    kinds = [line for line in places if not line.startswith((" ", "Traceback"))]
    assert kinds == ["KeyError", "ValueError"]
    assert any("in fails_on" in line for line in places)


def test_an_exception_inside_a_message_is_shown_by_its_kind_whoever_logs_it() -> None:
    assert logged(lambda logger: logger.error("Crashed reason=%r", ValueError(READ))) == (
        "ERROR test Crashed reason='ValueError'\n"
    )
    assert logged(lambda logger: logger.error(ValueError(READ))) == "ERROR test ValueError\n"


def test_a_traceback_has_the_words_that_are_known() -> None:
    def log(logger: logging.Logger) -> None:
        try:
            raise GaveUp("reaching Kafka has failed for 300 s") from ValueError(READ)
        except GaveUp:
            logger.exception("crashed")

    said = logged(log)
    assert said.endswith("\nGaveUp: reaching Kafka has failed for 300 s\n")
    assert READ not in said


def test_a_text_of_another_formatter_is_not_taken_over() -> None:
    record = logging.LogRecord("test", logging.ERROR, "", 0, "failed", None, None)
    record.exc_text = f"ValueError: {READ}"
    assert READ not in DiscreetFormatter().format(record)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (GaveUp("reaching Kafka has failed for 300 s"), "reaching Kafka has failed for 300 s"),
        (StoreUnavailable("Redis cannot be reached"), "Redis cannot be reached"),
        (LayoutError("row layout version 9"), "row layout version 9"),
        (ConnectionRefusedError(111, "Connection refused"), "[Errno 111] Connection refused"),
    ],
)
def test_words_that_are_known_are_shown(error: Exception, text: str) -> None:
    assert logged(lambda logger: logger.warning("again: %s", error)) == f"WARNING test again: {text}\n"


def test_what_kafka_says_is_shown() -> None:
    said = logged(lambda logger: logger.warning("%s", KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))))
    assert "KafkaError{code=_ALL_BROKERS_DOWN" in said
