"""An event reads back from its line of evidence, and its leaf covers all that it says."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from metering.event import Outcome, Qualities, Quality, Role, Tokens
from pricing.proof.record import Record, evidence_root, read_record, written_record
from tests.builders import T0, event

COUNTS = st.integers(0, 2**40 - 1)


@given(st.builds(Tokens, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), st.text(), st.booleans())
def test_what_is_written_reads_back(tokens: Tokens, text: str, is_choice: bool) -> None:
    told = replace(
        event("e1", tenant=text, role="witness", rank=7, outcome="aborted", caveat="sampled"),
        tokens=tokens, is_choice=is_choice, qualities=Qualities(cached=Quality.UNKNOWN),
    )  # fmt: skip
    record = Record(told, T0, ("c1",))

    again = read_record(written_record(record))

    assert again == record
    assert (again.event.role, again.event.call.outcome) == (Role.WITNESS, Outcome.ABORTED)


def test_evidence_does_not_depend_on_order_but_on_all_that_is_said() -> None:
    records = [Record(event(f"e{n}", fresh=n), T0 + n) for n in range(5)]
    leaves = [record.leaf for record in records]
    others = [*leaves[1:], Record(replace(records[0].event, dialect="x"), T0).leaf]

    assert evidence_root(leaves) == evidence_root(leaves[::-1])
    assert evidence_root(leaves) != evidence_root(others)
