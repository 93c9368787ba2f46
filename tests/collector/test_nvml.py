"""Local GPUs through NVML, as a driver would answer."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from collector.workers.nvml import NvmlError, read_gpus


class NVMLError(Exception):
    """What the library raises."""


class Driver:
    """A driver of two cards, with the functions of the library that are asked."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *, missing: str = "") -> None:
        self.missing = missing
        self.open = 0

    def nvmlInit(self) -> None:  # noqa: N802 - the library's names
        if self.missing == "driver":
            raise NVMLError("Driver Not Loaded")
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        if self.missing == "cards":
            raise NVMLError("Unknown Error")
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, card: int) -> str | bytes:  # noqa: N802
        return f"GPU-{card}" if card else b"GPU-0"

    def nvmlDeviceGetUtilizationRates(self, _card: int) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=97)

    def nvmlDeviceGetMemoryInfo(self, _card: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=10, total=80)

    def nvmlDeviceGetPowerUsage(self, _card: int) -> int:  # noqa: N802
        return 612_400

    def nvmlDeviceGetTotalEnergyConsumption(self, card: int) -> int:  # noqa: N802
        if card:
            raise NVMLError("Not Supported")
        return 5000

    def nvmlDeviceGetTemperature(self, _card: int, sensor: int) -> int:  # noqa: N802
        return 64 + sensor


def test_each_card_tells_what_it_can_in_our_units() -> None:
    driver = Driver()
    readings = read_gpus(7, nvml=driver)

    assert {r.signal: r.value for r in readings if r.origin.gpu == "GPU-0"} == {
        "gpu_busy": 0.97,
        "gpu_memory_used_bytes": 10.0,
        "gpu_memory_total_bytes": 80.0,
        "gpu_power_watts": 612.4,
        "gpu_energy_joules": 5.0,
        "gpu_temperature_celsius": 64.0,
    }
    assert len([r for r in readings if r.origin.gpu == "GPU-1"]) == 5
    assert {(r.at_ns, r.origin.system, r.origin.target) for r in readings} == {(7, "nvml", "nvml")}
    assert driver.open == 0


@pytest.mark.parametrize(("missing", "why"), [("driver", "Not Loaded"), ("cards", "Unknown")])
def test_without_a_driver_there_is_one_sentence(missing: str, why: str) -> None:
    driver = Driver(missing=missing)
    with pytest.raises(NvmlError, match=f"needs NVIDIA's driver and its library, found: .*{why}"):
        read_gpus(7, nvml=driver)

    assert driver.open == 0


def test_without_the_library_the_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The library is installed here; None in sys.modules is how Python marks one that is not.
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(NvmlError, match=r"pip install 'tallystick\[nvml\]'"):
        read_gpus(7)
