"""What is said while the event store does not take what its journal holds."""

from pathlib import Path

import pytest
from builders import event

from metering.engine_store import StoreUnavailableError
from tallystick.keeping.health import health_of
from tallystick.settings import Settings
from tallystick.wiring import assemble


def test_tables_that_take_nothing_are_told_of_until_they_do(tmp_path: Path) -> None:
    parts = assemble(Settings(data=tmp_path))
    engine = parts.events._engine
    engine.command("RENAME TABLE sightings TO elsewhere")
    parts.events.record([event("e1", fresh=1)])
    with pytest.raises(StoreUnavailableError):
        parts.events.settle()

    failing = health_of(parts)
    with pytest.raises(StoreUnavailableError):
        parts.events.record([event("e2", fresh=2)])
    engine.command("RENAME TABLE elsewhere TO sightings")
    parts.events.settle()
    parts.events.record([event("e2", fresh=2)])
    mended = health_of(parts)
    parts.close()

    assert (failing.status, failing.said["status"]) == (200, "degraded")
    assert failing.said["arrivals_stored"] == 0
    [sentence] = failing.said["wrong"]
    assert sentence.startswith("the event store must take what the journal holds, found it failing")
    assert (mended.said["status"], mended.said["arrivals_stored"]) == ("ok", 2)
