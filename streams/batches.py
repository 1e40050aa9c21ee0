"""The channel from the polling thread to the agent that works the batches off."""

from typing import Any

from faust.channels import Channel
from mode.utils.queues import FlowControlEvent, ThrowableQueue


class Batches(Channel[Any]):
    """A Faust channel that keeps what is in it. Faust's own are emptied whenever the partitions of Faust's consumer
    group move, because its consumer reads the records again; ours does not."""

    @property
    def queue(self) -> Any:
        """The queue behind the channel, which nobody suspends or clears."""
        if self._queue is None:
            self._queue = ThrowableQueue(self.maxsize, flow_control=FlowControlEvent(initially_suspended=False))
        return self._queue
