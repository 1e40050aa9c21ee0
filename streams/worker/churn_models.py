"""The churn models that the bank has chosen, read once at start."""

import logging
from pathlib import Path

from handlers.churn.model import ChurnModel, ModelError, loads
from handlers.engine.rules import Rules
from streams.ops.settings import Settings, SettingsError, variable

MODEL_BYTES_MAX = 64 * 1024 * 1024

_log = logging.getLogger("tracker.churn")


def churn_rules(settings: Settings) -> Rules:
    """Rules with the models of TRACKER_CHURN_MODEL and TRACKER_CHURN_CHALLENGER, where they are set, in
    TRACKER_BASE_CURRENCY, and no offers.

    Raises SettingsError naming the file.
    """
    champion = _read("churn_model", settings.churn_model)
    challenger = _read("churn_challenger", settings.churn_challenger)
    if champion is not None:
        _log.info("churn by model %s, version %s", champion.name, champion.version)
    if challenger is not None:
        _log.info("in shadow model %s, version %s", challenger.name, challenger.version)
    return Rules(churn=champion, challenger=challenger, currency=settings.base_currency)


def _read(setting: str, file: Path | None) -> ChurnModel | None:
    if file is None:
        return None
    try:
        if file.stat().st_size > MODEL_BYTES_MAX:
            raise ModelError(f"is longer than {MODEL_BYTES_MAX} bytes")
        return loads(file.read_bytes())
    except (ModelError, OSError) as error:
        raise SettingsError(f"{variable(setting)}: {file}: {error}") from error
