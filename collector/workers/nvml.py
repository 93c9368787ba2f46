"""This machine's own GPUs, for nodes without an exporter: NVIDIA's driver read through NVML.

The library comes with the optional extra ``nvml``; it is imported only when it is asked for.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from metering.signal import Origin, Reading


def read_gpus(at_ns: int, target: str = "nvml", nvml: Any = None) -> list[Reading]:
    """Return what the driver tells of each GPU at ``at_ns``; a figure it lacks has no reading.

    Raises:
        NvmlError: there is no library, no driver or no answer.
    """
    nvml = nvml or _library()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise NvmlError(str(error)) from error
    try:
        origin = Origin(system="nvml", target=target)
        cards = range(nvml.nvmlDeviceGetCount())
        return [reading for i in cards for reading in _read_gpu(nvml, i, origin, at_ns)]
    except nvml.NVMLError as error:
        raise NvmlError(str(error)) from error
    finally:
        nvml.nvmlShutdown()


def _read_gpu(nvml: Any, index: int, origin: Origin, at_ns: int) -> Iterator[Reading]:
    card = nvml.nvmlDeviceGetHandleByIndex(index)
    here = replace(origin, gpu=_text(nvml.nvmlDeviceGetUUID(card)))
    for signal, read in _FIGURES.items():
        try:
            value = float(read(nvml, card))
        except nvml.NVMLError:  # this card or driver does not tell
            continue
        yield Reading(signal, at_ns, value, here)


_FIGURES: dict[str, Callable[[Any, Any], float]] = {
    "gpu_busy": lambda n, card: n.nvmlDeviceGetUtilizationRates(card).gpu / 100,
    "gpu_memory_used_bytes": lambda n, card: n.nvmlDeviceGetMemoryInfo(card).used,
    "gpu_memory_total_bytes": lambda n, card: n.nvmlDeviceGetMemoryInfo(card).total,
    "gpu_power_watts": lambda n, card: n.nvmlDeviceGetPowerUsage(card) / 1000,
    "gpu_energy_joules": lambda n, card: n.nvmlDeviceGetTotalEnergyConsumption(card) / 1000,
    "gpu_temperature_celsius": lambda n, card: n.nvmlDeviceGetTemperature(
        card, n.NVML_TEMPERATURE_GPU
    ),
}
"""Signal -> how NVML tells it: percents, milliwatts and millijoules become our units."""


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _library() -> Any:
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        raise NvmlError("no library: pip install 'tallystick[nvml]'") from None


class NvmlError(RuntimeError):
    """No GPU can be read here."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"reading local GPUs needs NVIDIA's driver and its library, found: {reason}"
        )
