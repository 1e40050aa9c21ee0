"""The churn models that the bank has chosen, or the one that ships with the program, read once at start."""

import logging
from importlib.resources import files
from pathlib import Path

from handlers.churn.model import ChurnModel, ModelError, loads
from handlers.engine.rules import Rules
from streams.ops.settings import GENERAL, OWN_RHYTHM, Settings, SettingsError, variable

MODEL_BYTES_MAX = 64 * 1024 * 1024

_log = logging.getLogger("tracker.churn")


def churn_rules(settings: Settings) -> Rules:
    """Rules with the models that TRACKER_CHURN_MODEL and TRACKER_CHURN_CHALLENGER name, in
    TRACKER_BASE_CURRENCY, and no offers.

    Raises SettingsError naming the file.
    """
    champion = _champion(settings.churn_model)
    challenger = _read("churn_challenger", settings.churn_challenger)
    if champion is not None:
        _log.info("churn by model %s, version %s", champion.name, champion.version)
    if challenger is not None:
        _log.info("in shadow model %s, version %s", challenger.name, challenger.version)
    return Rules(churn=champion, challenger=challenger, currency=settings.base_currency)


def general() -> ChurnModel:
    """The model that ships with the program; `tracker models general` makes it."""
    return loads(files("streams.worker").joinpath("general.json").read_bytes())


def _champion(choice: Path) -> ChurnModel | None:
    if choice == OWN_RHYTHM:
        return None
    return general() if choice == GENERAL else _read("churn_model", choice)


def _read(setting: str, file: Path | None) -> ChurnModel | None:
    if file is None:
        return None
    try:
        if file.stat().st_size > MODEL_BYTES_MAX:
            raise ModelError(f"is longer than {MODEL_BYTES_MAX} bytes")
        return loads(file.read_bytes())
    except (ModelError, OSError) as error:
        raise SettingsError(f"{variable(setting)}: {file}: {error}") from error
