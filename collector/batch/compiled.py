"""How hot code is compiled: without the interpreter's lock, and kept on disk while none changes.

Numba keeps each function until its own file changes. But machine code also holds the functions and
constants of other modules, and a stale one would write where nothing is; so here a function is
kept under the contents of all modules that compiled code is made of.
"""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import (
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

from collector.dialect import aliases
from metering import event, hashing

_HERE = Path(__file__).parent
_NAMES = (
    "attributes", "compiled", "crowd", "cut", "fill", "hashes", "keys", "links", "memory",
    "resolve", "rows", "walk", "walk_record", "wire",
)  # fmt: skip
SOURCES = (
    *(_HERE / f"{name}.py" for name in _NAMES),
    *(Path(str(module.__file__)) for module in (aliases, event, hashing)),
)
"""All that machine code depends on: compiled modules, and those whose constants they hold."""


_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, or take it from disk, where there is room for it."""
    settings: Any = numba.config
    before = settings.CACHE_LOCATOR_CLASSES
    settings.CACHE_LOCATOR_CLASSES = ",".join(f"{__name__}.{c.__name__}" for c in _PLACES)
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        return numba.njit(**_OPTIONS)(function)
    finally:
        settings.CACHE_LOCATOR_CLASSES = before


@cache
def _stamp() -> str:
    digest = sha256()
    for path in SOURCES:
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _Stamped:
    """What numba compares with what it kept: the contents of all sources instead of one."""

    def get_source_stamp(self) -> str:
        return _stamp()


class InNamedFolder(_Stamped, UserProvidedCacheLocator):
    """In the folder that NUMBA_CACHE_DIR names."""


class BesideSource(_Stamped, InTreeCacheLocator):
    """In ``__pycache__``, where that can be written."""


class InHomeFolder(_Stamped, UserWideCacheLocator):
    """In the user's own cache."""


_PLACES = (InNamedFolder, BesideSource, InHomeFolder)
