"""The channel that the loop's batches go down."""

from typing import Any

import faust
from mode.utils.queues import FlowControlEvent, ThrowableQueue


class Batches(faust.Channel[Any]):
    """A Faust channel whose queue is its own: the queues that Faust makes are emptied at each rebalance of Faust's
    consumer group, because Faust would read their records again. It knows nothing of the loop's group."""

    @property
    def queue(self) -> ThrowableQueue[Any]:
        if self._queue is None:
            flow = FlowControlEvent(initially_suspended=False)
            self._queue = ThrowableQueue(maxsize=self.maxsize, flow_control=flow, clear_on_resume=False)
        return self._queue
