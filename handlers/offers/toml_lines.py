"""On which line of a TOML file something stands: tomllib says what is in a file, not where."""

import re
from typing import NamedTuple

_HEADER = re.compile(r"\s*\[\[?\s*(?P<name>[\w.-]+)\s*\]\]?")
_FIELD = re.compile(r"\s*(?P<name>[\w-]+)\s*(?:\.[\w.-]+\s*)?=")
_TEXT_MARK = re.compile(r'"""|' + r"'''")


class Lines(NamedTuple):
    """Line numbers, from 1, by table, its number among those of that name, field, and number of the element."""

    found: dict[tuple[str, int, str, int], int]

    def of(self, table: str, number: int, mistake: str) -> str:
        """`line 7: ` for a mistake that starts with `field: ` or `field n: `, empty where it can't be told."""
        field, _, element = mistake.partition(":")[0].partition(" ")
        places = [(field, int(element) if element.isdigit() else 0), (field, 0), ("", 0)]
        for name, place in places:
            if line := self.found.get((table, number, name, place)):
                return f"line {line}: "
        return ""


def lines_of(text: str) -> Lines:
    """Where tables, their fields and the elements of arrays start that are written one to a line."""
    found: dict[tuple[str, int, str, int], int] = {}
    counts: dict[str, int] = {}
    table, number, field, element, in_text = "", 0, "", 0, ""
    for line_number, line in enumerate(text.splitlines(), 1):
        inside = in_text
        for mark in _TEXT_MARK.findall(line):
            if not in_text or in_text == mark:
                in_text = "" if in_text else mark
        if inside:
            continue
        if header := _HEADER.fullmatch(line.partition("#")[0].rstrip()):
            name = header["name"]
            if "." in name:  # a table below this one, as [[policy.caps]]: an element of a field
                parent, _, field = name.partition(".")
                above = (parent, max(counts.get(parent, 0), 1), field)
                element = 1 + sum(key[:3] == above and key[3] > 0 for key in found)
                found[(*above, element)] = line_number
                found.setdefault((*above, 0), line_number)
                table = ""
                continue
            table, field, element = name, "", 0
            number = counts[name] = counts.get(name, 0) + 1
            found[table, number, "", 0] = line_number
        elif table and line.lstrip().startswith("{"):
            element += 1
            found[table, number, field, element] = line_number
        elif table and (start := _FIELD.match(line)):
            field, element = start["name"], 0
            found.setdefault((table, number, field, 0), line_number)
    return Lines(found)
