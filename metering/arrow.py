"""pyarrow as we use it: without pandas, of which no data of ours is."""

import sys

import pyarrow as pa


class _NoPandas:
    """Finds every module but pandas elsewhere."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def without_pandas() -> None:
    """Have pyarrow take pandas for not installed, unless it was imported before.

    pyarrow asks once, at its first array, whether that is made of a pandas object, and imports
    pandas to ask it: a quarter of a second and 40 MiB of every process. Importing pandas for
    anything else works as ever.

    Source: ``_PandasAPIShim`` in
    https://github.com/apache/arrow/blob/main/python/pyarrow/pandas-shim.pxi
    """
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(finder)
