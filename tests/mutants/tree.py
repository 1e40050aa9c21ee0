"""A copy of the repository to change, so that nothing happens to the one that is worked in."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "build", "*.egg-info", "kernels-*", ".*_cache", ".hypothesis"
)


def copy_of_tree(folder: Path, name: str) -> Path:
    """Copies it to `folder`/`name`; what is only read (var, the virtual environment, shared data) is linked to."""
    tree = folder / name
    shutil.copytree(ROOT, tree, ignore=_LEFT_OUT)
    for link in ("var", ".venv"):
        (tree / link).symlink_to(ROOT / link)
    if not (folder / "shared").is_symlink():
        (folder / "shared").symlink_to(ROOT.parent / "shared")
    return tree


def write(file: Path, text: str) -> None:
    """Writes code, and drops what Python compiled from the text before: it compares whole seconds and sizes only."""
    file.write_text(text, "utf-8")
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()
