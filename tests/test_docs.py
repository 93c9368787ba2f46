"""What the product offers is written down, and what is written down exists."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi import FastAPI
from fastapi.routing import APIRoute

from collector.dialect import aliases, dialects
from collector.dialect.caveat import Caveat
from collector.receive import REFUSALS
from collector.workers.engine_tables import SYSTEMS
from metering.report import DIMENSIONS
from metering.signal import ORIGIN_FIELDS, SIGNALS
from tallystick.api.errors import STATUS
from tallystick.app import create_app
from tallystick.cli import app as cli
from tallystick.declared_contract import ContractDeclared, TermsDeclared
from tallystick.declared_order import OrderDeclared, OwnModelDeclared
from tallystick.settings import Settings
from tallystick.setup import (
    AccountDeclared,
    IdentityDeclared,
    ResourceDeclared,
    Setup,
    StateDeclared,
)
from tallystick.wiring import assemble

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "changes").glob("*.md")),
]
HEADINGS = ("Context", "Decision", "Consequences", "Rejected", "What enforces it")
FRAGMENT = re.compile(r"[a-z0-9-]+\.(added|changed|fixed)\.md")

_COMMAND_LINE = re.compile(r"^(?:\$ )?((?:[A-Z_]+=\S+ )*)((?:\.venv/bin/)?tallystick|make)\b(.*)$")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[FastAPI]:
    """The HTTP service over empty stores; it never listens."""
    parts = assemble(Settings(data=tmp_path, events_url="", ledger_url=""))
    yield create_app(parts)
    parts.close()


def test_every_setting_is_in_the_reference() -> None:
    wanted = {
        f"| `TALLYSTICK_{name.upper()}` | `{default_of(name)}` |" for name in Settings.model_fields
    }

    assert missing(wanted) == set()


def test_every_route_is_in_the_reference(service: FastAPI) -> None:
    routes = {
        f"`{method.upper()} {path}`"
        for path, methods in service.openapi()["paths"].items()
        for method in methods
    }
    hidden = {
        f"`{method} {route.path}`"
        for route in service.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }

    assert len(routes) >= 8
    assert missing(routes | hidden) == set()


def test_every_parameter_of_a_route_is_in_the_section_of_the_route(service: FastAPI) -> None:
    undescribed = [
        (path, parameter["name"])
        for path, methods in service.openapi()["paths"].items()
        for method, operation in methods.items()
        for parameter in operation.get("parameters", [])
        if f"`{parameter['name']}`"
        not in section_of(
            "## HTTP API" if parameter["in"] == "header" else f"### `{method.upper()} {path}`"
        )
    ]

    assert undescribed == []


def test_every_command_and_flag_is_in_the_reference() -> None:
    undescribed = [
        f"{path} {option}"
        for path, options in commands().items()
        for option in ("", *options)
        if f"`{option}" not in section_of(f"### `tallystick {path}`")
    ]

    assert len(commands()) >= 9
    assert undescribed == []


def test_every_attribute_name_is_in_the_reference() -> None:
    names = attribute_names()

    assert len(names) > 80
    assert missing({f"`{name}`" for name in names}) == set()


def test_every_scope_and_log_event_name_is_in_the_reference() -> None:
    scopes = {f"`{d.scope}`" for d in dialects.DIALECTS}
    events = {f"`{name}`" for name in aliases.LOG_EVENTS}
    operations = {f"`{name}`" for name in (*dialects.OPERATIONS, *dialects.AGGREGATES)}

    assert missing(scopes | events | operations) == set()


def test_every_caveat_is_in_the_reference() -> None:
    assert missing({f"| `{caveat}` |" for caveat in Caveat if caveat}) == set()


def test_every_error_with_a_status_is_in_the_reference() -> None:
    rows = {f"| `{kind.__name__}` | {status} |" for kind, status in STATUS}
    rows |= {f"| `{kind.__name__}` | {refusal.status} |" for kind, refusal in REFUSALS}

    assert missing(rows) == set()


def test_every_field_of_a_setup_file_is_in_the_reference() -> None:
    models = (Setup, AccountDeclared, IdentityDeclared, ResourceDeclared, StateDeclared)
    contracts = (ContractDeclared, TermsDeclared, OrderDeclared, OwnModelDeclared)
    fields = {f"`{f}`" for model in (*models, *contracts) for f in model.model_fields}

    assert missing(fields) == set()


def test_every_dimension_of_usage_is_in_the_reference() -> None:
    assert missing({f"`{name}`" for name in DIMENSIONS}) == set()


def test_every_signal_is_in_the_reference() -> None:
    rows = {
        f"| `{s.name}` | {s.unit} | {s.kind} | {s.aggregate} | {s.help} |" for s in SIGNALS.values()
    }

    assert missing(rows) == set()


def test_every_metric_name_is_in_the_reference() -> None:
    names = {f"`{row.metric}`" for system in SYSTEMS for row in system.rows}

    assert len(names) > 100
    assert missing(names | {f"`{signal}`" for signal in ORIGIN_FIELDS}) == set()


@pytest.mark.parametrize("page", DECISIONS, ids=lambda p: p.stem)
def test_a_decision_says_what_enforces_it(page: Path) -> None:
    text = page.read_text("utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    parts = re.split(r"^## .+$", text, flags=re.MULTILINE)

    assert re.fullmatch(r"\d{4}-[a-z0-9-]+", page.stem)
    assert text.startswith(f"# {page.stem[:4]} ")
    assert tuple(headings) == HEADINGS
    assert all(part.strip() for part in parts)


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]

    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 7


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_in_a_page_exist(page: Path) -> None:
    unknown = [line for line in command_lines(page) if not is_known(line)]

    assert unknown == []


def test_the_readme_shows_commands() -> None:
    lines = command_lines(ROOT / "README.md")
    shown = {" ".join(words[:2]) for line in lines if (words := shlex.split(line))}

    assert "make demo" in shown
    assert "make test" in shown
    assert {f"tallystick {name}" for name in ("serve", "apply", "ingest", "usage", "bill")} <= shown


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_in_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)\s]+)\)", page.read_text("utf-8"))
    broken = [link for link in links if not leads_somewhere(page, link)]

    assert broken == []


def test_the_readme_lists_only_folders_that_exist() -> None:
    section = (ROOT / "README.md").read_text("utf-8").partition("## Where things live")[2]
    folders = re.findall(r"^\| `([^`]+)/` \|", section, re.MULTILINE)

    assert len(folders) >= 6
    assert [f for f in folders if not (ROOT / f).is_dir()] == []


def test_a_change_is_told_in_one_sentence() -> None:
    fragments = sorted((ROOT / "changes").iterdir())
    odd = [f.name for f in fragments if not FRAGMENT.fullmatch(f.name)]
    long = [f.name for f in fragments if not is_one_sentence(f.read_text("utf-8"))]

    assert fragments
    assert (odd, long) == ([], [])


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether a link's file exists and, where it names a heading, has that heading."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def missing(wanted: set[str]) -> set[str]:
    text = REFERENCE.read_text("utf-8")
    return {name for name in wanted if name not in text}


def section_of(heading: str) -> str:
    """Return the text from a heading of the reference to the next one, heading included."""
    text = REFERENCE.read_text("utf-8")
    _, found, after = text.partition(f"\n{heading}\n")
    return found + re.split(r"^##+ ", after, maxsplit=1, flags=re.MULTILINE)[0]


def default_of(name: str) -> str:
    """Return a setting's default as the reference writes it; a hidden value is empty."""
    default = Settings.model_fields[name].default
    text = str(default.get_secret_value() if hasattr(default, "get_secret_value") else default)
    return text or "(empty)"


def commands() -> dict[str, list[str]]:
    """Return the long options of every command, by its words: ``export focus``."""
    return dict(_commands_under(typer.main.get_command(cli), ()))


def _commands_under(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    for name, child in inner.items():
        yield from _commands_under(child, (*path, name))
    if not inner or command.invoke_without_command:
        options = [o for p in command.params for o in p.opts if o.startswith("--")]
        yield " ".join(path), options


def attribute_names() -> set[str]:
    """Return every attribute that the collector looks up."""
    names = {name for group in aliases.SOURCE.values() for name in group}
    for title, value in vars(aliases).items():
        is_group = isinstance(value, tuple) and all(isinstance(v, str) for v in value)
        if title.isupper() and is_group:
            names |= set(value)
    return names


def command_lines(page: Path) -> list[str]:
    """Return the lines of a page's code blocks that run the product or make."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    shell = "".join(text for language, text in blocks if language in {"", "sh"})
    lines = shell.replace("\\\n", " ").splitlines()
    found = [_COMMAND_LINE.match(line.partition("  #")[0].strip()) for line in lines]
    return [f"{Path(m[2]).name}{m[3]}" for m in found if m]


def is_known(line: str) -> bool:
    """Whether the command and all its long options, or the make targets, exist."""
    words = shlex.split(line)[1:]
    if line.startswith("make"):
        makefile = (ROOT / "Makefile").read_text("utf-8")
        targets = [w for w in words if "=" not in w]
        return all(re.search(rf"^{re.escape(t)}:", makefile, re.MULTILINE) for t in targets)
    known = commands()
    path = next((p for p in known if words[: len(p.split())] == p.split()), None)
    flags = {w.partition("=")[0] for w in words if w.startswith("--")} - {"--help"}
    if path is None:
        return words in ([], ["--help"])
    return flags <= set(known[path])


def is_one_sentence(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Z`][^\n]*\.\n", text)) and not re.search(r"\. [A-Z]", text)
