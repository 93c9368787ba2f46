import csv
import io

import pytest

from tallystick.show import show_csv, show_rows


def test_names_from_telemetry_are_never_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"model": "Qwen3-32B[int8]", "n": 1}, {"model": "m[/x] :smile:", "n": 1_000}]

    show_rows(rows, ["model", "n"], "[bold]title[/bold]")

    shown = capsys.readouterr().out
    assert "Qwen3-32B[int8]" in shown
    assert "m[/x] :smile:" in shown
    assert "1,000" in shown


def test_csv_guards_text_and_leaves_numbers_alone(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"a": "=HYPERLINK(1)", "b": "-0.0042", "c": -5, "d": None, "e": {"k": "v"}, "f": "@x"}

    show_csv([row], list(row))

    [found] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert found == {
        "a": "'=HYPERLINK(1)", "b": "-0.0042", "c": "-5", "d": "", "e": '{"k": "v"}', "f": "'@x",
    }  # fmt: skip
