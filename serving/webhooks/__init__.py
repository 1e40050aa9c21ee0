"""Alerts by HTTP, for tools that can't read Kafka: signed by Standard Webhooks, in each customer's order, each once."""
