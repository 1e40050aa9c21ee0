"""`tracker dead-letters`: the records that could not be used, and their way back after a repair.

A consumer group's positions in the dead letter topic say which letters have been dealt with. Letters go back and the
positions move in one Kafka transaction, so that no crash and no second `replay` sends a letter twice.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from rich.markup import escape

from commands import rights
from commands.console import Failure, out, print_json, progress, settings_with
from commands.kafka import (
    ANSWER_SECONDS_MAX,
    acknowledged,
    consumer,
    ends,
    from_the_start,
    partitions,
    producer,
    to_the_end,
)
from commands.lines import reading
from commands.publish import customer_of
from schemas.dead_letter import DeadLetter, dead_letter_of
from schemas.units import rfc3339
from streams.broker.messages import headers_of
from streams.broker.rights import Right, is_refusal, lack
from streams.broker.topics import letters_group, topics_read
from streams.ops.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Records that could not be used.")

TRANSACTION_LETTERS = 500
SHOWN_CHARACTERS = 160


class Letter(NamedTuple):
    """A letter to be sent back, and where in the dead letter topic it was read."""

    partition: int
    offset: int
    topic: str
    """Where it came from."""
    key: bytes | None
    value: bytes | None


class Origin(msgspec.Struct):
    """Where a record came from."""

    topic: str


class Line(msgspec.Struct):
    """A line of `list --json`. Bytes that are no UTF-8 are in `..._base64` instead."""

    partition: int
    offset: int
    origin: Origin = msgspec.field(name="from")
    key: str | None = None
    value: str | None = None
    key_base64: str | None = None
    value_base64: str | None = None


@app.command("list")
def show(
    as_json: Annotated[
        bool, typer.Option("--json", help="Lines that `replay` takes back once `value` is repaired.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Those too that have been replayed already.")] = False,
) -> None:
    """Show the dead letters that have not been replayed: what was wrong, where it came from, what it holds."""
    settings = settings_with("kafka_bootstrap_servers")
    rights.require(settings, rights.listing_letters(settings))
    reader = consumer(settings, letters_group(settings))
    try:
        topic = settings.topic_dead_letters
        starts = from_the_start(partitions(reader, topic)) if everything else acknowledged(reader, topic)
        for message in to_the_end(reader, topic, starts):
            letter = _letter(message)
            if as_json:
                print_json(_as_line(message, letter))
                continue
            what = f"{letter.field} {letter.rule}".strip()
            held = (letter.value or b"").decode("utf-8", "replace")
            out.print(
                f"[red]{letter.reason}[/] {escape(what)} [dim]({letter.topic} {letter.partition}@{letter.offset}, "
                f"{rfc3339(letter.timestamp_ms)})[/]"
            )
            out.print(f"  {escape(held[:SHOWN_CHARACTERS])}{'…' if len(held) > SHOWN_CHARACTERS else ''}")
    finally:
        reader.close()


@app.command("replay")
def replay(
    file: Annotated[
        Path | None, typer.Argument(help="Repaired lines of `list --json`; none sends all as they are.")
    ] = None,
) -> None:
    """Send dead letters back to the topics that they came from: as they were, or repaired.

    To repair: `tracker dead-letters list --json > letters.jsonl`, edit each line's `value`, delete the lines that shall
    not go back, then `tracker dead-letters replay letters.jsonl`. A letter goes back once. With a file, all letters up
    to the last one in it count as dealt with.
    """
    settings = settings_with("kafka_bootstrap_servers")
    rights.require(settings, rights.replaying_letters(settings))
    reader = consumer(settings, letters_group(settings))
    try:
        positions = acknowledged(reader, settings.topic_dead_letters)
        if file is None:
            messages = to_the_end(reader, settings.topic_dead_letters, positions)
            letters: Iterable[Letter] = (
                Letter(_number(m), m.offset() or 0, _letter(m).topic, m.key(), m.value()) for m in messages
            )
            before = 0
        else:
            repaired = sorted(_repaired(file), key=lambda letter: letter[:2])
            _check_places(repaired, reader, settings, positions)
            letters = [letter for letter in repaired if letter.offset >= positions[letter.partition]]
            before = len(repaired) - len(letters)
        sent = _send_back(letters, reader, settings)
    finally:
        reader.close()
    for topic, count in sent.items():
        out.print(f"{count:,} letters sent back to {topic}")
    if not sent:
        out.print("0 letters sent back")
    if before:
        out.print(f"{before:,} had been replayed before and were left out")


def _send_back(letters: Iterable[Letter], reader: Consumer, settings: Settings) -> Counter[str]:
    """Sends the letters back, and says how many to which topic.

    Raises KafkaException or Failure, with all letters of the transaction at hand not sent.
    """
    sender = producer(settings, **{"transactional.id": letters_group(settings)})
    try:
        sender.init_transactions(ANSWER_SECONDS_MAX)
    except KafkaException as error:
        if not is_refusal(error.args[0]):
            raise
        lacking = Right("Write", "transactional id", letters_group(settings))
        raise Failure(lack(settings, [lacking])) from error
    topics = topics_read(settings)
    sent: Counter[str] = Counter()
    with progress("sending back", None, "letters") as bar:
        for _, some in groupby(enumerate(letters), key=lambda numbered: numbered[0] // TRANSACTION_LETTERS):
            reached: dict[int, int] = {}
            sender.begin_transaction()
            try:
                for _, letter in some:
                    if letter.topic not in topics:
                        raise Failure(f"A letter came from {letter.topic}, which is none of {', '.join(topics)}")
                    sender.produce(letter.topic, key=letter.key, value=letter.value)
                    reached[letter.partition] = letter.offset + 1
                    sent[letter.topic] += 1
                moved = [TopicPartition(settings.topic_dead_letters, number, at) for number, at in reached.items()]
                sender.send_offsets_to_transaction(moved, reader.consumer_group_metadata(), ANSWER_SECONDS_MAX)
                sender.commit_transaction()
            except BaseException:
                sender.abort_transaction(ANSWER_SECONDS_MAX)
                raise
            bar.at(sent.total())
    return sent


def _letter(message: Message) -> DeadLetter:
    try:
        return dead_letter_of(message.key(), message.value(), headers_of(message))
    except msgspec.ValidationError as error:
        position = f"{message.topic()} {message.partition()}@{message.offset()}"
        raise Failure(f"{position} was not written by this program: {error}") from error


def _number(message: Message) -> int:
    return message.partition() or 0


def _as_line(message: Message, letter: DeadLetter) -> dict[str, object]:
    line: dict[str, object] = {"partition": _number(message), "offset": message.offset()}
    line |= {"reason": letter.reason, "field": letter.field, "rule": letter.rule}
    line["from"] = {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset}
    line["at"] = rfc3339(letter.timestamp_ms)
    for name, held in (("key", letter.key), ("value", letter.value)):
        try:
            line[name] = None if held is None else held.decode()
        except UnicodeDecodeError:
            line[f"{name}_base64"] = b64encode(held or b"").decode()
    return line


def _repaired(file: Path) -> Iterator[Letter]:
    """The letters of the file; the key follows the repaired value's customer_id. Raises Failure with line and field."""
    with reading(file) as source:
        for number, text in enumerate(source.lines, 1):
            if not text.strip():
                continue
            try:
                line = msgspec.json.decode(text, type=Line)
                value = _bytes(line.value, line.value_base64)
                key = _bytes(line.key, line.key_base64)
            except (msgspec.DecodeError, UnicodeDecodeError, Base64Error) as error:
                raise Failure(f"{file}, line {number}: {error}") from error
            customer_id = customer_of(value or b"")
            key = key if customer_id is None else customer_id.encode()
            yield Letter(line.partition, line.offset, line.origin.topic, key, value)


def _bytes(text: str | None, base64: str | None) -> bytes | None:
    if base64 is not None:
        return b64decode(base64, validate=True)
    return None if text is None else text.encode()


def _check_places(letters: list[Letter], reader: Consumer, settings: Settings, positions: dict[int, int]) -> None:
    """Each letter must be one of the topic's, and there once."""
    highs = {number: ends(reader, settings.topic_dead_letters, number).high for number in positions}
    places = [letter[:2] for letter in letters]
    for partition, offset in places:
        if offset >= highs.get(partition, 0) or offset < 0:
            raise Failure(f"There is no dead letter at partition {partition}, offset {offset}")
    if len(set(places)) < len(places):
        raise Failure("The file holds a letter twice; leave each line's partition and offset as they were")
