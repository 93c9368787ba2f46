"""One declaration makes a table on one server and on a cluster."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from metering.quarantine_store import QUARANTINE
from metering.reading_store import readings_table
from metering.scale.layout import (
    DURABLE,
    PLAIN,
    SWEPT,
    Deployment,
    Layout,
    Table,
    bytes_on_disk,
    client_settings,
    ddl,
    retained,
)
from metering.schema import EVENTS, SIGHTINGS

CLUSTER = Layout("metering", "tally")
TABLES = (EVENTS, SIGHTINGS, QUARANTINE, readings_table(30))
SMALL = Table("t", ("a UInt64",), order_by="a", shard_by="a")


@pytest.mark.parametrize("layout", [PLAIN, CLUSTER], ids=["server", "cluster"])
def test_the_tables_are_made_as_they_always_were(
    golden: Callable[[str, str], None], layout: Layout
) -> None:
    statements = [s for table in TABLES for s in (*ddl(table, layout), _kept(table, layout)) if s]

    name = "cluster" if layout.cluster else "server"
    golden(f"tables_{name}.sql", ";\n\n".join(statements) + ";\n")


def _kept(table: Table, layout: Layout) -> str:
    return retained(table, layout) if table.ttl else ""


def test_a_table_without_extras_says_no_more_than_it_must() -> None:
    durable = ", ".join(DURABLE)

    (made,) = ddl(SMALL, PLAIN)
    on_cluster = ddl(SMALL, CLUSTER)[0]

    assert made == (
        "CREATE TABLE IF NOT EXISTS t (\n    a UInt64\n)\nENGINE = ReplacingMergeTree\nORDER BY a\n"
        f"SETTINGS {durable}, {', '.join(SWEPT)}"
    )
    assert on_cluster.endswith(f"SETTINGS {durable}")


def test_on_a_cluster_the_version_column_is_the_last_argument() -> None:
    versioned, plain = (ddl(t, CLUSTER)[0] for t in (replace(SMALL, version="v"), SMALL))

    path = "'/clickhouse/tables/{shard}/tallystick/t', '{replica}'"
    assert f"ENGINE = ReplicatedReplacingMergeTree({path}, v)\n" in versioned
    assert f"ENGINE = ReplicatedReplacingMergeTree({path})\n" in plain


def test_bytes_are_asked_of_the_tables_that_hold_rows() -> None:
    assert "FROM system.parts" in bytes_on_disk(("t",), PLAIN)
    found = bytes_on_disk(("t",), CLUSTER)
    assert "clusterAllReplicas(metering, system.parts)" in found
    assert "('t_local')" in found


def test_only_a_cluster_needs_settings() -> None:
    assert client_settings(Deployment(PLAIN, 30 * 10**9)) == {}
    found = client_settings(Deployment(CLUSTER, 30 * 10**9))
    assert found["prefer_global_in_and_join"] == 1
    assert found["max_replica_delay_for_distributed_queries"] == 15
    assert client_settings(Deployment(CLUSTER, 1))["max_replica_delay_for_distributed_queries"] == 1
