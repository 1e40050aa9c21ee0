"""Rows of `make faults` whose fault does not happen: a row that passes all the same would prove nothing."""

from tests.broken.mistake import Change, Mistake

_KILLING = "tests/faults/killing.py"
_REDIS = "tests/faults/redis_rows.py"
_KAFKA = "tests/faults/kafka_rows.py"
_DATA = "tests/faults/data_rows.py"
_LAYOUT = "tests/faults/layout_rows.py"
_COMBINED = "tests/faults/combined_rows.py"
_CLUSTER = "tests/faults/cluster_rows.py"


def _row(row: str, wrong: str, file: str, old: str, new: str, *also: Change, seed: int = 1, name: str = "") -> Mistake:
    return Mistake(name or f"{row}-taken-away", wrong, file, old, new, f"--row {row} --seed {seed}", True, also)


MISTAKES = (
    _row("kill", "No worker kills itself.", "tests/faults/steps.py", "self._kill.do()", "pass"),
    _row(
        "kill",
        "A constant of the program is changed where it no longer is.",
        "tests/faults/steps.py",
        'put(streams.broker.transactions, "_TRANSACTION_SECONDS_MAX"',
        'put(streams.broker.publisher, "_TRANSACTION_SECONDS_MAX"',
        name="constant-moved",
    ),
    _row(
        "kill",
        "A constant of the program is changed which nothing reads.",
        "streams/broker/publisher.py",
        "entries_max, bytes_max = ENTRIES_MAX, BYTES_MAX",
        "entries_max, bytes_max = 2_000, BYTES_MAX",
        (
            "streams/broker/publisher.py",
            "stored[-1][0] if stored else published, ENTRIES_MAX",
            "stored[-1][0] if stored else published, 2_000",
        ),
        name="constant-not-read",
    ),
    _row(
        "repartition-killed",
        "The command is not killed.",
        "tests/faults/repartition_rows.py",
        'scene.repartition(Kill("", step))',
        "scene.repartition()",
    ),
    _row("zombie", "Nobody is stopped.", _KILLING, "stopped.signal(signal.SIGSTOP)", "stopped.alive()"),
    _row(
        "rebalances",
        "No worker leaves.",
        _KILLING,
        "leaving.signal(seed.chance.choice((signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)))",
        "leaving.alive()",
        (_KILLING, "storm(seed, 300)", "storm(seed, 20)"),
    ),
    _row(
        "sigterm",
        "Workers are stopped at rest.",
        _KILLING,
        "scene.progress(seed.chance.randint(1, 5))\n            working",
        "scene.rest()\n            working",
    ),
    _row(
        "answers",
        "Nobody answers.",
        "tests/faults/answer_rows.py",
        "scene.answer(outcomes, customer_events)",
        "scene.answer([], [])",
    ),
    _row(
        "slots-move",
        "No slot moves.",
        _CLUSTER,
        "            cluster.begin_move(tag, to)\n",
        "",
        (_CLUSTER, "cluster.move_keys(tag, to, seed.chance.randint(0, 6))", "pass"),
        (_CLUSTER, "            cluster.move_keys(tag, to, 10_000)\n", ""),
        (_CLUSTER, "            cluster.end_move(tag, to)\n", ""),
    ),
    _row(
        "redis-everysec",
        "Redis is not killed.",
        _REDIS,
        "server.kill()\n            time.sleep(seed.chance.uniform(0, 0.5))\n            server.start()",
        "time.sleep(seed.chance.uniform(0, 0.5))",
    ),
    _row("redis-went-back", "Redis loses nothing.", _REDIS, "    server.restore(copy.files)\n", ""),
    _row(
        "redis-refuses",
        "Redis is never full.",
        _REDIS,
        'client.config_set("maxmemory", 1)',
        'client.config_set("maxmemory", 0)',
    ),
    _row("redis-cut-out", "The line to Redis is not cut.", _REDIS, "world.proxies.cut(name, way)", "pass"),
    _row(
        "failover",
        "The replica is not behind.",
        "tests/faults/sentinel_rows.py",
        "kill(replica.process.pid, signal.SIGSTOP)",
        "pass",
        ("tests/faults/sentinel_rows.py", 'client.client_kill_filter(_type="replica")', "pass"),
    ),
    _row(
        "broker-down",
        "The broker is not killed.",
        _KAFKA,
        "            os.kill(kafka.process.pid, signal.SIGKILL)\n            kafka.process.stop()\n",
        "",
        (_KAFKA, "            kafka.start()\n", ""),
        (_KAFKA, "DOWN_SECONDS = 60.0", "DOWN_SECONDS = 1.0"),
    ),
    _row("kafka-cut-in", "The line to Kafka is not cut.", _KAFKA, 'world.proxies.cut("kafka", way)', "pass"),
    _row(
        "kafka-cut-commit",
        "The line is not cut in the commit.",
        "tests/faults/steps.py",
        "ask_to_cut(self.url, self.stream)",
        "pass",
    ),
    _row(
        "retention",
        "Nothing is deleted.",
        _KAFKA,
        "TopicPartition(topic, 0, low)",
        "TopicPartition(topic, 0, 0)",
    ),
    _row(
        "retention-running",
        "Nothing is deleted.",
        _KAFKA,
        "TopicPartition(topic, 0, low)",
        "TopicPartition(topic, 0, 0)",
    ),
    _row(
        "topic-deleted",
        "The topic is not deleted.",
        _KAFKA,
        "for gone in admin.delete_topics([topic]).values():",
        "for gone in ():",
    ),
    _row(
        "too-large",
        "The topic takes every alert.",
        _KAFKA,
        'scene.configure(topic, "max.message.bytes", "200")',
        "pass",
    ),
    _row("duplicates", "Nothing comes twice.", _DATA, "duplicates=0.1", "duplicates=0.0"),
    _row(
        "replayed",
        "Nothing is sent a second time.",
        _DATA,
        "        scene.rest()\n        scene.publish(sent)\n",
        "        scene.rest()\n",
    ),
    _row("late-early", "Nothing is late.", _DATA, "seed.chance.random() < 0.8", "seed.chance.random() < 1.8"),
    _row("poison-1", "Nothing is refused.", _DATA, "poison=0.01", "poison=0.0"),
    _row("poison-100", "No flood of poison comes.", _DATA, "        scene.publish(flood)\n", ""),
    _row("hot-customer", "There is no flood.", _DATA, "scene.publish(flood + others)", "scene.publish(others)"),
    _row("clock", "The clock is right.", "tests/faults/steps.py", "right() + float(seconds)", "right()"),
    _row(
        "old-layout",
        "No row is of layout 1.",
        _LAYOUT,
        "Changes(dict.fromkeys(names, ROW_1), {**due})",
        "Changes()",
    ),
    _row(
        "new-layout",
        "No row is of a newer layout.",
        _LAYOUT,
        "        scene.put_row(number, name, bytes([VERSION + 1]) + row[1:])\n",
        "",
    ),
    _row("clock-went-back", "The clock is never ahead.", _COMBINED, "set_clock(wrong, 1)", "set_clock(wrong, 0)"),
    _row(
        "aborted-went-back",
        "The transaction is committed.",
        _COMBINED,
        "Kill(COMMITTING_RECORDS",
        'Kill("after commit_transaction"',
    ),
    _row(
        "went-back-twice",
        "The store goes back when all is healed.",
        _COMBINED,
        "scene.progress(seed.chance.randint(4, 12))\n        healing",
        "scene.rest()\n        healing",
    ),
    _row("as-shipped", "Batches are small.", _COMBINED, "default_batches=True", "default_batches=False"),
)
