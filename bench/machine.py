"""What the figures were measured on."""

import os
import platform
from pathlib import Path

from bench.figure import Entry

_SELF = Path("/proc/self/status")
_CPU = Path("/proc/cpuinfo")
_MEMORY = Path("/proc/meminfo")


def machine() -> Entry:
    """Return what is known of this machine that figures depend on."""
    return {
        "cpu": _said_in(_CPU, "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(_said_in(_MEMORY, "MemTotal").split()[0]) / 2**20, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def load_average() -> float:
    """Return how many programs ran or waited to run, averaged over the last minute."""
    return round(os.getloadavg()[0], 2)


def memory_mib(name: str) -> int:
    """Return what the kernel says of this process's memory: VmRSS now, VmHWM at most so far."""
    return int(_said_in(_SELF, name).split()[0]) // 1024


def _said_in(path: Path, name: str) -> str:
    """Return what stands behind a name in one of the kernel's lists."""
    pairs = (line.partition(":") for line in path.read_text().splitlines())
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")
