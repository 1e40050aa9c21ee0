"""What a belief keeps of a customer: some numbers in a section of the row."""

from typing import NamedTuple


class Section(NamedTuple):
    """Its numbers stand in OpenRow.sections[tag], each in the place of its field; 0 takes no byte at the end."""

    tag: int
    """Below SECTIONS_MAX (state/row.py), stored: never given to another, also when the belief is gone."""
    fields: tuple[str, ...]
    """At most SECTION_NUMBERS_MAX. Their places are stored: add at the end."""
