"""Features declared (features.py), a transaction folded into a row, features evaluated."""
