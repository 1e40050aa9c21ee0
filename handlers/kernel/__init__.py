"""What compiled code is made of: Numba and its cache, array types, bytes, text by words, customer ids."""
