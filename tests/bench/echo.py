"""A ruler: the least that a consume-and-produce loop in Python can do, with nothing kept, checked or promised.

    python -m tests.bench.echo

Answers every salary with a record in the form of an alert, from topic to topic of the settings; at most once, no
transaction, the collector off. What the tracker's latency has beyond this is the price of its work and its guarantees.
"""

import gc

import orjson
from confluent_kafka import Consumer, Producer

from commands.kafka import client
from streams.ops.settings import load_settings

SALARY = b'"type":"salary"'
POLL_RECORDS, POLL_SECONDS = 500, 0.005


def main() -> None:
    settings = load_settings()
    tuned = {"group.id": f"{settings.group_id}-echo", "auto.offset.reset": "latest", "fetch.wait.max.ms": 10}
    consumer = Consumer(client(settings, **tuned))
    producer = Producer(client(settings, **{"linger.ms": 0, "compression.type": "lz4"}))
    consumer.subscribe([settings.topic_transactions], on_assign=lambda *_: print("ready", flush=True))
    gc.disable()
    while True:
        for message in consumer.consume(POLL_RECORDS, POLL_SECONDS):
            value = message.value()
            if value is not None and SALARY in value:
                event_id = orjson.loads(value)["event_id"]
                alert = orjson.dumps({"alert_id": event_id, "cause": {"event_id": event_id}})
                producer.produce(settings.topic_alerts, alert, message.key())
        producer.poll(0)


if __name__ == "__main__":
    main()
