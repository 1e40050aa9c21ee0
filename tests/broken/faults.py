"""Builds that only a fault to real servers shows to be broken."""

from tests.broken.mistake import Mistake

_SEND = "                done = polled.ownership.partition.send(task, outcome)\n"
_NO_LOOKBACK = ("streams/broker/publisher.py", "if progress.rewind is not None:", "if False:")

MISTAKES = (
    Mistake(
        "offset-apart",
        "The rows are written in one call, the offset and which events were seen in another, after it.",
        "streams/store/redis_store.py",
        "        connection.send(commit(partition, at, new, changes))\n",
        "        from dataclasses import replace\n"
        "        from handlers.intake.dedup import DuplicateChanges\n"
        "        stays = at._replace(sequence=new.sequence)\n"
        "        self._call(partition, commit(partition, at, stays, replace(changes, seen=DuplicateChanges())))\n"
        "        connection.send(commit(partition, stays, new, Changes(seen=changes.seen)))\n",
        "--row kill --seeds 14",
        servers=True,
    ),
    Mistake(
        "published-first",
        "The outbox leaves for Kafka before the commit that it belongs to, and nobody looks at what is there already.",
        *_NO_LOOKBACK,
        "--row kill --seed 1",
        servers=True,
        also=(
            (
                "streams/partition/partition.py",
                "        self.position = commit(self.number, before, offset, clock, changes)\n",
                "        self.early(list(enumerate(outbox, before.sequence + 1)))\n"
                "        self.position = commit(self.number, before, offset, clock, changes)\n",
            ),
            (
                "streams/partition/partition.py",
                "        self._trimmed = 0\n",
                "        self._trimmed = 0\n        self.early = lambda entries: None\n",
            ),
            (
                "streams/worker/loop.py",
                _SEND,
                "                def early(entries, ownership=polled.ownership):\n"
                "                    at = ownership.partition.position\n"
                "                    self._publisher.add(ownership, entries, at.offsets, at.clock)\n"
                "                    time.sleep(0.3 if entries else 0)\n"
                "                polled.ownership.partition.early = early\n" + _SEND,
            ),
        ),
    ),
    Mistake(
        "no-lookback",
        "After the store has gone back nobody looks at what is published already.",
        *_NO_LOOKBACK,
        "--row redis-went-back --seed 1",
        servers=True,
    ),
)
