"""The users of docs/security.md, as the page gives them: what is tested is what banks copy."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/security.md"
WORKER, READER, SENTINEL = "tracker-worker", "tracker-reader", "tracker"


def rules_of(user: str) -> list[str]:
    """Keys and commands of a user's line, without its password."""
    (line,) = re.findall(rf"^user {user} on ><password> (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    return str(line).split()


def default_user() -> str:
    """The line of the user `default`."""
    (line,) = re.findall(r"^user default .*$", PAGE.read_text("utf-8"), re.MULTILINE)
    return str(line)
