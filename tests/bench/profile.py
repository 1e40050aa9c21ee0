"""`make profile`: where the worker's time goes, as a flame graph, while it works off a backlog on real servers.

python -m tests.bench.profile [--events N] [--new]
"""

import argparse
import re
import signal
import subprocess
import sys
from pathlib import Path

from commands.benchmark.footprint import lay_out
from commands.benchmark.recovery import start
from commands.benchmark.stage import Stage
from commands.benchmark.throughput import from_backlog
from commands.benchmark.workload import Workload
from commands.embedded import EmbeddedRedis
from tests.servers import Kafka

PICTURE = Path("var/bench/worker.svg")
CUSTOMERS, PARTITIONS = 100_000, 8
RATE = "250"
"""Samples a second."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make profile ARGS=...", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--new", action="store_true", help="customers without a past")
    asked = parser.parse_args()
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with (
        Kafka() as kafka,
        EmbeddedRedis("redis-server") as server,
        Stage(kafka.bootstrap_servers, server.url, PARTITIONS) as stage,
    ):
        workload = Workload(1, CUSTOMERS, 0.0)
        if not asked.new:
            lay_out(stage, CUSTOMERS, 1)
        worker, _ = start(stage, workload)
        # Threads that wait are left out; the worker isn't stopped to be looked at.
        command = ["py-spy", "record", "--pid", str(worker.pid), "--rate", RATE, "--threads", "--nonblocking"]
        spy = subprocess.Popen(
            [
                str(Path(sys.executable).parent / command[0]),
                *command[1:],
                "--duration",
                "600",
                "--output",
                str(PICTURE),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            found = from_backlog(stage, workload.part(asked.events), [worker])
        finally:
            spy.send_signal(signal.SIGINT)
            said = spy.communicate()[1].decode()
    if not PICTURE.exists():
        print(f"py-spy made no picture: {said}", file=sys.stderr)
        return 1
    # In the place of the command line, with its paths.
    PICTURE.write_text(re.sub(r"[^<>]*py-spy record[^<]*", "A worker that works off a backlog", PICTURE.read_text()))
    print(f"{PICTURE}: {found.events_per_s:,.0f} events/s, {found.worker_cpu_us:.2f} µs of the worker an event")
    return 0


if __name__ == "__main__":
    sys.exit(main())
