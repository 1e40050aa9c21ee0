"""The port to the state (port.py) and what stands behind it: Redis, memory, the Lua functions."""
