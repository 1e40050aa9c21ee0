"""A directory of models: one file each, and the name of the champion in a file of its own."""

import os
from pathlib import Path
from typing import NamedTuple

from handlers.churn.model import ChurnModel, ModelError, dumps, loads

CHAMPION = "champion"
"""The file that names the model in use; replaced in one step, so a reader sees the old one or the new one."""
MODEL_BYTES_MAX = 64 * 1024 * 1024


class Entry(NamedTuple):
    """A model in the directory."""

    file: Path
    model: ChurnModel
    champion: bool


def read_model(file: Path) -> ChurnModel:
    """Raises ModelError naming the file, OSError."""
    if file.stat().st_size > MODEL_BYTES_MAX:
        raise ModelError(f"{file}: is longer than {MODEL_BYTES_MAX} bytes")
    try:
        return loads(file.read_bytes())
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from error


def write_model(file: Path, model: ChurnModel) -> None:
    """In one step: a reader sees the old file or the new one."""
    _replace(file, dumps(model))


def entries(directory: Path) -> list[Entry]:
    """The models by file name. Raises ModelError, OSError."""
    chosen = champion(directory)
    return [Entry(file, read_model(file), file == chosen) for file in sorted(directory.glob("*.json"))]


def champion(directory: Path) -> Path | None:
    """The file of the model in use, None where none is."""
    pointer = directory / CHAMPION
    return directory / pointer.read_text("utf-8").strip() if pointer.exists() else None


def promote(directory: Path, file: Path) -> Path:
    """Makes this model the champion, copied into the directory first if it isn't there. Raises ModelError, OSError."""
    model = read_model(file)
    directory.mkdir(parents=True, exist_ok=True)
    champion_file = directory / f"{model.name}-{model.version}.json"
    if champion_file.resolve() != file.resolve():
        write_model(champion_file, model)
    _replace(directory / CHAMPION, f"{champion_file.name}\n".encode())
    return champion_file


def _replace(file: Path, data: bytes) -> None:
    fresh = file.with_name(file.name + ".new")
    fresh.write_bytes(data)
    os.replace(fresh, file)
