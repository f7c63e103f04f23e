"""The metadata that a pruned checkpoint and its mask get: version, method, settings and round."""

import json
from importlib.metadata import version

from topoimp.reports.rows import Settings


def metadata_of(settings: Settings, number: int) -> dict[str, str]:
    """Return the metadata that a pruned checkpoint and its mask get after round ``number``."""
    given = {key: value for key, value in settings.items() if value not in ([], None) and value is not False}
    return {
        "topoimp.version": version("topoimp"),
        "topoimp.method": str(settings["method"]),
        "topoimp.settings": json.dumps(given),
        "topoimp.round": str(number),
    }
