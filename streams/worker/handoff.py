"""From the polling thread to the agent that works the batches off: batches in a queue, and a word that there are some.

While the agent's thread is at work, or waits for the next batch for a moment, nothing goes through the event loop: that
way takes longer than the work on a small batch.
"""

import asyncio
from queue import Empty, SimpleQueue
from typing import Any, cast

from faust.channels import Channel
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.broker.ownership import PolledBatch


class Handoff(Channel[Any]):
    """A Faust channel of words; the batches stand beside it. Faust empties its channels whenever the partitions of
    Faust's consumer group move, because its consumer reads the records again; ours does not, so this one isn't."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batches: SimpleQueue[list[PolledBatch]] = SimpleQueue()
        self._looked_at: list[PolledBatch] | None = None
        """Taken from the queue, and still to be given."""
        self._attended = False

    @property
    def queue(self) -> Any:
        """The queue behind the channel, which nobody suspends or clears."""
        if self._queue is None:
            self._queue = ThrowableQueue(self.maxsize, flow_control=FlowControlEvent(initially_suspended=False))
        return self._queue

    def hand_over(self, polled_batches: list[PolledBatch], loop: asyncio.AbstractEventLoop) -> None:
        """From the polling thread."""
        self._batches.put(polled_batches)
        if not self._attended:
            asyncio.run_coroutine_threadsafe(self.put(cast(Any, True)), loop)

    def attend(self) -> None:
        """The agent's thread is here: until `leave` it takes every batch without a word."""
        self._attended = True

    def leave(self) -> bool:
        """The agent's thread goes. True if a batch has come that nobody was told of: it must come back."""
        self._attended = False  # before the look: who hands over looks the other way round
        return self._looked_at is not None or not self._batches.empty()

    def look(self) -> list[PolledBatch]:
        """The batch that `next` will give, nothing if it is not there yet. From the agent's thread."""
        if self._looked_at is None:
            self._looked_at = self.next(0)
        return self._looked_at or []

    def next(self, seconds_max: float) -> list[PolledBatch] | None:
        """The next batch, None if none has come within that time. From the agent's thread."""
        if self._looked_at is not None:
            polled_batches, self._looked_at = self._looked_at, None
            return polled_batches
        try:
            return self._batches.get(seconds_max > 0, max(seconds_max, 0))
        except Empty:
            return None
