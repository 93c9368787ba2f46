"""Machine code that is kept on disk is of the sources that there are."""

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numba

import collector
from collector.batch.compiled import SOURCES, compiled

COLLECTOR = Path(collector.__file__).parent


def imported(path: Path) -> set[Path]:
    """Return our own modules that a module takes names from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found |= {name for name in names if name.startswith(("collector.", "metering."))}
    specs = (find_spec(name) for name in found if not _is_attribute(name))
    return {Path(spec.origin) for spec in specs if spec and spec.origin}


def _is_attribute(name: str) -> bool:
    """Whether a dotted name is something inside a module."""
    return not (COLLECTOR.parent / name.replace(".", "/")).with_suffix(".py").exists()


def test_whatever_compiled_code_takes_from_other_modules_makes_it_anew() -> None:
    """A constant of another module lies in the machine code: kept too long, it would be wrong."""
    hot = [path for path in COLLECTOR.rglob("*.py") if "\n@compiled\n" in path.read_text()]
    missing = {str(one) for path in hot for one in {path} | imported(path)} - {
        str(path) for path in SOURCES
    }

    assert len(hot) > 8
    assert not missing


def test_what_cannot_be_kept_on_disk_is_compiled_all_the_same() -> None:
    """As in a container that may write nowhere: a function without a file has no place either."""
    before = numba.config.CACHE_LOCATOR_CLASSES
    found: dict[str, Any] = {}
    exec("def twice(x):\n    return 2 * x", found)

    assert compiled(found["twice"])(21) == 42
    assert before == numba.config.CACHE_LOCATOR_CLASSES
