"""What the bank believes: aggregates and decisions. Pure and deterministic: no I/O, no clock, no unseeded chance.

Start at engine/engine.py (one step of one partition), then aggregates/features.py (every aggregate, declared once).
"""
