import csv
import json
import subprocess
import sys
from decimal import ROUND_DOWN, Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from beancount.loader import load_file
from conftest import ROOT
from openpyxl import load_workbook
from pyarrow import parquet
from pypdf import PdfReader

from pricing.focus.bundle import file_faults
from pricing.focus.folder import folder_faults
from pricing.focus.read import decoded
from pricing.prices.book import Item
from pricing.prices.store import shipped_book
from pricing.proof.verification import checked
from tallystick.demo.traffic import SPANS_PER_BODY, bodies, windows


def run(folder: Path, seed: int = 1) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tallystick", "demo", "--once", "--folder", str(folder),
         "--seed", str(seed), "--port", "0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("demo")
    return run(folder), folder


def test_running_it_twice_changes_nothing(demo: tuple[str, Path]) -> None:
    """A draft and its proof tell their cutoffs, which are another run's."""
    table, folder = demo
    exports = folder / "seed-1" / "exports"

    def written() -> dict[str, bytes]:
        files = {str(p.relative_to(exports)): p for p in exports.rglob("*") if p.is_file()}
        return {
            name: path.read_bytes()
            for name, path in files.items()
            if not name.startswith(("proof-", "bill-", "manifest"))
        }

    before = written()
    again = run(folder)

    assert again == table
    assert len(before) > 20
    assert written() == before


def test_the_printed_quantities_and_the_price_list_give_the_same_fen(
    demo: tuple[str, Path],
) -> None:
    exports = demo[1] / "seed-1" / "exports"
    book = shipped_book("polardb-2026")
    lines = list(csv.DictReader((exports / "focus-1.2.csv").read_text("utf-8").splitlines()))

    def consumed(contract: str) -> int:
        own = [x for x in lines if x["x_ContractId"] == contract and x["BilledCost"] != "0.0"]
        return sum(int(Decimal(x["ConsumedQuantity"])) for x in own)

    def price(item: Item, **of: str) -> Decimal:
        return book.rate_for(item, **of).price

    month = price(Item.NODE_MONTH, region="cn-hangzhou", spec="polar.pg.g8.xlarge.gu20")
    small = price(Item.TOKENS, region="cn-hangzhou", size_class="small")
    medium = price(Item.TOKENS, region="cn-shanghai", size_class="medium")
    hour = price(Item.NODE_HOUR, region="cn-wulanchabu", spec="polar.pg.g8.2xlarge.gu49")
    by_hand = {
        "acme": month + small * consumed("acme-pool") / 10_000,
        "borealis": hour * consumed("borealis-node") / 3600,
        "cygnus": medium * consumed("cygnus-pool") / 10_000,
    }
    for account, amount in by_hand.items():
        bill = json.loads((exports / f"bill-{account}-202610.json").read_text("utf-8"))
        fen = str(amount.quantize(Decimal("0.01"), ROUND_DOWN))

        assert (bill["payable"], bill["state"]) == (fen, "draft")
        assert f"{fen} (draft)" in demo[0]


def test_the_readme_shows_what_the_demo_prints(demo: tuple[str, Path]) -> None:
    printed = [" ".join(line.split()) for line in demo[0].splitlines()]
    told = (ROOT / "README.md").read_text("utf-8").partition("made up from seed 1")[2]
    table = [" ".join(line.split()) for line in told.partition("prices:")[0].splitlines()]
    rows = [row for row in table if row.startswith(("account", "acme", "borealis", "cygnus"))]

    assert len(rows) == 8
    assert [row for row in rows if row not in printed] == []


def test_a_seed_makes_one_month_and_another_seed_another() -> None:
    month = list(bodies(3))

    assert month == list(bodies(3))
    assert month[0] != next(bodies(4))
    assert windows(3) != windows(4)
    assert SPANS_PER_BODY * len(month) > 30_000


def test_the_focus_files_of_the_demo_agree_and_its_proof_checks_out(
    demo: tuple[str, Path],
) -> None:
    exports = demo[1] / "seed-1" / "exports"
    total = sum(Decimal(x["payable"]) for x in manifest_of(exports)["bills"])
    sets = {p.name: p.read_bytes() for p in (exports / "focus-1.4").iterdir()}
    rows = csv.DictReader(sets["cost_and_usage.csv"].decode().splitlines())
    table = parquet.read_table(exports / "focus-1.2.parquet")
    proof = {p.name: p.read_bytes() for p in (exports / "proof-acme-202610").iterdir()}

    assert file_faults(decoded((exports / "focus-1.2.csv").read_bytes())[0]) == []
    assert folder_faults(sets) == []
    assert sum(Decimal(row["BilledCost"]) for row in rows) == total
    assert sum(table.column("BilledCost").to_pylist()) == total
    assert checked(proof).faults == ()


def manifest_of(exports: Path) -> Any:
    return json.loads((exports / "manifest.json").read_text("utf-8"))


def test_every_shape_of_a_bill_comes_to_the_same_fen(demo: tuple[str, Path]) -> None:
    exports = demo[1] / "seed-1" / "exports"
    manifest = manifest_of(exports)

    for bill in manifest["bills"]:
        name, payable = bill["id"], Decimal(bill["payable"])
        lines = (exports / f"{name}.ndjson").read_text("utf-8").splitlines()
        instances = csv.DictReader(
            (exports / f"{name}.alibaba.csv").read_text("utf-8").splitlines()
        )
        journal = csv.DictReader((exports / f"{name}.journal.csv").read_text("utf-8").splitlines())
        sheet = load_workbook(exports / f"{name}.xlsx").worksheets[0]
        cells = {str(row[0].value): row[2].value for row in sheet.rows}
        owed = [r["debit"] for r in journal if r["account"] == "Assets:Receivable"]

        assert sum(Decimal(json.loads(line)["BilledCost"]) for line in lines) == payable
        assert sum(Decimal(row["OutstandingAmount"]) for row in instances) == payable
        assert [Decimal(amount) for amount in owed] == [payable]
        assert Decimal(str(cells["合计"])) == payable
        assert load_file(str(exports / f"{name}.beancount"))[1] == []
        if (exports / f"{name}.pdf").exists():
            page = PdfReader(exports / f"{name}.pdf").pages[0].extract_text()
            assert f"{payable:,f}" in page
    for file, digest in manifest["files"].items():
        assert sha256((exports / file).read_bytes()).hexdigest() == digest
