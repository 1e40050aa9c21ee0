"""Workers that hang in one of their threads, for ever or for a while, at a moment that a test chooses.

The worker is the program's own, in a process of its own; what one thread calls is wrapped by name before it is put
together. Only the time after which silence counts as a stall is shorter.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

import streams.broker.publisher
import streams.ops.health
import streams.worker.app
from streams.ops.settings import load_settings
from streams.worker.drift_monitor import DriftMonitor
from streams.worker.loop import Loop
from streams.worker.offer_table import OfferTable

STALL_SECONDS = 4.0

SEAMS: dict[str, tuple[type, str]] = {
    "consumer": (streams.worker.app.Consumer, "consume"),
    "publisher": (streams.broker.publisher.Producer, "commit_transaction"),
    "agent": (Loop, "work"),
    "event loop": (OfferTable, "refresh"),
    "drift watcher": (DriftMonitor, "measure"),
}
"""By the part of the worker that hangs: what it calls again and again."""


def hung(environment: Mapping[str, str], part: str, when: Path, log: Path, seconds: float | None = None) -> None:
    """The life of a worker in a process just forked. The part hangs from the time when the file is there; with
    `seconds` once for so long."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(environment)
    health: Any = streams.ops.health
    health.STALL_SECONDS = STALL_SECONDS
    watch: Any = DriftMonitor.watch
    watch.__defaults__ = (0.5,)
    owner, method = SEAMS[part]
    original = getattr(owner, method)

    def hangs(*args: Any, **more: Any) -> Any:
        if when.exists():
            Event().wait(seconds)
            when.unlink()
        return original(*args, **more)

    if owner in _IN_C:  # whose classes keep their methods
        home: Any = _IN_C[owner]
        setattr(home, owner.__name__, type(owner.__name__, (owner,), {method: hangs}))
    else:
        setattr(owner, method, hangs)
    os._exit(streams.worker.app.run_worker(load_settings()))


_IN_C: dict[type, Any] = {
    streams.worker.app.Consumer: streams.worker.app,
    streams.broker.publisher.Producer: streams.broker.publisher,
}
