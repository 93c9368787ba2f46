"""Fixtures of the plugin's tests: a real receiver, and a meter that reports to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin.receiver import Receiver, metering, receiving
from tallystick_otel.meter import Meter


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def meter(receiver: Receiver, folder: Path) -> Iterator[Meter]:
    with metering(receiver.address, folder) as installed:
        yield installed
