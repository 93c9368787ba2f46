"""Cut or changed files of the event store: an error in one sentence, or the same totals."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import event, hour

from metering.engine_store import StoreUnavailableError
from metering.event_store import EventStore
from metering.keeping.damage import StoreDamagedError, damage_in
from metering.keeping.parts_store import lose_nothing
from metering.rollup import RawKey, Sums

HOURS = [hour(f"2026-10-{day:02}T{h:02}") for day in (1, 2) for h in (11, 12, 13)]
BEFORE = 1 << 62
CUT = "cut"
FLIPPED = "flipped"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[RawKey, Sums]]:
    """A store of two days that nobody changes, and the sums of its hours."""
    folder = tmp_path_factory.mktemp("whole") / "events"
    store = EventStore.open(f"chdb://{folder}", lambda: 1)
    lose_nothing(store.client)
    for day in (1, 2):
        store.record(
            [
                event(f"e{n}", f"2026-10-{day:02}T{n % 3 + 11}:30Z", fresh=n, call=f"r{day}-{n}")
                for n in range(day * 1000, day * 1000 + 300)
            ]
        )  # fmt: skip
    sums = store.sums(HOURS, BEFORE)
    store.close()
    return folder, sums


CASES = [
    *(("data.bin", how) for how in (CUT, FLIPPED)),
    *(
        pytest.param(name, how, marks=pytest.mark.slow)
        for name in (
            "checksums.txt", "columns.txt", "count.txt", "data.cmrk4", "partition.dat",
            "primary.cidx", "serialization.json",
        )
        for how in (CUT, FLIPPED)
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "how"), CASES)
def test_damage_to_a_part_is_an_error_and_never_another_total(
    whole: tuple[Path, dict[RawKey, Sums]], tmp_path: Path, name: str, how: str
) -> None:
    folder, sums = whole
    broken = tmp_path / "events"
    shutil.copytree(folder, broken, symlinks=True)
    damage(next(iter(sorted(broken.glob(f"store/*/*/20261001_*/{name}")))), how)

    said = summed_elsewhere(broken)

    if said != str(sorted(sums.items())):
        assert said.startswith(("StoreDamagedError: ", "StoreUnavailableError: ")), said
        assert "StoreDamagedError" in said or damage_in(said), said


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if how == CUT:
        del content[middle:]
    else:
        content[middle] ^= 0x10
    path.write_bytes(content)


def summed_elsewhere(folder: Path) -> str:
    """Sum the hours in a process of its own: an engine that failed to start spoils its process."""
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_a_part_that_was_set_aside_before_is_told_of(tmp_path: Path) -> None:
    store = EventStore.open(f"chdb://{tmp_path / 'events'}", lambda: 1)
    store.record([event("e1", fresh=1)])
    store.settle()
    part = next((tmp_path / "events").glob("store/*/*/20261001_*/checksums.txt")).parent
    shutil.copytree(part, part.parent / "detached" / f"broken-on-start_{part.name}")

    with pytest.raises(StoreDamagedError, match="a part set aside: events broken-on-start_2026"):
        lose_nothing(store.client)
    store.close()


def test_tables_of_earlier_versions_get_the_settings_of_today(tmp_path: Path) -> None:
    store = EventStore.open(f"chdb://{tmp_path / 'events'}", lambda: 1)
    ours = "database = currentDatabase() AND name IN ('events', 'sightings')"
    made = f"SELECT name, create_table_query FROM system.tables WHERE {ours}"
    today = ("min_rows_to_fsync_after_merge = 1", " cleanup_delay_period = 1")
    for table in ("events", "sightings"):
        gone = (
            "max_cleanup_delay_period, cleanup_delay_period, min_rows_to_fsync_after_merge,"
            " min_bytes_for_wide_part"
        )
        store.client.command(f"ALTER TABLE {table} RESET SETTING {gone}")
    before = dict(store.client.query(made).result_rows)

    lose_nothing(store.client)

    after = dict(store.client.query(made).result_rows)
    store.close()
    assert not any(one in query for query in before.values() for one in today)
    assert all(one in query for query in after.values() for one in today)
    assert "min_bytes_for_wide_part = 268435456" in after["events"]


def _sum(folder: str) -> str:
    try:
        store = EventStore.open(f"chdb://{folder}", lambda: 1)
        lose_nothing(store.client)
        return str(sorted(store.sums(HOURS, BEFORE).items()))
    except (StoreUnavailableError, StoreDamagedError) as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    print(_sum(sys.argv[1]))  # noqa: T201
