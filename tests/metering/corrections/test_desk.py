import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from builders import event, hour, usage_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from metering.arrival import Arrival
from metering.corrections.corrected_store import UnknownFilterError
from metering.corrections.correction import ChangeError, Correction, Kind, Target
from metering.corrections.jobs import Desk, Effect, NoEventsError
from metering.corrections.store import (
    CorrectionStore,
    OtherCorrectionError,
    UnknownCorrectionError,
)
from metering.event import UsageEvent
from metering.event_store import EventStore
from metering.identity import Identity
from metering.identity import Kind as IdentityKind
from metering.jobs import tick
from metering.period import Period
from metering.rollup import REQUESTS, fold
from metering.store import Account, MeterStore

NOW = datetime(2026, 10, 2, tzinfo=UTC)
H0 = hour("2026-10-01T00")
DAY = Period(H0, hour("2026-10-02T00"))


@pytest.fixture
def desk(events: EventStore, ledger: Engine) -> Iterator[Desk]:
    meter = MeterStore(ledger)
    meter.put_accounts([Account("acme", "Acme")])
    meter.put_identities([Identity(IdentityKind.TENANT, "acme", "acme")])
    return Desk(events, meter, CorrectionStore(ledger), lambda: NOW)


def refreshed(desk: Desk) -> dict[str, int]:
    """Bring usage up to date and return its quantities by meter."""
    tick(desk.events, desk.meter, NOW, desk.corrections.heeded)
    return totals(desk)


def totals(desk: Desk, as_of: int | None = None) -> dict[str, int]:
    found: dict[str, int] = {}
    for usage in desk.meter.usage(DAY, as_of=as_of):
        found[usage.key.meter] = found.get(usage.key.meter, 0) + usage.quantity
    return found


def void(**target: object) -> Correction:
    return made_up(Kind.VOID, **target)


def made_up(kind: Kind, *changes: tuple[str, str | int], **target: object) -> Correction:
    about = Target(**target)  # type: ignore[arg-type]
    return Correction(uuid.uuid4().hex, kind, about, "li", "a test", changes)


def test_a_void_takes_usage_out_and_its_withdrawal_brings_it_back(desk: Desk) -> None:
    desk.events.record([event("e1", tenant="acme", call="r1", fresh=5), event("e2", fresh=2)])
    assert refreshed(desk) == {REQUESTS: 2, "fresh": 7}
    first_run = desk.meter.last_close().run

    made = desk.make(void(requests=("r1",)))
    assert refreshed(desk) == {REQUESTS: 1, "fresh": 2}
    assert totals(desk, as_of=first_run) == {REQUESTS: 2, "fresh": 7}

    desk.withdraw(made.id, "li", "it was right")
    assert refreshed(desk) == {REQUESTS: 2, "fresh": 7}
    assert [m.withdrawal is not None for m in desk.corrections.made()] == [True]


def test_a_trial_says_what_would_change_and_keeps_nothing(desk: Desk) -> None:
    desk.events.record([event(f"e{n}", tenant="acme", fresh=n, model="m") for n in range(1, 4)])
    before = refreshed(desk)

    effect = desk.tried(void(period=DAY, where=(("model", "m"),)))

    assert effect.events == 3
    assert {u.key.meter: u.quantity for u in effect.changes} == {REQUESTS: -3, "fresh": -6}
    assert refreshed(desk) == before
    assert desk.corrections.made() == []


def test_an_estimate_that_is_accepted_moves_to_accepted_usage(desk: Desk) -> None:
    guessed = event("e1", tenant="acme", fresh=5, quality="estimated", caveat="guessed")
    desk.events.record([guessed])
    desk.make(made_up(Kind.AMEND, ("accept", 1), period=DAY, where=(("caveat", "guessed"),)))
    refreshed(desk)

    assert {u.key.quality.value for u in desk.meter.usage(DAY)} == {"accepted"}


def test_what_arrives_after_a_correction_of_a_period_is_not_corrected(desk: Desk) -> None:
    desk.events.record([event("e1", tenant="acme", fresh=5)])
    desk.make(void(period=DAY))
    desk.events.record([event("e2", tenant="acme", fresh=6), event("e1", tenant="acme", fresh=5)])

    assert refreshed(desk) == {REQUESTS: 1, "fresh": 6}


def test_a_later_arrival_can_be_taken_for_the_first(desk: Desk) -> None:
    desk.events.record([event("e1", tenant="acme", fresh=5)])
    desk.events.record([event("e1", tenant="acme", fresh=50)])
    assert refreshed(desk)["fresh"] == 5
    later = desk.events.conflicts()[0]

    change = ("stored_at", later.stored_at)
    desk.make(made_up(Kind.TAKE, change, requests=(later.event_id.hex(),)))

    assert refreshed(desk)["fresh"] == 50


def test_the_same_correction_is_made_once_and_its_id_names_no_other(desk: Desk) -> None:
    desk.events.record([event("e1", fresh=5)])
    one = void(period=DAY)
    assert desk.make(one) == desk.make(one)

    with pytest.raises(OtherCorrectionError, match="must be new"):
        desk.make(Correction(one.id, Kind.VOID, one.target, "li", "another reason"))
    with pytest.raises(UnknownCorrectionError, match="must be one that was made"):
        desk.withdraw("nothing", "li", "why not")


def test_a_correction_that_comes_again_is_about_the_same_events(desk: Desk) -> None:
    desk.events.record([event("e1", tenant="acme", fresh=5)])
    one = void(period=DAY)
    desk.make(one)
    desk.events.record([event("e2", tenant="acme", fresh=7)])

    assert desk.tried(one) == Effect(1, ())
    assert desk.make(one) == desk.make(one)
    assert refreshed(desk) == {REQUESTS: 1, "fresh": 7}


def test_a_refused_correction_changes_nothing(desk: Desk) -> None:
    desk.events.record([event("e1", tenant="acme", call="r1", fresh=5)])
    desk.events.record([event("e2", tenant="acme", fresh=7)])
    one = void(requests=("r1",))
    desk.make(one)
    wider = Correction(one.id, Kind.VOID, Target(period=DAY), "li", "a test")

    for refused in (desk.make, desk.tried):
        with pytest.raises(OtherCorrectionError):
            refused(wider)
    assert refreshed(desk) == {REQUESTS: 1, "fresh": 7}


def test_marks_of_an_attempt_that_was_killed_count_for_nothing(desk: Desk) -> None:
    desk.events.record([event("e1", tenant="acme", call="r1", fresh=5)])
    desk.events.record([event("e2", tenant="acme", fresh=7)])
    one = void(requests=("r1",))
    desk.events.corrected.mark(replace(one, target=Target(period=DAY)), desk.events.cutoff())
    desk.make(one)

    assert refreshed(desk) == {REQUESTS: 1, "fresh": 7}


def test_a_trial_disturbs_no_correction_whatever_it_is_called(desk: Desk) -> None:
    desk.events.record([event("e1", tenant="acme", fresh=5)])
    one = void(period=DAY)
    desk.make(replace(one, id=f"tried-{one.id}"))
    desk.tried(one)

    assert refreshed(desk) == {}


def test_a_period_is_cut_within_a_second(desk: Desk) -> None:
    second = 1_000_000_000
    at = int(H0.timestamp()) * second
    early, late = (
        replace(event(name, tenant="acme", fresh=n), started_at=at, ended_at=at + part)
        for name, n, part in [("e1", 5, second // 5), ("e2", 7, second * 7 // 10)]
    )
    desk.events.record([early, late])
    half = Period(H0 + timedelta(microseconds=500_000), DAY.end)

    assert desk.tried(void(period=half)).events == 1
    desk.make(void(period=half))
    assert refreshed(desk) == {REQUESTS: 1, "fresh": 5}


def test_an_arrival_that_never_was_cannot_be_taken(desk: Desk) -> None:
    desk.events.record([event("e1", call="r1", fresh=5)])
    with pytest.raises(NoEventsError):
        desk.make(made_up(Kind.TAKE, ("stored_at", 7), requests=("r1",)))
    with pytest.raises(ChangeError, match="a number of nanoseconds, found '7'"):
        made_up(Kind.TAKE, ("stored_at", "7"), requests=("r1",))


def test_requests_are_named_by_any_id_and_many_at_once(desk: Desk) -> None:
    sent = [event(f"e{n}", tenant="acme", call=f"r{n}", fresh=1) for n in range(6)]
    desk.events.record(sent)
    named = [f"nobody-{n}" for n in range(900)]
    named += ["r0", sent[1].event_id.hex().upper(), sent[2].event_id.hex()]

    assert desk.tried(void(requests=tuple(named))).events == 3


def test_a_correction_of_nothing_is_refused(desk: Desk) -> None:
    desk.events.record([event("e1", fresh=5)])
    with pytest.raises(NoEventsError, match="must be about stored events"):
        desk.tried(void(requests=("nobody",)))
    with pytest.raises(UnknownFilterError, match="events are chosen by"):
        desk.tried(void(period=DAY, where=(("colour", "red"),)))


def test_a_void_record_is_explained(desk: Desk) -> None:
    desk.events.record([event("e1", call="r1", fresh=5)])
    desk.make(void(requests=("r1",)))
    heeded = desk.corrections.heeded(desk.events.cutoff())

    told = desk.events.explained("r1", heeded)

    assert [(one.verdict.bills, one.verdict.why.name) for one in told] == [(False, "VOID")]


batches = st.lists(st.lists(usage_events, min_size=1, max_size=5), min_size=1, max_size=3)
decisions = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["void", "amend"])), max_size=4)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=batches, decided=decisions)
def test_sql_and_python_agree_on_corrected_arrivals(
    events: EventStore, sent: list[list[UsageEvent]], decided: list[tuple[int, str]]
) -> None:
    for table in ("events", "sightings", "contested", "doubled", "corrected"):
        events.client.command(f"TRUNCATE TABLE {table}")
    arrivals: list[Arrival] = []
    for batch in sent:
        events.record(batch)
        arrivals += [Arrival(e, len(arrivals) + i) for i, e in enumerate(batch)]
    told = [a.event for a in arrivals]
    heeded, about = [], dict[bytes, list[Correction]]()
    for number, kind in decided:
        of = told[number % len(told)]
        changes = () if kind == "void" else (("tenant", "umbra"), ("fresh", number))
        one = made_up(Kind(kind), *changes, requests=(of.event_id.hex(),))
        events.corrected.mark(one, events.cutoff())
        heeded.append(one)
        about.setdefault(of.event_id, []).append(one)
    cutoff = events.cutoff()

    sums = events.sums(sorted(events.hours_touched(0, cutoff)), cutoff, heeded)

    assert sums == fold(arrivals, about)
