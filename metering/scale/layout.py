"""Where tables lie: one declaration each, and what makes it on one server or on a cluster.

On a cluster every table is two: ``name_local`` on each server, replicated within its shard, and
``name`` over all shards, which is what queries and inserts name. So the SQL stays the same.
"""

from dataclasses import dataclass

from metering.band import NO_BANDS, Bands

DURABLE = (
    "fsync_after_insert = 1",
    "fsync_part_directory = 1",
    "min_rows_to_fsync_after_merge = 1",
)
"""Every table: nothing is acknowledged, and no merged part is removed, before what stands for it is
on the disk, since the embedded engine removes such parts at once. A power cut breaks no part."""
SWEPT = (
    "cleanup_delay_period = 1",
    "cleanup_delay_period_random_add = 0",
    "max_cleanup_delay_period = 1",
    "concurrent_part_removal_threshold = 1000000",
)
"""Tables that are not replicated: merged parts go by the dozen each second, in one thread. By
default they go by the hundred each half minute, in as many threads, beside the inserts."""
_REPLICATED = "'/clickhouse/tables/{shard}/tallystick/%s', '{replica}'"
"""ClickHouse fills in the braces from each server's macros."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is declared once: rows alike in ``order_by`` are one, sooner or later."""

    name: str
    columns: tuple[str, ...]
    """Lines of columns and indices."""
    order_by: str
    shard_by: str
    """Rows that must be one have one value of this; columns that are stored, hashed."""
    version: str = ""
    """Of rows that are one, that with the highest stays."""
    summed: str = ""
    """Or: of rows that are one, this column is added up."""
    partition_by: str = ""
    ttl: str = ""
    settings: tuple[str, ...] = ()
    """Besides those of all tables."""
    added: tuple[str, ...] = ()
    """Those columns that tables made by earlier versions lack."""
    changed: tuple[str, ...] = ()
    """Those columns that they have, but work out or pack in another way. Values are the same."""


@dataclass(frozen=True, slots=True)
class Layout:
    """On one server, or on a cluster whose name is in the servers' own configuration."""

    cluster: str = ""
    database: str = "default"

    @property
    def on_cluster(self) -> str:
        """What a statement says that is for every server."""
        return f" ON CLUSTER {self.cluster}" if self.cluster else ""

    def local(self, name: str) -> str:
        """Return the name of the table that holds the rows."""
        return f"{name}_local" if self.cluster else name


@dataclass(frozen=True, slots=True)
class Deployment:
    """How an event store is run: where its tables lie, what settles when, what is told apart."""

    layout: Layout = Layout()
    settle_ns: int = 0
    """How long arrivals take to settle; 0 where this process is the only one that writes."""
    bands: Bands = NO_BANDS
    """The context bands of requests in sums."""


PLAIN = Layout()
ALONE = Deployment()


def ddl(table: Table, layout: Layout) -> tuple[str, ...]:
    """Return the statements that make a table, or what it lacks, where it is not there yet."""
    local = layout.local(table.name)
    if not layout.cluster:
        rows = _rows_table(table, layout, _engine(_kind(table), _argument(table)))
        return (rows, *_additions(table, layout, local))
    path = _REPLICATED % table.name
    argument = _argument(table)
    arguments = f"{path}, {argument}" if argument else path
    over_all = (
        f"CREATE TABLE IF NOT EXISTS {table.name}{layout.on_cluster} AS {local}\n"
        f"ENGINE = Distributed({layout.cluster}, {layout.database}, {local}, {table.shard_by})"
    )
    return (
        _rows_table(table, layout, _engine(f"Replicated{_kind(table)}", arguments)),
        *_additions(table, layout, local),
        over_all,
        *_additions(table, layout, table.name),
    )


def retained(table: Table, layout: Layout) -> str:
    """Return the statement that makes a table keep its rows for as long as is declared now."""
    return (
        f"ALTER TABLE {layout.local(table.name)}{layout.on_cluster} MODIFY TTL {table.ttl}\n"
        "SETTINGS materialize_ttl_after_modify = 0"
    )


def bytes_on_disk(tables: tuple[str, ...], layout: Layout) -> str:
    """Return the query for what tables take, compressed, each row counted on every replica."""
    parts = f"clusterAllReplicas({layout.cluster}, system.parts)" if layout.cluster else None
    names = ", ".join(f"'{layout.local(name)}'" for name in tables)
    return (
        f"SELECT sum(bytes_on_disk) FROM {parts or 'system.parts'}\n"  # noqa: S608 - our names
        f"WHERE active AND database = currentDatabase() AND table IN ({names})"
    )


def client_settings(deployment: Deployment) -> dict[str, int | str]:
    """Return what every statement on a cluster must say; nothing on one server.

    Keys that a query asks for are worked out once and sent to all shards, writes are done when a
    majority of each shard's replicas has them, and a replica that lags by more than half the
    settling time is not read.
    """
    if not deployment.layout.cluster:
        return {}
    return {
        "prefer_global_in_and_join": 1,
        "distributed_foreground_insert": 1,
        "insert_quorum": "auto",
        "max_replica_delay_for_distributed_queries": _at_least_one(deployment.settle_ns),
        "fallback_to_stale_replicas_for_distributed_queries": 0,
    }


def _rows_table(table: Table, layout: Layout, engine: str) -> str:
    lines = ",\n    ".join(table.columns)
    name = layout.local(table.name) + layout.on_cluster
    clauses = [
        f"CREATE TABLE IF NOT EXISTS {name} (\n    {lines}\n)",
        f"ENGINE = {engine}",
        f"PARTITION BY {table.partition_by}" if table.partition_by else "",
        f"ORDER BY {table.order_by}",
        f"TTL {table.ttl}" if table.ttl else "",
        f"SETTINGS {', '.join(_settings(table, layout))}",
    ]
    return "\n".join(clause for clause in clauses if clause)


def _additions(table: Table, layout: Layout, name: str) -> list[str]:
    """Return the statements that bring a table of an earlier version up to date."""
    alter = f"ALTER TABLE {name}{layout.on_cluster}"
    return [
        *(f"{alter} ADD COLUMN IF NOT EXISTS {column}" for column in table.added),
        *(f"{alter} MODIFY COLUMN {column}" for column in table.changed),
    ]


def _settings(table: Table, layout: Layout) -> tuple[str, ...]:
    return (*DURABLE, *table.settings, *(() if layout.cluster else SWEPT))


def _kind(table: Table) -> str:
    return "SummingMergeTree" if table.summed else "ReplacingMergeTree"


def _argument(table: Table) -> str:
    return f"({table.summed})" if table.summed else table.version


def _engine(name: str, arguments: str) -> str:
    return f"{name}({arguments})" if arguments else name


def _at_least_one(settle_ns: int) -> int:
    return max(settle_ns // 2 // 1_000_000_000, 1)
