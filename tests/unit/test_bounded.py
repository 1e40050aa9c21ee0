"""A call that never returns holds up nobody, and what it says later goes nowhere."""

from threading import Event, current_thread
from threading import enumerate as threads

import pytest

from streams.broker.bounded import Bounded


def test_a_call_is_made_once_and_its_error_is_raised() -> None:
    bounded, made = Bounded("test"), []
    bounded.call(lambda: made.append(current_thread().name), 10)
    assert made == ["test"]
    with pytest.raises(ValueError, match="no such thing"):
        bounded.call(lambda: int("no such thing"), 10)
    bounded.call(lambda: made.append(current_thread().name), 10)
    assert made == ["test", "test"]
    bounded.close()


def test_a_call_that_never_returns_is_left_and_the_next_is_made() -> None:
    bounded, release, late, made = Bounded("stuck"), Event(), Event(), []

    def hangs() -> None:
        release.wait(30)
        late.set()
        raise OSError("nobody hears this")

    with pytest.raises(TimeoutError, match="no answer"):
        bounded.call(hangs, 0.01)
    bounded.call(lambda: made.append(1), 10)
    release.set()
    assert late.wait(10)
    bounded.call(lambda: made.append(2), 10)
    assert made == [1, 2]
    bounded.close()
    for thread in [one for one in threads() if one.name == "stuck"]:
        thread.join(10)
        assert not thread.is_alive()
