"""The list of targets as it now stands: a setting, or a file that may change."""

from pathlib import Path

import structlog

from collector.workers.targets import FILE_ENDINGS, Target, parse_targets, static_targets

_log = structlog.get_logger("collector")


class TargetList:
    """The targets as an operator lists them, in a setting or in a file that may change."""

    def __init__(self, told: str, interval: float) -> None:
        """Read ``told``, a file's name or addresses, whenever it is asked for."""
        self._told = told
        self._interval = interval
        self._is_file = told.lower().endswith(FILE_ENDINGS)
        self._seen: str | None = None
        self.error = ""
        """Why the list, as it now stands, is not used."""

    def changed(self) -> tuple[Target, ...] | None:
        """Return the targets where they changed; a broken list keeps the old one and says so."""
        try:
            text = Path(self._told).read_text("utf-8") if self._is_file else self._told
            read = parse_targets if self._is_file else static_targets
            targets = None if text == self._seen else read(text, self._interval)
        except (OSError, ValueError) as error:
            if str(error) != self.error:
                _log.error("targets_unusable", targets=self._told, error=str(error))
            self.error = str(error)
            return None
        self._seen, self.error = text, ""
        return targets
