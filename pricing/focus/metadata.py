"""What is delivered beside FOCUS data, not in it: who made it, how complete it is, its columns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from metering.period import Period
from pricing.focus.column import Column, Type, cell, schema_name

DATA_TYPES = {
    Type.TEXT: "STRING",
    Type.NUMBER: "DECIMAL",
    Type.INSTANT: "DATETIME",
    Type.JSON: "JSON",
}
"""How metadata name types."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a bundle covers, and how far it goes."""

    provider: str
    month: Period
    name: str
    """Of the month, as in 202610."""
    as_of: datetime
    is_complete: bool
    """Whether no bill of the month can change any more."""


def metadata(made: Made, sets: Mapping[str, Sequence[Column]]) -> str:
    """Return the metadata of data sets by name, as JSON text."""
    said = {
        "DataGenerator": {"DataGenerator": made.provider},
        "DatasetInstance": [
            {
                "DatasetInstanceId": f"{made.name}-{name}",
                "DatasetInstanceName": f"{name} {made.name}",
                "FocusDatasetId": name,
            }
            for name in sets
        ],
        "Recency": [_recency(made, name) for name in sets],
        "Schema": [_schema(made, name, columns) for name, columns in sets.items()],
    }
    return json.dumps(said, ensure_ascii=False, indent=1) + "\n"


def _recency(made: Made, name: str) -> dict[str, Any]:
    as_of = cell(made.as_of)
    sector = {
        "TimeSectorStart": cell(made.month.start),
        "TimeSectorEnd": cell(made.month.end),
        "TimeSectorComplete": made.is_complete,
        "TimeSectorLastUpdated": as_of,
    }
    return {
        "DatasetInstanceId": f"{made.name}-{name}",
        "DatasetInstanceComplete": made.is_complete,
        "DatasetInstanceLastUpdated": as_of,
        "RecencyLastUpdated": as_of,
        "TimeSectors": [sector] if name == "CostAndUsage" else [],
    }


def _schema(made: Made, name: str, columns: Sequence[Column]) -> dict[str, Any]:
    return {
        "SchemaId": schema_name("1.4", name, columns),
        "DatasetInstanceId": f"{made.name}-{name}",
        "FocusVersion": "1.4",
        "CreationDate": cell(made.month.start),
        "ColumnDefinition": [
            {"ColumnName": column.name, "DataType": DATA_TYPES[column.type]} for column in columns
        ],
    }
