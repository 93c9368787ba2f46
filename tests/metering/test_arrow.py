"""pyarrow never imports pandas for us, and whoever wants pandas has it."""

import subprocess
import sys
from types import ModuleType

import pyarrow as pa
import pytest

from metering.arrow import without_pandas

ASKED = """
import sys
from collector.batch import columns
assert "pandas" not in sys.modules
import pandas
assert pandas.DataFrame({"a": [1]}).sum()["a"] == 1
"""


def test_no_process_of_ours_imports_pandas() -> None:
    subprocess.run([sys.executable, "-c", ASKED], check=True)


@pytest.mark.parametrize("imported", [False, True])
def test_asking_again_changes_nothing(monkeypatch: pytest.MonkeyPatch, *, imported: bool) -> None:
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    if imported:
        monkeypatch.setitem(sys.modules, "pandas", ModuleType("pandas"))
    before = list(sys.meta_path)

    without_pandas()

    assert sys.meta_path == before
    assert pa.array([1, None]).to_pylist() == [1, None]
