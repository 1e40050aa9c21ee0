"""Row: Redis fails over, through Sentinel, to a replica that is behind."""

import signal
import tempfile
import time
from contextlib import ExitStack
from os import kill
from pathlib import Path
from typing import Any

import redis

from commands.embedded import TiedProcess, free_port
from tests.faults.audit import Figures
from tests.faults.redis_rows import KNOWN
from tests.faults.scene import WENT_BACK, Scene
from tests.faults.servers import RedisServer, until
from tests.faults.workload import Plan, records
from tests.faults.world import EVERYSEC, Row, Seed

PLAN = Plan(events=400)
MASTER = "tracker"


def failover(seed: Seed) -> Figures:
    """The replica stands still while the master goes on; then the master is killed."""
    with ExitStack() as stack:
        master = stack.enter_context(RedisServer(*EVERYSEC))
        replica = stack.enter_context(RedisServer(*EVERYSEC, "--replicaof", f"127.0.0.1 {master.port}"))
        until(lambda: _linked(replica), 30, "the replica to follow")
        sentinel = _sentinel(stack, master)
        until(lambda: _sees(sentinel), 30, "Sentinel to see the replica")
        scene = stack.enter_context(
            Scene(
                seed.world.kafka,
                "redis://127.0.0.1:1/0",
                PLAN.partitions,
                poll_records_max=8,
                redis_sentinels=f"127.0.0.1:{sentinel}",
                redis_sentinel_master=MASTER,
            )
        )
        scene.publish(records(PLAN, seed.number))
        scene.start()
        scene.progress(seed.chance.randint(1, 15))
        kill(replica.process.pid, signal.SIGSTOP)
        with master.client() as client:  # else the replica would still read what has come to its socket
            client.client_kill_filter(_type="replica")
        scene.progress(seed.chance.randint(2, 12))
        time.sleep(seed.chance.uniform(0, 0.5))
        written = _replication(master)["master_repl_offset"]
        master.kill()
        kill(replica.process.pid, signal.SIGCONT)
        until(lambda: _role(replica) == "master", 60, "the failover")
        seed.happened("failed over")
        seed.happened("bytes that the replica lacked", max(0, written - _replication(replica)["second_repl_offset"]))
        scene.rest()
        seed.happened(KNOWN, scene.says(WENT_BACK))
        return scene.audit(seed.notes.append)


def _sentinel(stack: ExitStack, master: RedisServer) -> int:
    """One Sentinel is enough where only the master dies. Answers its port."""
    port = free_port()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tracker-sentinel-")))
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {folder}",
        f"sentinel monitor {MASTER} 127.0.0.1 {master.port} 1",
        f"sentinel down-after-milliseconds {MASTER} 1000",
        f"sentinel failover-timeout {MASTER} 10000",
    ]
    (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
    process = TiedProcess(["redis-sentinel", str(folder / "sentinel.conf")], folder / "log")
    stack.callback(process.stop)
    return port


def _sees(port: int) -> bool:
    try:
        with redis.Redis(port=port, socket_timeout=5, protocol=2) as client:
            return len(client.sentinel_slaves(MASTER)) == 1
    except redis.RedisError:
        return False


def _linked(replica: RedisServer) -> bool:
    return bool(_replication(replica).get("master_link_status") == "up")


def _replication(server: RedisServer) -> dict[str, Any]:
    with server.client() as client:
        return dict(client.info("replication"))


def _role(server: RedisServer) -> str:
    try:
        return str(_replication(server)["role"])
    except redis.RedisError:
        return ""


ROWS = (
    Row(
        "failover",
        "Sentinel fails over to a replica that is behind",
        failover,
        12,
        3,
        ("redis-sentinel",),
        happens=("failed over", "bytes that the replica lacked"),
    ),
)
