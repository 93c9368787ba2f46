"""Check a folder of FOCUS 1.4: its data sets, their metadata, and the checksums of all files."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from pricing.focus.bundle import COST_AND_USAGE, bundle_faults
from pricing.focus.column import Type
from pricing.focus.columns import checked_columns
from pricing.focus.datasets import DATASETS
from pricing.focus.metadata import DATA_TYPES
from pricing.focus.package import FILES
from pricing.focus.read import decoded, is_instant

METADATA, CHECKSUMS = "metadata.json", "SHA256SUMS"
_ALSO = {Type.JSON: ("STRING",)}
"""What a type may be called besides: JSON is delivered as text."""
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_TYPES = {
    column.name: frozenset({DATA_TYPES[column.type], *_ALSO.get(column.type, ())})
    for columns in (checked_columns("1.4"), *DATASETS.values())
    for column in columns
}


def folder_faults(files: Mapping[str, bytes]) -> list[str]:
    """Return what the files of a folder break, by name; an empty list for a good folder."""
    texts = {name: decoded(files[file]) for name, file in FILES.items() if file in files}
    found = [f"{name} {fault}" for name, (_, faults) in texts.items() for fault in faults]
    found += bundle_faults({name: lines for name, (lines, _) in texts.items()})
    headers = {name: _header(lines) for name, (lines, _) in texts.items()}
    found += (f"{METADATA}: {fault}" for fault in _metadata_faults(files, headers))
    return found + list(_checksum_faults(files))


def _header(lines: Sequence[str]) -> list[str]:
    return lines[0].strip("\ufeff\r\n").split(",") if lines else []


def _checksum_faults(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield files that are not as their checksums say, or that have none."""
    if CHECKSUMS not in files:
        return
    told: set[str] = set()
    for number, line in enumerate(decoded(files[CHECKSUMS])[0], 1):
        said = _SUM.fullmatch(line.rstrip("\r\n"))
        if said is None:
            yield f"{CHECKSUMS} line {number} must be a SHA-256 and a name, found {line!r}"
            continue
        digest, name = said.groups()
        told.add(name)
        if name not in files:
            yield f"{CHECKSUMS}: {name} must be there, found none"
        elif sha256(files[name]).hexdigest() != digest:
            yield f"{CHECKSUMS}: {name} must be as it was summed, found other content"
    for name in sorted({*FILES.values(), METADATA} & files.keys() - told):
        yield f"{CHECKSUMS}: {name} must have a sum, found none"


def _metadata_faults(
    files: Mapping[str, bytes], headers: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield what metadata say that the files do not."""
    if METADATA not in files:
        yield "must be there, found none"
        return
    try:
        said = json.loads(files[METADATA])
    except ValueError as error:
        yield f"must be JSON, found that {error}"
        return
    if not isinstance(said, dict):
        yield "must be an object"
        return
    generator = said.get("DataGenerator")
    if not (isinstance(generator, dict) and generator.get("DataGenerator")):
        yield "DataGenerator must be named"
    instances: dict[str, str] = {}
    for one in _objects(said, "DatasetInstance"):
        name, dataset = str(one.get("DatasetInstanceId")), str(one.get("FocusDatasetId"))
        if name in instances:
            yield f"DatasetInstance {name} must be there once"
        if dataset not in FILES:
            yield f"DatasetInstance {name} must be of a data set of FOCUS, found {dataset!r}"
        instances[name] = dataset
    yield from _lacking("DatasetInstance", headers.keys() - set(instances.values()))
    yield from _recency_faults(said, instances)
    yield from _schema_faults(said, instances, headers)


def _objects(said: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    held = said.get(name)
    for one in held if isinstance(held, list) else []:
        yield one if isinstance(one, dict) else {}


def _lacking(what: str, names: Iterable[str]) -> Iterator[str]:
    yield from (f"{what} of {name} must be there, found none" for name in sorted(names))


def _recency_faults(said: Mapping[str, Any], instances: Mapping[str, str]) -> Iterator[str]:
    told: set[str] = set()
    for one in _objects(said, "Recency"):
        name = str(one.get("DatasetInstanceId"))
        where, sectors = f"Recency of {name}", list(_objects(one, "TimeSectors"))
        told.add(name)
        if name not in instances:
            yield f"{where} must be of a DatasetInstance"
        yield from _instant_faults(where, one, ("DatasetInstanceLastUpdated", "RecencyLastUpdated"))
        for sector in sectors:
            times = ("TimeSectorStart", "TimeSectorEnd", "TimeSectorLastUpdated")
            yield from _instant_faults(where, sector, times)
            if str(sector.get("TimeSectorStart")) >= str(sector.get("TimeSectorEnd")):
                yield f"{where}: TimeSectorStart must be before TimeSectorEnd"
        is_complete = one.get("DatasetInstanceComplete")
        if not isinstance(is_complete, bool):
            yield f"{where}: DatasetInstanceComplete must be true or false, found {is_complete!r}"
        elif is_complete and not all(s.get("TimeSectorComplete") is True for s in sectors):
            yield f"{where}: all time sectors must be complete where the data set is"
        if instances.get(name) == COST_AND_USAGE and not sectors:
            yield f"{where}: TimeSectors must be told"
    yield from _lacking("Recency", instances.keys() - told)


def _instant_faults(where: str, said: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if not is_instant(str(said.get(name))):
            found = said.get(name)
            yield f"{where}: {name} must be UTC as YYYY-MM-DDTHH:MM:SSZ, found {found!r}"


def _schema_faults(
    said: Mapping[str, Any], instances: Mapping[str, str], headers: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    told: set[str] = set()
    ids: set[str] = set()
    for one in _objects(said, "Schema"):
        name, schema = str(one.get("DatasetInstanceId")), str(one.get("SchemaId"))
        where = f"Schema of {name}"
        told.add(name)
        if name not in instances:
            yield f"{where} must be of a DatasetInstance"
        if schema in ids:
            yield f"SchemaId {schema} must be there once"
        ids.add(schema)
        if one.get("FocusVersion") != "1.4":
            yield f"{where}: FocusVersion must be 1.4, found {one.get('FocusVersion')!r}"
        yield from _instant_faults(where, one, ("CreationDate",))
        header = headers.get(instances.get(name, ""))
        if header is not None:
            yield from _definition_faults(where, one, header)
    yield from _lacking("Schema", instances.keys() - told)


def _definition_faults(
    where: str, schema: Mapping[str, Any], header: Sequence[str]
) -> Iterator[str]:
    """Yield columns of a file that its schema does not have, the reverse, and other types."""
    defined = {str(d.get("ColumnName")): d for d in _objects(schema, "ColumnDefinition")}
    for name in header:
        if name not in defined:
            yield f"{where}: {name} must be defined, found none"
    for name, definition in defined.items():
        if name not in header:
            yield f"{where}: {name} must be a column of the file, found none"
        wanted = _TYPES.get(name, frozenset(DATA_TYPES.values()))
        if definition.get("DataType") not in wanted:
            found = definition.get("DataType")
            yield f"{where}: {name} must be {' or '.join(sorted(wanted))}, found {found!r}"
