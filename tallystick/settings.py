"""Settings: the only place that reads the environment. Every field is a TALLYSTICK_ variable."""

from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from collector.inflate import DEFAULT_LIMIT
from tallystick.role import Role


class Settings(BaseSettings):
    """What an operator may choose. Built once by the command, passed down as values."""

    model_config = SettingsConfigDict(
        env_prefix="TALLYSTICK_", frozen=True, use_attribute_docstrings=True
    )

    data: Path = Path("tallystick-data")
    """Directory of the embedded stores."""
    events_url: str = ""
    """Event store, ``chdb:///directory`` or ``clickhouse://host``; empty for one under ``data``."""
    ledger_url: str = ""
    """Ledger, a SQLAlchemy URL for SQLite or PostgreSQL; empty for a file under ``data``."""
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs both keys."""
    port: int = Field(default=4318, ge=0, le=65535)
    """Port for OTLP/HTTP and the API."""
    grpc_port: int = Field(default=4317, ge=0, le=65535)
    """Port for OTLP/gRPC; 0 for none."""
    ingest_key: SecretStr = SecretStr("")
    """Bearer token that clients must send with telemetry; empty for none."""
    admin_key: SecretStr = SecretStr("")
    """Bearer token for everything else; empty for none."""
    book: str = "polardb-2026"
    """Name of the price book: a shipped or an imported one."""
    max_body_bytes: int = Field(default=DEFAULT_LIMIT, ge=1024)
    """Largest OTLP body after inflation."""
    refresh_seconds: int = Field(default=60, ge=1)
    """How often usage is brought up to date in the background."""
    gateways: str = ""
    """Gateways of record, ``service.name=llm-gateway, scope=litellm``: only their records bill;
    empty for any record, one a call."""
    targets: str = ""
    """GPU workers to scrape: a file of targets, addresses, or ``nvml``; empty for none."""
    scrape_seconds: float = Field(default=15, gt=0)
    """How often a target is scraped that does not say itself."""
    scrape_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Largest page of a target, as sent and after inflation."""
    metrics_map: str = ""
    """File (YAML) of further metric names and the signals that they stand for; empty for none."""
    readings_days: int = Field(default=30, ge=1, le=3650)
    """Days that readings are kept."""
    events_days: int = Field(default=396, ge=32, le=36500)
    """Days that events are kept, by the UTC day on which they end; usage rows are kept for ever."""
    events_lost: str = ""
    """Days of lost events, ``2026-11-01,2026-11-02``, whose usage stays as it is; empty: none."""
    backups: Path = Path("tallystick-backups")
    """Folder below which backups are written."""
    min_free_bytes: int = Field(default=1024**3, ge=1024**2)
    """Free bytes of the stores' disk below which is warned; below a quarter nothing is taken."""
    context_bands: str = ""
    """Input tokens at which bands of requests begin that prices tell apart, as in 32000,128000."""
    tolerance: Decimal = Field(default=Decimal("0.005"), ge=0, lt=1)
    """Part of an hour's tokens by which gateways and engines may differ without a reason."""

    bill_prefix: str = Field(default="INV", pattern=r"^\w+$")
    """What numbers of bills begin with: ``INV-2026-000001``."""
    credit_note_prefix: str = Field(default="CN", pattern=r"^\w+$")
    """What numbers of credit notes begin with."""
    fonts: str = "/usr/share/fonts"
    """Folders of fonts for statements as PDF, apart by ``:``; they must draw every character."""
    journal_accounts: str = ""
    """A company's own names for accounts of the journal, ``receivable=1122,tokens=6001``."""
    deliver_to: str = ""
    """Folder or bucket, as in ``s3://bucket/path``, to which ``POST /v1/deliveries`` delivers."""
    issue_after_hours: int = Field(default=0, ge=0, le=744)
    """Hours after a month at which its bills are issued that nothing blocks; 0 for never."""

    role: Role = Role.ALL
    """What this process does: ``all``, or ``collector``, ``worker`` or ``api`` beside others."""
    events_cluster: str = Field(default="", pattern=r"^\w*$")
    """ClickHouse cluster over which tables are sharded and replicated; empty for one server."""
    settle_seconds: int = Field(default=30, ge=1, le=3600)
    """How far usage trails arrivals on a ClickHouse server, to which others may write too."""
    lease_seconds: int = Field(default=30, ge=1, le=3600)
    """How long after a worker's death another takes over."""

    @model_validator(mode="after")
    def _a_part_needs_a_server(self) -> Self:
        if self.role is not Role.ALL and self.is_embedded:
            raise ValueError(
                f"role {self.role} needs TALLYSTICK_EVENTS_URL to name a server, as in "
                f"clickhouse://host, found the embedded event store: only one process may open it"
            )
        return self

    @model_validator(mode="after")
    def _keys_off_loopback(self) -> Self:
        if not _is_loopback(self.host):
            keys = {
                "TALLYSTICK_INGEST_KEY": self.ingest_key,
                "TALLYSTICK_ADMIN_KEY": self.admin_key,
            }
            missing = [name for name, key in keys.items() if not key.get_secret_value()]
            if missing:
                raise ValueError(
                    f"listening on {self.host} needs TALLYSTICK_INGEST_KEY and "
                    f"TALLYSTICK_ADMIN_KEY to be set, found no {' and no '.join(missing)}"
                )
        return self

    @property
    def events(self) -> str:
        """The event store's address."""
        return self.events_url or f"chdb://{(self.data / 'events').absolute()}"

    @property
    def is_embedded(self) -> bool:
        """Whether the event store is inside this process, and nobody else's."""
        return self.events.startswith("chdb:")

    @property
    def ledger(self) -> str:
        """The ledger's address."""
        return self.ledger_url or f"sqlite:///{(self.data / 'ledger.db').absolute()}"

    @property
    def grpc_address(self) -> str:
        """Where gRPC listens, ``host:port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.grpc_port}"

    @property
    def address(self) -> str:
        """Where the service is reached from this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
