"""Hold a FOCUS file to the official validator: python official.py FILE.

It wants packages older than ours, so it runs in an environment of its own. Three groups of its
rules for 1.2 are no rules of the specification and are mended in a copy of its model first:

- the status of a commitment must be set on all rows, where the specification says usage of one;
- the status of a capacity reservation has a condition that is not read;
- invoice ids must be null in all rows of a file or in none.

Prints the names of the rules that fail as JSON. Source: FinOps Foundation, focus-validator 2,
https://github.com/finopsfoundation/focus_validator
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VERSION = "1.2"
UNDECLARED = {"CAPACITY_RESERVATION_SUPPORTED", "AVAILABILITY_ZONE_SUPPORTED"}


def failed_rules(file: Path) -> list[str]:
    """Return the names of the rules that a file of Cost and Usage breaks."""
    import focus_validator  # type: ignore[import-not-found]  # noqa: PLC0415
    from focus_validator.validator import Validator  # type: ignore[import-not-found]  # noqa: PLC0415

    package = Path(focus_validator.__file__).parent
    path = max((package / "rules").glob(f"model-{VERSION}*.json"))
    model = json.loads(path.read_text("utf-8"))
    abilities = sorted(set(model["ApplicabilityCriteria"]) - UNDECLARED)
    with tempfile.TemporaryDirectory() as folder, _in(package.parent):
        (Path(folder) / path.name).write_text(json.dumps(_mended(model)), "utf-8")
        found = Validator(
            data_filename=str(file),
            output_destination=None,
            output_type="console",
            rule_set_path=folder,
            rules_version=VERSION,
            focus_dataset="CostAndUsage",
            rules_block_remote_download=True,
            applicability_criteria=",".join(abilities),
        ).validate()
    return sorted(name for name, result in found.by_rule_id.items() if not result["ok"])


def _mended(model: dict[str, Any]) -> dict[str, Any]:
    rules = model["ModelRules"]
    is_usage = {"CheckFunction": "CheckValue", "ColumnName": "ChargeCategory", "Value": "Usage"}
    is_committed = {
        "CheckFunction": "CheckNotValue",
        "ColumnName": "CommitmentDiscountId",
        "Value": None,
    }
    status = rules["CommitmentDiscountStatus-C-004-C"]["ValidationCriteria"]
    status["Condition"] = {"CheckFunction": "AND", "Items": [is_committed, is_usage]}
    capacity = rules["CapacityReservationStatus-C-004-C"]["ValidationCriteria"]
    capacity["Condition"] = {"CheckFunction": "AND", "Items": capacity["Condition"]["AND"]}
    for number in (3, 4, 5):
        rules[f"InvoiceId-C-00{number}-C"]["Type"] = "Dynamic"
    return dict(model)


@contextlib.contextmanager
def _in(folder: Path) -> Iterator[None]:
    """Work in a folder, and let nothing be printed: the validator reads a file relative to it."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.chdir(before)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(failed_rules(Path(sys.argv[1]).resolve())))
