"""Usage objects that clients put into one attribute: a map, JSON, or a dictionary as Python prints.

value -> map -> the first shape that fits -> what it reports, details inside their totals
"""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from collector.dialect.dissect import Reported, count_of
from collector.dialect.usage_shape import NESTS, SHAPES, Paths, Shape

MAX_LENGTH = 20_000
"""A longer text is no usage object."""

Object = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Told:
    """What a usage object reports, and its two totals as it writes them."""

    reported: Reported
    bare_input: int | None = None
    """Without what the provider counts beside it; clients repeat this number in attributes."""
    bare_output: int | None = None


def usage_object(value: object, *, is_whole: bool = False) -> Told:
    """Return what a usage object reports; nothing where the value is none.

    Counts beside a total are added to it here, so that all objects come out alike; but not where
    the client that wrote it is known to have added them.

    >>> told = usage_object("{'input_tokens': 5, 'cache_read_input_tokens': 4}")
    >>> told.reported.input, told.reported.cached, told.bare_input
    (9, 4, 5)
    """
    return _first_told(object_of(value), ("", *NESTS), is_whole=is_whole)


def answer_usage(answer: Object) -> Told:
    """Return what the usage inside a whole answer reports, of which only details may be used.

    What an answer says beside its usage was written by a model: it must not look like usage.
    """
    return _first_told(answer, NESTS)


def completed(reported: Reported, told: Told, *, may_total: bool = True) -> Reported:
    """Return what attributes report, with what only an object beside them tells.

    An object speaks of the same call only if it agrees on the input, and on the output's details
    only if it agrees on the output. Attributes that repeat its bare total leave out what it counts
    beside that: then its whole total holds. An object that contradicts itself is taken only where
    there is nothing else, with its doubt.
    """
    other = told.reported
    if other.total is not None:
        return other if reported.is_silent and may_total else reported
    if _contradicts(reported.input, other.input, told.bare_input):
        return reported
    if reported.input is not None or may_total:
        reported = _with_input(reported, other)
    if _contradicts(reported.output, other.output, told.bare_output):
        return reported
    return _with_output(reported, other) if reported.output is not None or may_total else reported


def object_of(value: object) -> Object:
    """Return a value as a map, parsed where it is text; empty where it is none."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str) or len(value) > MAX_LENGTH or not value.lstrip().startswith("{"):
        return {}
    return _parsed(value)


def at(found: object, path: str) -> object:
    """Return what lies at a path of nested maps, or None; the empty path leads nowhere else."""
    for name in path.split(".") if path else ():
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def has(found: object, path: str) -> bool:
    """Whether a path of nested maps leads to anything, be it None."""
    nest, _, name = path.rpartition(".")
    holder = at(found, nest)
    return isinstance(holder, Mapping) and name in holder


def _contradicts(mine: int | None, whole: int | None, bare: int | None) -> bool:
    return mine is not None and whole is not None and mine not in {whole, bare}


def _with_input(reported: Reported, other: Reported) -> Reported:
    return replace(
        reported,
        input=_first(other.input, reported.input),
        cached=_first(reported.cached, other.cached),
        written=_first(reported.written, other.written),
        written_5m=_first(reported.written_5m, other.written_5m),
        written_1h=_first(reported.written_1h, other.written_1h),
        is_whole=reported.is_whole or other.input is not None,
    )


def _with_output(reported: Reported, other: Reported) -> Reported:
    return replace(
        reported,
        output=_first(other.output, reported.output),
        reasoning=_first(reported.reasoning, other.reasoning),
        is_output_whole=reported.is_output_whole or other.output is not None,
    )


@lru_cache(maxsize=64)
def _parsed(text: str) -> Object:
    """Return the map that a text holds; cached, for several rules look at the same one."""
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return MappingProxyType(found) if isinstance(found, dict) else {}
    return {}


def _first(mine: int | None, other: int | None) -> int | None:
    return other if mine is None else mine


def _first_told(found: Object, nests: Paths, *, is_whole: bool = False) -> Told:
    told = (_told(at(found, nest), is_whole=is_whole) for nest in nests)
    return next((one for one in told if one is not None), Told(Reported()))


def _told(found: object, *, is_whole: bool) -> Told | None:
    if not isinstance(found, Mapping):
        return None
    shape = next((s for s in SHAPES if any(at(found, m) is not None for m in s.marks)), None)
    if shape is None:
        return None
    inside = replace(shape, is_cache_beside=False, is_reasoning_beside=False)
    return _read(found, inside if is_whole else shape)


def _read(found: Object, shape: Shape) -> Told:
    bare_input, bare_output = _count(found, shape.input), _count(found, shape.output)
    reported = Reported(
        input=bare_input,
        output=bare_output,
        total=_count(found, shape.total),
        cached=_count(found, shape.cached),
        written=_count(found, shape.written),
        written_5m=_count(found, shape.written_5m),
        written_1h=_count(found, shape.written_1h),
        reasoning=_count(found, shape.reasoning),
    )
    too = _count(found, shape.beside_input) or 0
    return Told(_placed(reported.with_beside(too, 0), shape), bare_input, bare_output)


def _placed(reported: Reported, shape: Shape) -> Reported:
    """Return counts with their details inside: by the object's total, else as the shape has it."""
    by_total = reported.settled()
    if reported.total is not None and shape.is_total_whole and by_total.total is None:
        return by_total
    cache = reported.input_details if shape.is_cache_beside else 0
    thoughts = (reported.reasoning or 0) if shape.is_reasoning_beside else 0
    return reported.with_beside(cache, thoughts).settled()


def _count(found: Object, paths: Paths) -> int | None:
    return next((c for path in paths if (c := count_of(at(found, path))) is not None), None)
