"""Failures told once: a full disk under load would fill the log as well."""


class Trouble:
    """Counts failures until something succeeds again."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}

    def is_new(self, kind: str) -> bool:
        """Count one failure; True for the first of its kind since the last success.

        >>> trouble = Trouble()
        >>> [trouble.is_new("full"), trouble.is_new("full"), trouble.ended(), trouble.ended()]
        [True, False, 2, 0]
        """
        self._failures[kind] = self._failures.get(kind, 0) + 1
        return self._failures[kind] == 1

    def ended(self) -> int:
        """Return how many failures there were since the last success, which is now."""
        if not self._failures:
            return 0
        count = sum(self._failures.values())
        self._failures.clear()
        return count
