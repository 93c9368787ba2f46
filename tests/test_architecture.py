"""Rules about the shape of the code that no linter knows."""

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("collector", "metering", "pricing", "tallystick")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

CLOCK = ROOT / "tallystick" / "clock.py"
SETTINGS = ROOT / "tallystick" / "settings.py"
SERVER = ROOT / "tallystick" / "server.py"
MIGRATIONS = ROOT / "tallystick" / "migrations"
PAYLOADS = ROOT / "tests" / "payloads"
PLUGIN = ROOT / "collector" / "plugin"
GUEST_SETTINGS = PLUGIN / "tallystick_otel" / "environment.py"
"""A guest in other programs has its own clock, and one module that reads its own variables."""

READS_CLOCK = re.compile(
    r"""
    (datetime\.)?datetime\.(now|utcnow|today)
    | (datetime\.)?date\.today
    | time\.(time|time_ns|localtime|gmtime|ctime|monotonic|monotonic_ns|perf_counter
            |perf_counter_ns|process_time|process_time_ns|sleep)
    """,
    re.VERBOSE,
)
WAITS = {"time.monotonic", "time.sleep"}
"""How long to wait for a thread is no reading of the time of day."""

READS_ENVIRONMENT = re.compile(r"os\.(environ|environb|getenv|getenvb)|pydantic_settings\..*")

REGISTRIES = re.compile(
    "|".join(
        re.escape(name)
        for name in (
            "pypi" + ".org",
            "python" + "hosted.org",
            "registry.npm" + "js.org",
            "mirrors." + "aliyun.com",
            "tuna.tsinghua" + ".edu.cn",
            "--index" + "-url",
            "--extra-index" + "-url",
            "--find" + "-links",
        )
    )
)
MACHINE_PATH = re.compile(r"(?<![\w./~-])/(work|home|root|Users|opt)/\w")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def test_no_python_file_is_longer_than_400_lines() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in python_files()
        if (n := len(p.read_text().splitlines())) > MAX_FILE_LINES
    }

    assert long == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{where(path, node)} {node.name}"
        for path in python_files()
        if MIGRATIONS not in path.parents  # a flat list of columns, never edited again
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]

    assert long == []


def test_every_module_has_a_docstring() -> None:
    silent = [
        str(p.relative_to(ROOT)) for p in product_files() if not ast.get_docstring(tree_of(p))
    ]

    assert silent == []


def test_every_public_class_and_function_has_a_docstring() -> None:
    silent = [
        f"{where(path, node)} {node.name}"
        for path in product_files()
        if MIGRATIONS not in path.parents  # a migration's docstring is its module's
        for node in public_definitions(tree_of(path))
        if not ast.get_docstring(node)
    ]

    assert silent == []


def test_a_package_file_holds_only_a_docstring() -> None:
    full = [
        str(p.relative_to(ROOT))
        for p in product_files()
        if p.name == "__init__.py" and (len(tree_of(p).body) != 1 or not p.read_text().strip())
    ]

    assert full == []


def test_only_one_module_reads_the_clock() -> None:
    readers = [
        f"{where(path, node)} {name}"
        for path in product_files()
        if path != CLOCK and PLUGIN not in path.parents
        for node, name in names_in(tree_of(path))
        if READS_CLOCK.fullmatch(name) and not (path == SERVER and name in WAITS)
    ]

    assert readers == []


def test_only_one_module_reads_the_environment() -> None:
    readers = [
        f"{where(path, node)} {name}"
        for path in product_files()
        if path not in {SETTINGS, GUEST_SETTINGS}
        for node, name in names_in(tree_of(path))
        if READS_ENVIRONMENT.fullmatch(name)
    ]

    assert readers == []


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    named = [
        f"{path.relative_to(ROOT)}:{number} {found.group()}"
        for path in tracked_files()
        if not (path.suffix == ".pb" and PAYLOADS in path.parents)  # captured as it was sent
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1)
        for found in (REGISTRIES.search(line), MACHINE_PATH.search(line))
        if found
    ]

    assert named == []


def test_all_packages_come_from_one_place() -> None:
    places = {
        name: Path(importlib.import_module(name).__file__ or "").parents[1] for name in PACKAGES
    }

    assert places == dict.fromkeys(PACKAGES, ROOT)


def python_files() -> list[Path]:
    """Return our Python files, tests included."""
    return product_files() + sorted((ROOT / "tests").rglob("*.py"))


def product_files() -> list[Path]:
    """Return the Python files that are installed."""
    found = sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))
    assert len(found) > 30
    return found


def tracked_files() -> list[Path]:
    """Return the files that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert ROOT / "pyproject.toml" in found
    return [p for p in found if p.is_file()]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def public_definitions(node: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """Yield classes and functions of a module, and methods of its classes, that others may use."""
    for child in node.body:
        if isinstance(child, Definition) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public_definitions(child)


def names_in(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield every dotted name that a module uses, spelt in full whatever its import calls it."""
    meanings: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            meanings |= {a.asname: a.name for a in node.names if a.asname}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                meanings[alias.asname or alias.name] = full
                yield node, full
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (name := dotted(node)):
            first, point, rest = name.partition(".")
            yield node, meanings.get(first, first) + point + rest


def dotted(node: ast.expr) -> str:
    """Return a chain of names as text, or nothing where it hangs on something else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""
