"""From the polling thread to the agent that works the batches off: batches in a queue, and a word that there are some.

While the agent's thread finds another batch when it is done with one, nothing goes through the event loop: that way
takes longer than the work on a small batch.
"""

import asyncio
from queue import Empty, SimpleQueue
from typing import Any, cast

from faust.channels import Channel
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.claim import Portion


class Batches(Channel[Any]):
    """A Faust channel of words; the batches stand beside it. Faust empties its channels whenever the partitions of
    Faust's consumer group move, because its consumer reads the records again; ours does not, so this one isn't."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batches: SimpleQueue[list[Portion]] = SimpleQueue()

    @property
    def queue(self) -> Any:
        """The queue behind the channel, which nobody suspends or clears."""
        if self._queue is None:
            self._queue = ThrowableQueue(self.maxsize, flow_control=FlowControlEvent(initially_suspended=False))
        return self._queue

    def hand_over(self, portions: list[Portion], loop: asyncio.AbstractEventLoop) -> None:
        """From the polling thread. Where others are waiting already, whoever takes those takes this one too."""
        first = self._batches.empty()
        self._batches.put(portions)
        if first:
            asyncio.run_coroutine_threadsafe(self.put(cast(Any, True)), loop)

    def next(self) -> list[Portion] | None:
        """The next batch, None if none is waiting. From the agent's thread."""
        try:
            return self._batches.get_nowait()
        except Empty:
            return None
