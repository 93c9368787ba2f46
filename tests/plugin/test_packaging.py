"""What is installed in other people's processes: our package alone, on old Pythons, and quiet."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from plugin.receiver import Receiver
from tallystick_otel.asgi import Watch
from tallystick_otel.conventions import (
    CANCELLED,
    CLIENT_GONE,
    DROPPED,
    DURATION_NS,
    ENGINE_SCOPE,
    EVENT_ID,
    EVENT_NAME,
    PRODUCER,
    SCOPE,
    SEQUENCE,
)
from tallystick_otel.instruments import COUNTERS
from tallystick_otel.meter import Options, install

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "collector" / "plugin"
MODULES = sorted((PLUGIN / "tallystick_otel").glob("*.py"))
ENVIRONMENT = PLUGIN / "tallystick_otel" / "environment.py"
HOSTS = {"exporter"}
"""Modules that can only be imported beside their host."""


def built(project: Path, folder: Path) -> zipfile.ZipFile:
    (wheel,) = WheelBuilder(str(project)).build(directory=str(folder), versions=["standard"])
    return zipfile.ZipFile(wheel)


def test_the_wheel_holds_our_package_and_nothing_else(tmp_path: Path) -> None:
    with built(PLUGIN, tmp_path) as wheel:
        names = set(wheel.namelist())
        info = next(n for n in names if n.endswith("entry_points.txt"))
        entry_points = wheel.read(info).decode()
        metadata = wheel.read(info.replace("entry_points.txt", "METADATA")).decode()

    code = {n for n in names if not n.startswith("tallystick_otel-0.1.0.dist-info/")}
    assert code == {f"tallystick_otel/{p.name}" for p in MODULES} | {"tallystick_otel/py.typed"}
    assert (
        "[opentelemetry_logs_exporter]\ntallystick = tallystick_otel.exporter:UsageExporter"
        in entry_points
    )
    assert (
        "[vllm.stat_logger_plugins]\ntallystick = tallystick_otel.vllm:UsageStatLogger"
        in entry_points
    )
    assert "Requires-Dist: opentelemetry-api" in metadata
    assert metadata.count("Requires-Dist") == 1
    assert "Requires-Python: >=3.9" in metadata


def test_the_wheel_of_the_service_does_not_hold_the_plugin(tmp_path: Path) -> None:
    with built(ROOT, tmp_path) as wheel:
        names = wheel.namelist()

    assert "collector/dialect/normalise.py" in names
    assert [n for n in names if "tallystick_otel" in n or "collector/plugin" in n] == []


IMPORT_ALL = """
import importlib, logging, os, sys, threading
before = set(sys.modules)
environment = dict(os.environ)
class Unread(dict):
    def _refuse(self, *_):
        raise AssertionError("an import must not read the environment")
    __getitem__ = get = __contains__ = _refuse
for host in ("litellm", "vllm"):
    sys.modules[host] = None
importlib.import_module("opentelemetry.trace")
importlib.import_module("opentelemetry.context").get_current()
importlib.import_module("opentelemetry.metrics")
threads = threading.active_count()
def refuse_sockets(event, _):
    assert event != "socket.__new__", "an import must not open a socket"
sys.addaudithook(refuse_sockets)
os.environ = Unread()
for name in sys.argv[1].split(","):
    importlib.import_module("tallystick_otel." + name)
os.environ = environment
assert threading.active_count() == threads
ours = {n.partition(".")[0] for n in set(sys.modules) - before}
assert not ours & {"collector", "metering", "pricing", "tallystick", "fastapi", "sqlmodel"}, ours
assert not logging.getLogger("tallystick_otel").handlers
"""


def test_importing_does_nothing_and_needs_only_the_api() -> None:
    """With -S nothing is installed; only the folder of the OTel API is put on the path."""
    site = next(p for p in sys.path if (Path(p) / "opentelemetry" / "trace").is_dir())
    names = ",".join(p.stem for p in MODULES if p.stem not in HOSTS)
    done = subprocess.run(
        [sys.executable, "-S", "-c", IMPORT_ALL, names],
        env={"PYTHONPATH": f"{PLUGIN}{os.pathsep}{site}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.stem)
def test_a_module_is_written_in_python_3_9(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"), feature_version=(3, 9))
    slotted = [n for n in ast.walk(tree) if isinstance(n, ast.keyword) and n.arg == "slots"]
    unions = [n for n in ast.walk(tree) if is_type_union(n)]

    assert (slotted, unions) == ([], [])


def is_type_union(node: ast.AST) -> bool:
    """Whether a node is an annotation with ``|``, which Python 3.9 cannot evaluate."""
    annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
    return annotation is not None and any(isinstance(n, ast.BitOr) for n in ast.walk(annotation))


EXPORT = """
import logging
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry._logs import LogRecord, get_logger, get_logger_provider
_OTelSDKConfigurator().configure()
def told(name, **attributes):
    get_logger("some.sdk").emit(LogRecord(
        timestamp=1_790_000_000_000_000_000, event_name=name, attributes=attributes))
told("tallystick.usage", **{
    "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5, "gen_ai.response.id": "c1",
    "gen_ai.input.messages": "a secret", "gen_ai.response.finish_reasons": ["stop"],
    "some.text": "x" * 501, "tallystick.event.id": "theirs"})
told("some.other.event", **{"gen_ai.usage.input_tokens": 7})
get_logger("app").emit(LogRecord(body="an ordinary line"))
get_logger_provider().shutdown()
"""


def test_the_sdk_finds_the_exporter_by_its_name(
    receiver: Receiver, tmp_path: Path, folder: Path
) -> None:
    """OTEL_LOGS_EXPORTER=tallystick, in a process where our wheel is installed."""
    with built(PLUGIN, tmp_path) as wheel:
        wheel.extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-c", EXPORT],
        env={
            "PYTHONPATH": str(tmp_path / "site"),
            "OTEL_LOGS_EXPORTER": "tallystick",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=g,tallystick.pool=shared",
            "TALLYSTICK_ENDPOINT": receiver.address,
            "TALLYSTICK_OUTBOX": str(folder),
            "TALLYSTICK_INGEST_KEY": "k1",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    (record,) = receiver.accepted
    assert record["scope"] == "some.sdk"
    assert record["time"] == 1_790_000_000_000_000_000
    assert record["gen_ai.usage.input_tokens"] == 5
    assert record["gen_ai.response.finish_reasons"] == ["stop"]
    assert record["tallystick.pool"] == "shared"
    assert record["tallystick.producer.sequence"] == 1
    assert record["tallystick.event.id"] != "theirs"
    assert not record.keys() & {"gen_ai.input.messages", "some.text"}
    assert receiver.headers[0]["Authorization"] == "Bearer k1"


def test_the_plugin_has_the_version_and_licence_that_it_says() -> None:
    said = tomllib.loads((PLUGIN / "pyproject.toml").read_text("utf-8"))["project"]

    assert said["license"] == "Apache-2.0"
    assert said["dependencies"] == ["opentelemetry-api>=1.20"]


def test_the_reference_names_all_that_the_plugin_offers() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    section = reference.partition("\n## The plugin\n")[2].partition("\n## ")[0]
    names = {EVENT_ID, PRODUCER, SEQUENCE, DROPPED, DURATION_NS, EVENT_NAME, SCOPE, ENGINE_SCOPE}
    names |= {*COUNTERS, *(f.name for f in fields(Options)), *(f.name for f in fields(Watch))}
    names |= {*signature(install).parameters, CLIENT_GONE, CANCELLED}
    names |= set(re.findall(r'"(TALLYSTICK_\w+|OTEL_\w+)"', ENVIRONMENT.read_text("utf-8")))

    assert len(names) > 30
    assert {name for name in names if f"`{name}`" not in section} == set()
