import io
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from pricing.bills.bill import Bill
from pricing.shapes.font_store import NoFontError, _fonts, by_coverage, font_files, missing
from pricing.shapes.pdf import MissingGlyphError, pdf, printed_json
from pricing.statement.seen import seen
from pricing.statement.statement import Statement, statement_of
from pricing.statement.words import Language

ZONE = "Asia/Shanghai"


@pytest.fixture(scope="session")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A folder with one font that draws Chinese."""
    system = Path("/usr/share/fonts")
    folder = tmp_path_factory.mktemp("fonts")
    for path in font_files([system]) if any(system.rglob("*.tt[cf]")) else []:
        if not missing("账单 statement 01", [path.parent]):
            shutil.copy(path, folder)
            return [folder]
    pytest.skip("no font that draws Chinese is installed in /usr/share/fonts")


def words_of(made: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(made)).pages)


def named(bill: Bill, name: str) -> Statement:
    rows = tuple({**row, "x_ContractId": name} for row in bill.lines)
    return statement_of(replace(bill, lines=rows), Language.ENGLISH, ZONE)


@pytest.mark.parametrize("language", list(Language))
def test_a_statement_prints_its_total_and_repeats_its_bytes(
    bill: Bill, fonts: list[Path], language: Language
) -> None:
    said = statement_of(bill, language, ZONE)

    made = pdf(said, fonts)

    text = words_of(made)
    assert made == pdf(said, fonts)
    assert text.count(f"{bill.payable:,f}") >= 3
    assert "发票" not in text
    assert all(f"{item.amount:,f}" in text for part in said.sections for item in part.items)


def test_a_long_statement_repeats_its_header_and_counts_its_pages(
    bill: Bill, fonts: list[Path]
) -> None:
    said = statement_of(bill, Language.ENGLISH, ZONE)
    [section, *_] = said.sections
    long = replace(section, items=section.items * 120)

    pages = PdfReader(io.BytesIO(pdf(replace(said, sections=(long,)), fonts))).pages

    assert len(pages) > 2
    assert all("Unit price" in page.extract_text() for page in pages[1:-1])
    assert f"Page {len(pages)} / {len(pages)}" in pages[-1].extract_text()


def test_a_character_that_no_font_draws_is_named(bill: Bill, fonts: list[Path]) -> None:
    with pytest.raises(MissingGlyphError, match=r"found none for '😀' \(U\+1F600\)"):
        pdf(named(bill, "a😀"), fonts)


def test_folders_without_a_font_are_refused(bill: Bill, tmp_path: Path) -> None:
    with pytest.raises(NoFontError, match="must name folders with fonts"):
        pdf(named(bill, "a"), [tmp_path])


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from(['#panic("x")', "*bold* _x_ $1$", '"]}', "\\", "=1+1", "a" * 200, "x\u202ey"])
    | st.text(st.characters(min_codepoint=1, max_codepoint=126), max_size=60)
)
def test_a_name_is_printed_and_never_run(bill: Bill, fonts: list[Path], name: str) -> None:
    text = words_of(pdf(named(bill, name), fonts))

    printed = "".join(text.split())
    assert "".join(seen(name).split()) in printed.replace("\u200b", "")


def test_what_cannot_be_seen_is_spelled_out(bill: Bill) -> None:
    said = printed_json(named(bill, "\u202ea\x00"))

    assert [part["contract"] for part in said["sections"]] == ["[U+202E]a[U+0000]"]
    assert (
        sum(Decimal(part["amount"].replace(",", "")) for part in said["sections"]) == bill.payable
    )


def test_the_font_that_draws_most_of_a_text_comes_first(fonts: list[Path]) -> None:
    [path] = font_files(fonts)
    own = next(iter(by_coverage("账", _names(path), fonts)))

    assert by_coverage("账单 01", ["A font of nobody", own], fonts) == [own, "A font of nobody"]


def _names(path: Path) -> list[str]:
    return [name for font in _fonts(path) for name in sorted(font.names)]


def test_a_font_without_a_name_or_a_character_map_has_none(tmp_path: Path) -> None:
    (tmp_path / "empty.ttf").write_bytes(b"\0\1\0\0" + bytes(8))

    assert _names(tmp_path / "empty.ttf") == []
    assert missing("a", [tmp_path]) == ["a"]


def test_classes_of_tokens_are_told_in_the_language_of_the_statement(bill: Bill) -> None:
    told = {language: dict(statement_of(bill, language, ZONE).tokens) for language in Language}

    assert told[Language.ENGLISH]["Input Tokens"] == told[Language.CHINESE]["输入Token"]
