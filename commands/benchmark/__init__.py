"""What `tracker bench` is made of: a seeded workload, the servers and workers it runs on, and what is measured of them.

Nothing here is used by a worker.
"""
