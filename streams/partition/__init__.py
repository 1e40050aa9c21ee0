"""One owned partition: prepare, supply, send (partition.py); its row cache and poison breaker."""
