"""Garbage collection of a process that lives long: seldom, and never of what it began with."""

import gc

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 20


def collect_seldom() -> None:
    """Leave alone all objects that there are, and look at new ones by the ten thousand.

    Rating makes objects by the million and hardly a cycle among them; looking for cycles after
    every seven hundred, with all modules among the old ones, took a quarter of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
