"""The number of partitions belongs to the state: a worker stands still where the topics have another, until
`tracker repartition` has moved the state."""

import pytest

from learning.simulator import simulate
from tests.live import OpenBank, Worker
from tests.river.feeds import written

pytestmark = [pytest.mark.kafka, pytest.mark.redis_server]


def stands_still(worker: Worker) -> set[str]:
    """The partitions of which /healthz says that the state was made with one."""
    problems = worker.get("/healthz").said["problems"]
    return {problem.partition(":")[0] for problem in problems if "the state in Redis was made with 1" in problem}


def test_where_partitions_are_added_all_stand_still_and_say_why_under_a_running_worker_and_a_new_one(
    open_bank: OpenBank, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bank = open_bank(partitions=1, clock="stream")
    feed = written(tmp_path_factory.mktemp("feed") / "bank.jsonl", list(simulate(customers=5, days=30, seed=3)))
    bank.publish(feed)
    with bank.worker() as worker:
        worker.until(bank.at_rest)
        bank.grow(2)
        worker.until(lambda: stands_still(worker) == {"partition 0", "partition 1"})
    with bank.worker() as worker:
        worker.until(lambda: stands_still(worker) == {"partition 0", "partition 1"})
        assert worker.get("/healthz").status == 503
