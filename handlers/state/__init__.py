"""One customer's row: open, as bytes, many of them in one array."""
