"""A host process for tests that kill it, let it end, or take its disk away."""

import json
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "collector" / "plugin"))

from plugin.receiver import call
from tallystick_otel.meter import Meter, install


def main(address: str, folder: str, mode: str) -> None:
    meter = install(address, folder)
    {"kill": record_for_ever, "end": record_a_hundred, "full": fill_the_disk}[mode](meter)


def record_for_ever(meter: Meter) -> None:
    number = 0
    while True:
        number += 1
        if meter.record(call(number)):
            sys.stdout.write(".\n")
            sys.stdout.flush()


def record_a_hundred(meter: Meter) -> None:
    for number in range(100):
        meter.record(call(number))


def fill_the_disk(meter: Meter) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, most))
    kept_while_full = sum(meter.record(call(n)) for n in range(50))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    kept_after = sum(meter.record(call(n)) for n in range(50, 60))
    meter.flush(10)
    told = {
        "kept_while_full": kept_while_full,
        "kept_after": kept_after,
        "dropped": meter.dropped,
        "errors": meter.errors,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
