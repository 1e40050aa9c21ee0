"""The `tracker` program: one file for each group of commands, on top of everything else.

Start at main.py. console.py says how commands talk: tables and colours for people, JSON for
scripts, one line for an error.
"""
