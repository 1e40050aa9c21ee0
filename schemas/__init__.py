"""What crosses a boundary: the records of every topic, as msgspec Structs.

JSON Schemas and the AsyncAPI document in docs/ are made from these. This package imports no other of the project.
"""
