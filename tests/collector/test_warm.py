from collector.batch.fast import FastDecoder
from collector.batch.warm import warm


def test_warming_leaves_nothing_to_compile_and_learns_both_signals() -> None:
    decoder = FastDecoder(seed=1)

    warm(decoder)

    assert {signal.value for signal, _ in decoder._classes} == {"traces", "logs"}
    assert all(not known.is_odd for known in decoder._classes.values())
