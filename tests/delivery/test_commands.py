"""Deliveries by command and over HTTP, through a real service inside the command."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pricing.focus.parquet import schema_id
from tallystick.cli import app

pytest.importorskip("obstore", reason="the extra `storage` is not installed")

MONTH = ("--month", "2026-10")


@pytest.fixture(autouse=True)
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service opens inside the command: settings come from the environment there."""
    monkeypatch.setenv("TALLYSTICK_DATA", str(tmp_path / "stores"))
    monkeypatch.setenv("TALLYSTICK_PORT", "1")


def deliver(*words: str) -> str:
    done = CliRunner().invoke(app, ["export", "deliver", *words, *MONTH], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


def refused(*words: str) -> str:
    done = CliRunner().invoke(app, ["export", "deliver", *words, *MONTH])
    assert done.exit_code != 0
    return str(done.exception)


def manifest(folder: Path, dataset: str = "CostAndUsage/csv", version: str = "1.2") -> Any:
    path = folder / f"focus/v{version}/{dataset}/BillingPeriod=2026-10/manifest.json"
    return json.loads(path.read_bytes())


def test_a_month_without_bills_is_delivered_once_and_closed(tmp_path: Path) -> None:
    out = str(tmp_path / "out")

    done = [deliver(out, *flags) for flags in ((), (), ("--closed",), ("--format", "parquet"))]

    assert ["were there already" in said for said in done] == [False, True, False, False]
    told = manifest(tmp_path / "out")
    assert (told["state"], told["sequence"], told["schema_id"]) == (
        "closed", 2, schema_id("1.2"),
    )  # fmt: skip


def test_the_service_delivers_to_where_its_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = refused()
    monkeypatch.setenv("TALLYSTICK_DELIVER_TO", str(tmp_path / "there"))
    there = deliver()
    here = deliver(str(tmp_path / "here"))

    assert without.startswith("TALLYSTICK_DELIVER_TO must name")
    assert there == here
    assert manifest(tmp_path / "there") == manifest(tmp_path / "here")


@pytest.mark.parametrize("there", [True, False])
def test_all_sets_are_delivered_each_with_its_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    monkeypatch.setenv("TALLYSTICK_DELIVER_TO", str(tmp_path / "out"))
    words = ("--all-sets", "--version", "1.4", *([] if there else [str(tmp_path / "out")]))

    first, second = deliver(*words), deliver(*words)

    names = {path.parts[-4] for path in (tmp_path / "out").rglob("manifest.json")}
    sets = {"CostAndUsage", "BillingPeriod", "InvoiceDetail", "ContractCommitment"}
    assert names == {*sets, "Metadata"}
    assert first.count("rows delivered") == second.count("were there already") == len(names)
    [file] = manifest(tmp_path / "out", "Metadata/json", "1.4")["files"]
    content = (tmp_path / "out" / file["path"]).read_bytes()
    assert sha256(content).hexdigest() == file["sha256"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("x", "--format", "json"), "format must be csv or parquet, found json"),
        (("x", "--all-sets"), "must be of 1.4 as csv, found 1.2 as csv"),
        (("x", "--all-sets", "--version", "1.4", "--format", "parquet"), "found 1.4 as parquet"),
        (("x", "--version", "9"), "must be one of 1.2, 1.4, found '9'"),
        (("x", "--account", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_delivered_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert said in refused(*words)
    assert not (tmp_path / "x").exists()
