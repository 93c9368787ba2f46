"""How long `tallystick serve` takes until it answers, and until it has acknowledged a body."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.end_to_end import BIG, load_of
from bench.figure import Entry, at_most, median
from bench.generator import Generator
from bench.running import Running

WARM_SECONDS = 3.0
_COMPILED = "NUMBA_CACHE_DIR"


def starting(generator: Generator, runs: int) -> Entry:
    """Start a service that nothing was compiled for, then the same again, warm."""
    with TemporaryDirectory() as folder, TemporaryDirectory() as compiled:
        environment = {_COMPILED: compiled}
        cold, *warm = [_start(generator, Path(folder), environment) for _ in range(runs + 1)]
    return {
        "cold": {"healthy_seconds": cold[0], "first_body_seconds": cold[1]},
        "warm": {
            "healthy_seconds": at_most(WARM_SECONDS, median((one[0] for one in warm), 2)),
            "first_body_seconds": median((one[1] for one in warm), 2),
            "runs": [one[0] for one in warm],
        },
    }


def _start(generator: Generator, folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Return seconds until /healthz answered, and from then until a first body was on disk."""
    with Running(folder, environment) as service:
        generator.prepare(load_of(service, BIG, 1))
        began = time.perf_counter()
        generator.begin()
        generator.wait()
        return round(service.seconds_to_answer, 2), round(time.perf_counter() - began, 2)
