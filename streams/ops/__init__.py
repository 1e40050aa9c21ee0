"""What operators set and see: settings, metrics, health, logs, retry."""
