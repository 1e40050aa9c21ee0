"""What the consumer group's offset says of what is published."""

import pytest

from streams.mark import Back, Mark


@pytest.mark.parametrize("mark", [Mark(), Mark(17), Mark(17, Back(1_700_000_000_000, 40, 0))])
def test_a_mark_is_read_as_it_was_written(mark: Mark) -> None:
    assert Mark.read(str(mark)) == mark


@pytest.mark.parametrize("text", [None, "", "x", "-1", "1 2", "1 2 3 x", "1 2 3 4 5", "1.5"])
def test_a_text_that_is_no_mark_says_nothing(text: str | None) -> None:
    assert Mark.read(text) is None


def test_the_sequence_never_goes_back() -> None:
    assert Mark(17).up_to(3) == Mark(17)
    assert Mark(17).up_to(18) == Mark(18)


def test_looking_back_ends_where_the_loop_was_and_when_its_ticks_are_run_again() -> None:
    mark = Mark(17, Back(5, 40, 1_000))
    assert mark.at(39, 2_000) == mark
    assert mark.at(40, 999) == mark
    assert mark.at(40, 1_000) == Mark(17)
