"""What the consumer group is told beside an offset, and by what a record that is published already is known."""

import pytest

from schemas.dead_letter import DeadLetter, dead_letter_headers
from streams.broker.progress import Back, Mark
from streams.broker.published_scan import Lookback
from streams.ops.settings import Settings
from streams.store.port import Offsets, Outgoing


@pytest.mark.parametrize(
    "mark", [Mark(), Mark(7), Mark(7, Back(1_700_000_000_000, 2, 0)), Mark(7, Back(1, 2, 3, 4, 5))]
)
def test_a_mark_is_read_as_it_was_written(mark: Mark) -> None:
    assert Mark.read(str(mark)) == mark


def test_a_mark_of_before_the_topics_beside_is_read() -> None:
    assert Mark.read("7 1 2 3") == Mark(7, Back(1, 2, 3))


@pytest.mark.parametrize("text", [None, "", "7 1", "7 1 2 x", "7 1 2 3 4", "seven", "-7", "1.5"])
def test_anything_else_is_no_mark(text: str | None) -> None:
    assert Mark.read(text) is None


def test_the_sequence_never_goes_back() -> None:
    assert Mark(17).up_to(3) == Mark(17)
    assert Mark(17).up_to(18) == Mark(18)


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
    mark = Mark(7, Back(10, 20, 50, 30, 40))
    assert mark.at(offsets, clock) == (Mark(7) if there else mark)


def test_letters_of_different_topics_are_not_taken_for_each_other() -> None:
    lookback = Lookback(Settings(kafka_bootstrap_servers="127.0.0.1:1"), lambda _: None)
    letters = [
        DeadLetter("not_json", "", "", topic, 3, 17, 0, None, None) for topic in ("transactions", "alert-outcomes")
    ]
    one, other = [lookback.name(Outgoing("dlq", None, None, dead_letter_headers(letter))) for letter in letters]
    assert one != other
