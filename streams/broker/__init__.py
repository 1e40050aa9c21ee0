"""Kafka both ways: poll, own partitions, publish from the outbox."""
