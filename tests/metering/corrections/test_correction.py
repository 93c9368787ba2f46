import pytest
from builders import event
from hypothesis import given
from hypothesis import strategies as st

from metering.arrival import Arrival
from metering.corrections.correction import (
    ChangeError,
    Correction,
    EmptyTargetError,
    Kind,
    Target,
    UnsignedError,
    amended,
    effective,
)
from metering.event import Outcome, Quality
from metering.rollup import fold

ONE = event("e1", tenant="acme", fresh=9, output=3)


def correction(kind: Kind = Kind.VOID, **changes: str | int) -> Correction:
    return Correction(
        id="c1",
        kind=kind,
        target=Target(requests=("r1",)),
        actor="li",
        reason="a test",
        changes=tuple(changes.items()),
    )


@given(st.permutations([ONE, event("e2", fresh=4), event("e3", output=2)]))
def test_a_void_event_is_as_if_it_had_never_been_sent(sent: list[object]) -> None:
    arrivals = [Arrival(e, at) for at, e in enumerate(sent)]  # type: ignore[arg-type]
    without = [a for a in arrivals if a.event != ONE]

    assert fold(arrivals, {ONE.event_id: [correction()]}) == fold(without)


def test_a_void_record_lets_the_other_record_of_its_call_bill() -> None:
    gateway = event("gw", call="r1", rank=1, fresh=5)
    client = event("app", call="r1", rank=10, fresh=6)
    arrivals = [Arrival(gateway, 1), Arrival(client, 2)]

    assert [s.fresh for s in fold(arrivals).values()] == [5]
    voided = fold(arrivals, {gateway.event_id: [correction()]})
    assert [s.fresh for s in voided.values()] == [6]


def test_counts_that_someone_sets_are_accepted_ones() -> None:
    unknown = event("e1", quality="unknown")
    told = amended(unknown, {"output": 7})

    assert told.tokens.output == 7
    assert told.qualities.output is Quality.ACCEPTED
    assert told.quality is Quality.UNKNOWN  # the input is not known still
    assert amended(told, {"fresh": 1}).quality is Quality.ACCEPTED


def test_accepting_settles_every_count_that_was_in_doubt() -> None:
    guessed = event("e1", quality="estimated", fresh=5)
    accepted = amended(guessed, {"accept": 1})

    assert accepted.tokens == guessed.tokens
    assert accepted.quality is Quality.ACCEPTED
    assert accepted.qualities.cached is Quality.MEASURED
    assert not guessed.quality.is_settled
    assert accepted.quality.is_settled


def test_whom_usage_belongs_to_can_be_mended() -> None:
    mended = amended(ONE, {"tenant": "umbra", "model": "qwen3-14b", "outcome": "timeout"})

    assert mended.source.tenant == "umbra"
    assert (mended.call.model, mended.call.outcome) == ("qwen3-14b", Outcome.TIMEOUT)
    assert mended.quality is Quality.MEASURED


def test_corrections_follow_one_another_and_a_void_is_the_last_word() -> None:
    arrivals = [Arrival(ONE, 1)]
    first, then = correction(Kind.AMEND, fresh=1), correction(Kind.AMEND, fresh=2)

    assert effective(arrivals, {ONE.event_id: [first, then]})[0].tokens.fresh == 2
    assert effective(arrivals, {ONE.event_id: [first, correction(), then]}) == []


def test_of_contradicting_arrivals_another_than_the_first_can_be_taken() -> None:
    mended = event("e1", tenant="acme", fresh=10, output=3)
    arrivals = [Arrival(ONE, 1), Arrival(mended, 2)]

    taken = effective(arrivals, {ONE.event_id: [correction(Kind.TAKE, stored_at=2)]})
    missing = effective(arrivals, {ONE.event_id: [correction(Kind.TAKE, stored_at=3)]})

    assert taken == [mended]
    assert missing == [ONE]


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        (Kind.VOID, {"fresh": 1}, "a void changes nothing else"),
        (Kind.AMEND, {}, "an amendment changes some of"),
        (Kind.AMEND, {"colour": "red"}, "an amendment changes some of"),
        (Kind.AMEND, {"fresh": -1}, "a token count is 0 to"),
        (Kind.AMEND, {"fresh": "many"}, "a token count is 0 to"),
        (Kind.AMEND, {"fresh": 2**40}, "a token count is 0 to"),
        (Kind.AMEND, {"fresh": True}, "a token count is 0 to"),
        (Kind.AMEND, {"outcome": "fine"}, "an outcome is one of"),
        (Kind.AMEND, {"accept": 2}, "accept is 1"),
        (Kind.AMEND, {"tenant": 5}, "tenant is a text"),
        (Kind.TAKE, {"fresh": 1}, "stored_at of one event is taken"),
    ],
)
def test_what_cannot_be_changed_is_refused(
    kind: Kind, changes: dict[str, str | int], said: str
) -> None:
    with pytest.raises(ChangeError, match=said):
        correction(kind, **changes)


def test_a_correction_is_signed_and_about_something() -> None:
    with pytest.raises(EmptyTargetError, match="must name requests or a period"):
        Target()
    with pytest.raises(UnsignedError, match="an actor and a reason"):
        Correction("c1", Kind.VOID, Target(requests=("r",)), actor="li", reason=" ")
