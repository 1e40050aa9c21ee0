"""The river: Kafka in, Redis state, alerts out.

One loop (worker/loop.py) over the owned partitions (partition/partition.py), run by a Faust app (worker/app.py).
"""
