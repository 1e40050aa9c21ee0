"""Batches from the polling thread to the agent's: none is left lying, however the two meet."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import cast

import faust

from streams.broker.ownership import PolledBatch
from streams.worker.handoff import Handoff

BATCHES = 3_000
SECONDS_MAX = 60


def test_every_batch_is_taken_in_its_order_though_the_agent_comes_and_goes(tmp_path: Path) -> None:
    """The agent leaves after each batch, so that many are handed over at the very moment at which it does."""
    taken: list[list[PolledBatch]] = []
    given: list[list[PolledBatch]] = [[] for _ in range(BATCHES)]

    async def work() -> None:
        loop, batches = asyncio.get_running_loop(), Handoff(faust.App("batches", datadir=str(tmp_path)), maxsize=0)

        def work_off() -> bool:
            batches.attend()
            if (polled_batches := batches.next(0)) is not None:
                taken.append(polled_batches)
            return batches.leave()

        def hand_over() -> None:
            for polled_batches in given:
                batches.hand_over(polled_batches, loop)

        giving, words = Thread(target=hand_over), batches.stream()
        with ThreadPoolExecutor(1) as agent:
            async with words:
                giving.start()
                async for _ in words:
                    while await loop.run_in_executor(agent, work_off):
                        pass
                    if len(taken) == BATCHES:
                        break
        giving.join()

    asyncio.run(asyncio.wait_for(work(), SECONDS_MAX))
    assert [id(polled_batches) for polled_batches in taken] == [id(polled_batches) for polled_batches in given]


def test_a_batch_that_comes_just_as_the_agent_goes_brings_it_back(tmp_path: Path) -> None:
    async def meet() -> bool:
        loop, batches = asyncio.get_running_loop(), Handoff(faust.App("batches", datadir=str(tmp_path)), maxsize=0)
        words = batches.stream()

        class Meanwhile(SimpleQueue[list[PolledBatch]]):
            """Something comes right after the look."""

            def empty(self) -> bool:
                was = super().empty()
                batches.hand_over([], loop)
                return was

        batches._batches = Meanwhile()
        async with words:
            batches.attend()
            assert batches.next(0) is None
            return batches.leave() or bool(await anext(aiter(words)))

    assert asyncio.run(asyncio.wait_for(meet(), 5))


def test_who_waits_for_a_batch_is_given_the_next_one_without_a_word(tmp_path: Path) -> None:
    async def wait() -> list[PolledBatch] | None:
        loop, batches = asyncio.get_running_loop(), Handoff(faust.App("batches", datadir=str(tmp_path)), maxsize=0)
        batches.attend()
        waiting = loop.run_in_executor(None, batches.next, SECONDS_MAX)
        batches.hand_over([], loop)
        found = await waiting
        assert batches.next(0) is None
        assert not batches.leave()
        assert batches.empty()
        return found

    assert asyncio.run(asyncio.wait_for(wait(), SECONDS_MAX)) == []


def test_a_batch_that_was_looked_at_is_the_next_one_and_is_not_left_behind(tmp_path: Path) -> None:
    async def look() -> None:
        loop, batches = asyncio.get_running_loop(), Handoff(faust.App("batches", datadir=str(tmp_path)), maxsize=0)
        first, second = [cast(PolledBatch, 1)], [cast(PolledBatch, 2)]
        batches.attend()
        assert batches.look() == []
        for polled_batches in (first, second):
            batches.hand_over(polled_batches, loop)
        assert batches.look() is batches.look() is first
        assert batches.leave()
        assert batches.next(0) is first
        assert batches.look() is second
        assert batches.next(0) is second
        assert batches.next(0) is None
        assert not batches.leave()

    asyncio.run(asyncio.wait_for(look(), SECONDS_MAX))
