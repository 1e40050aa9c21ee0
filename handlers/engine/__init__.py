"""One step of one partition: engine.py folds, asks churn and offers, and decides in the order of the stream."""
