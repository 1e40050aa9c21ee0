"""Records in; accepted events, duplicates and violations out."""
