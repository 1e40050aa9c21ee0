"""A producer that waits for a coordinator without end is given up, and the next one does its work once."""

import os
import signal
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from streams.broker.bounded import Bounded
from streams.broker.transactions import producer_config, send_offsets
from streams.ops.settings import Settings
from tests.servers import Kafka, fresh_name


@pytest.mark.kafka
def test_the_next_producer_fences_the_one_that_was_given_up_off() -> None:
    with Kafka() as kafka:
        name = fresh_name("away")
        kafka.create_topic(name, 1)
        given: dict[str, Any] = {"kafka_bootstrap_servers": kafka.bootstrap_servers, "group_id": name}
        config = producer_config(Settings(**given), lambda _: None)
        reading = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": name, "log_level": 0}
        reading |= {"enable.partition.eof": True, "auto.offset.reset": "earliest"}
        reader, bounded = Consumer(reading), Bounded("offsets")
        group = reader.consumer_group_metadata()

        def publish(producer: Producer, value: str, seconds_max: float) -> None:
            producer.begin_transaction()
            producer.produce(name, value)
            producer.flush(seconds_max)
            send_offsets(bounded, producer, [TopicPartition(name, 0, int(value))], group, seconds_max)
            producer.commit_transaction(seconds_max)

        given_up = Producer(config)
        given_up.init_transactions(30)
        publish(given_up, "1", 30)
        os.kill(kafka.process.pid, signal.SIGKILL)
        kafka.process.stop()
        with pytest.raises(KafkaException) as refused:
            publish(given_up, "2", 1)
        assert refused.value.args[0].fatal()
        kafka.start()
        following = Producer(config)
        following.init_transactions(60)
        publish(following, "2", 60)
        with pytest.raises(KafkaException):
            given_up.commit_transaction(10)

        reader.assign([TopicPartition(name, 0, 0)])
        values = []
        while (message := reader.poll(30)) is not None and message.error() is None:
            values.append(message.value())
        assert values == [b"1", b"2"]
        (committed,) = reader.committed([TopicPartition(name, 0)], timeout=30)
        assert committed.offset == 2
        reader.close()
        bounded.close()
