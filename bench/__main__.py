"""python -m bench: measure, print one JSON object, and write it to a file.

Figures are medians and ratios inside one run: compare those, not machines. What a figure should
reach stands beside it.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.appending import appending
from bench.billing import ACCOUNTS, MAX_SECONDS, QUICK_ACCOUNTS, billing
from bench.closing import EVENTS, QUICK_EVENTS, closing
from bench.decoding import decoding
from bench.end_to_end import Effort, end_to_end
from bench.endurance import Bounds, endurance
from bench.exports import LINES, QUICK_LINES, exporting
from bench.figure import Entry, at_most, missed
from bench.generator import Generator
from bench.machine import load_average, machine
from bench.query import Size, query
from bench.starting import starting

RESULTS = Path(__file__).parent / "results"
MAX_EVENT_US = 20

Part = Callable[[Generator, argparse.Namespace], Entry]
_PARTS: dict[str, Part] = {
    "decode": lambda _, args: decoding(3 if args.quick else 5),
    "start": lambda generator, args: starting(generator, 1 if args.quick else 5),
    "end_to_end": lambda generator, args: end_to_end(
        generator, Effort(1, 0.1, 5, 1) if args.quick else Effort(5, 1, 75, 3)
    ),
    "endurance": lambda generator, args: endurance(
        generator, Bounds(args.spans or (200_000 if args.quick else 10_000_000), args.minutes)
    ),
    "closing": lambda _, args: closing(QUICK_EVENTS if args.quick else EVENTS),
    "append": lambda _, args: appending(args.rows or (400_000 if args.quick else 10_000_000)),
    "plugin": lambda _, __: _plugin(),
    "billing": lambda _, args: billing(
        args.accounts or (QUICK_ACCOUNTS if args.quick else ACCOUNTS), args.ledgers
    ),
    "exports": lambda _, args: exporting(QUICK_LINES if args.quick else LINES),
    "query": lambda _, args: query(Size(10, 90, 20) if args.quick else Size()),
}


def main() -> None:
    """Run every part, or those asked for, one after the other."""
    args = _arguments()
    report: Entry = {"mode": "quick" if args.quick else "full", "machine": machine()}
    report["machine"]["load_before"] = load_average()
    with Generator() as generator:
        for name in args.only or _PARTS:
            sys.stderr.write(f"{name} ...\n")
            report[name] = _PARTS[name](generator, args)
            _write(report, args.out)
    sys.stdout.write(args.out.read_text())


def _write(report: Entry, out: Path) -> None:
    """Write what is known so far: a run takes long, and may be stopped."""
    report["machine"]["load_after"] = load_average()
    report["not_reached"] = missed(report)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a rough look within 90 seconds")
    parser.add_argument("--out", type=Path, default=RESULTS / "latest.json", help="where to write")
    parser.add_argument("--spans", type=int, default=0, help="how many to send in endurance")
    parser.add_argument("--rows", type=int, default=0, help="how many to append, say 100000000")
    parser.add_argument("--accounts", type=int, default=0, help="how many to bill, say 10000")
    parser.add_argument(
        "--ledgers", nargs="+", choices=MAX_SECONDS, default=list(MAX_SECONDS), help="of billing"
    )
    parser.add_argument("--minutes", type=float, default=15, help="how long that may take")
    parser.add_argument("--only", nargs="+", choices=_PARTS, help="parts to run; else all")
    return parser.parse_args()


def _plugin() -> Entry:
    """Return what the plugin costs its host, measured in a process like one."""
    command = [sys.executable, "-m", "bench.plugin"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own
    found: Entry = json.loads(done.stdout)
    found.pop("machine", None)
    found["microseconds_per_event"] = at_most(MAX_EVENT_US, found["microseconds_per_event"])
    return found


if __name__ == "__main__":
    main()
