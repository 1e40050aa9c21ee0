"""A ruler: the rolling aggregates alone, as Faust's documentation has one write them: an agent and a Table.

    python -m tests.bench.faust_table EVENTS FOLDER

Count, money in and out in tiles of five minutes, an hour and a day, the mean and spread of gaps, counts by channel; at
least once, no decisions. Reads the topic of the settings from its start; prints one line of JSON after EVENTS. What
Faust writes down goes into FOLDER.
"""

import os
import sys
import time
from typing import Any

import faust
import orjson

from streams.ops.settings import load_settings

TILES = {"five": (300_000, 12), "hour": (3_600_000, 168), "day": (86_400_000, 90)}
"""Length in ms, and how many are kept."""


def fold(state: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """One transaction into one customer's figures."""
    at, amount = event["occurred_at"], event["amount_minor"]
    state["n"] += 1
    if state["last"]:
        gap = (at - state["last"]) / 1000
        delta = gap - state["gap_mean"]
        state["gap_mean"] += delta / state["n"]
        state["gap_m2"] += delta * (gap - state["gap_mean"])
    state["last"] = max(state["last"], at)
    state["channels"][event["channel"]] = state["channels"].get(event["channel"], 0) + 1
    for name, (length, kept) in TILES.items():
        tiles, place = state[name], at // length
        tile = tiles.setdefault(str(place), [0, 0, 0])
        tile[0] += 1
        tile[1 if amount > 0 else 2] += abs(amount)
        if len(tiles) > kept:
            for old in [key for key in tiles if int(key) <= place - kept]:
                del tiles[old]
    return state


def empty() -> dict[str, Any]:
    return {"n": 0, "last": 0, "gap_mean": 0.0, "gap_m2": 0.0, "channels": {}, "five": {}, "hour": {}, "day": {}}


def main(events: int, folder: str) -> None:
    settings = load_settings()
    app = faust.App(
        f"{settings.group_id}-ruler",
        broker=[f"kafka://{server}" for server in str(settings.kafka_bootstrap_servers).split(",")],
        store="memory://",
        datadir=folder,
        topic_partitions=settings.partitions,
        consumer_auto_offset_reset="earliest",
        autodiscover=False,
        web_enabled=False,
    )
    transactions = app.topic(settings.topic_transactions, key_type=str, key_serializer="raw", value_type=None)
    figures = app.Table("figures", default=empty, key_type=str, partitions=settings.partitions)
    seen, started, cpu = 0, 0.0, 0.0

    async def follow(stream: Any) -> None:
        nonlocal seen, started, cpu
        async for event in stream:
            if not seen:
                started, cpu = time.perf_counter(), time.process_time()
            key = event["customer_id"]
            figures[key] = fold(figures[key], event)
            seen += 1
            if seen == events:
                seconds = time.perf_counter() - started
                used = (time.process_time() - cpu) / events * 1e6
                print(orjson.dumps({"events_per_s": events / seconds, "cpu_us_per_event": used}).decode(), flush=True)
                os._exit(0)

    app.agent(transactions)(follow)
    faust.Worker(app, loglevel="critical", quiet=True, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
