"""What the consumer group is told beside an offset, and by what a record that is published already is known."""

import pytest

from schemas.dead_letter import DeadLetter, dead_letter_headers
from streams.broker.progress import OutboxProgress, Rewind
from streams.broker.published_scan import PublishedScan
from streams.ops.settings import Settings
from streams.store.port import NONE_READ, Offsets, Outgoing


@pytest.mark.parametrize(
    "progress",
    [
        OutboxProgress(),
        OutboxProgress(7),
        OutboxProgress(7, Rewind(1_700_000_000_000, Offsets(2), 0)),
        OutboxProgress(7, Rewind(1, Offsets(2, 4, 5), 3)),
    ],
)
def test_a_mark_is_read_as_it_was_written(progress: OutboxProgress) -> None:
    assert OutboxProgress.read(str(progress)) == progress


def test_a_mark_of_before_the_topics_beside_is_read() -> None:
    assert OutboxProgress.read("7 1 2 3") == OutboxProgress(7, Rewind(1, Offsets(2), 3))


def test_what_a_version_that_reads_one_more_topic_has_noted_stays_until_that_topic_is_read_so_far() -> None:
    known = [30] * len(NONE_READ)
    text = " ".join(map(str, [7, 10, 20, 50, *known, 60]))
    noted = OutboxProgress.read(text)
    assert noted == OutboxProgress(7, Rewind(10, Offsets(20, *known, 60), 50))
    assert noted is not None
    assert str(noted.up_to(9)) == "9" + text[1:]
    assert noted.at(Offsets(99, *(99 for _ in NONE_READ)), 99) == noted
    assert noted.at(Offsets(20, *known, 60), 50) == OutboxProgress(7)


def test_of_two_notes_the_later_offsets_count_topic_by_topic() -> None:
    assert Offsets(5, 6, 7).or_later(Offsets(6, 5, 7, 8)) == (6, 6, 7, 8)
    assert Offsets(6, 5, 7, 8).or_later(Offsets(5, 6, 7)) == (6, 6, 7, 8)
    assert Offsets(5) == (5, *NONE_READ)


@pytest.mark.parametrize("text", [None, "", "7 1", "7 1 2 x", "seven", "-7", "1.5"])
def test_anything_else_is_no_mark(text: str | None) -> None:
    assert OutboxProgress.read(text) is None


def test_the_sequence_never_goes_back() -> None:
    assert OutboxProgress(17).up_to(3) == OutboxProgress(17)
    assert OutboxProgress(17).up_to(18) == OutboxProgress(18)


@pytest.mark.parametrize(
    ("offsets", "clock", "there"),
    [
        (Offsets(20, 30, 40), 50, True),
        (Offsets(19, 30, 40), 50, False),
        (Offsets(20, 29, 40), 50, False),
        (Offsets(20, 30, 39), 50, False),
        (Offsets(20, 30, 40), 49, False),
    ],
)
def test_the_store_has_caught_up_when_every_topic_has(offsets: Offsets, clock: int, there: bool) -> None:
    progress = OutboxProgress(7, Rewind(10, Offsets(20, 30, 40), 50))
    assert progress.at(offsets, clock) == (OutboxProgress(7) if there else progress)


def test_letters_of_different_topics_are_not_taken_for_each_other() -> None:
    published_scan = PublishedScan(Settings(kafka_bootstrap_servers="127.0.0.1:1"), lambda _: None)
    letters = [
        DeadLetter("not_json", "", "", topic, 3, 17, 0, None, None) for topic in ("transactions", "alert-outcomes")
    ]
    one, other = [published_scan.name(Outgoing("dlq", None, None, dead_letter_headers(letter))) for letter in letters]
    assert one != other
