"""The river: Kafka in, Redis state, alerts out. One loop (partition.py), owned by a Faust app (app.py)."""
