"""What a process does of the whole: everything, or one part of it."""

from enum import StrEnum

HEALTH = "/healthz"
COLLECTED = frozenset(
    ("/v1/traces", "/v1/logs", "/v1/metrics", "/v1/events", "/v1/access-logs", "/v1/targets")
)
"""What is asked of those that collect; every other path is for those that answer."""


class Role(StrEnum):
    """The part that a process plays; those of one installation share only the two stores."""

    ALL = "all"
    COLLECTOR = "collector"
    """Takes telemetry and scrapes workers. It never asks the ledger."""
    WORKER = "worker"
    """Brings usage up to date, while it holds the lease."""
    API = "api"
    """Answers questions and takes declarations; usage is as a worker left it."""

    @property
    def collects(self) -> bool:
        """Whether telemetry is taken and workers are scraped."""
        return self in {Role.ALL, Role.COLLECTOR}

    @property
    def ticks(self) -> bool:
        """Whether usage is brought up to date."""
        return self in {Role.ALL, Role.WORKER}

    @property
    def answers(self) -> bool:
        """Whether questions are answered and declarations taken."""
        return self in {Role.ALL, Role.API}

    def serves(self, path: str) -> bool:
        """Whether a path is answered; that of health always is."""
        return path == HEALTH or (self.collects if path in COLLECTED else self.answers)


class OtherRoleError(LookupError):
    """A path that only a process of another role serves."""

    def __init__(self, role: Role, path: str) -> None:
        other = Role.COLLECTOR if path in COLLECTED else Role.API
        super().__init__(
            f"404: {path} must be asked of a service of role {other} or all, found role {role}"
        )
