"""The churn model that the bank has chosen, read once at start."""

import logging

from handlers.churn_model import ChurnModel, ModelError, loads
from streams.settings import Settings, SettingsError, variable

MODEL_BYTES_MAX = 64 * 1024 * 1024

_log = logging.getLogger("tracker.churn")


def churn_model(settings: Settings) -> ChurnModel | None:
    """The model of TRACKER_CHURN_MODEL, None where that isn't set. Raises SettingsError naming the file."""
    file = settings.churn_model
    if file is None:
        return None
    try:
        if file.stat().st_size > MODEL_BYTES_MAX:
            raise ModelError(f"is longer than {MODEL_BYTES_MAX} bytes")
        model = loads(file.read_bytes())
    except (ModelError, OSError) as error:
        raise SettingsError(f"{variable('churn_model')}: {file}: {error}") from error
    _log.info("churn by model %s, version %s", model.name, model.version)
    return model
