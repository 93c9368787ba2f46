import pytest
from builders import event

from metering.choice import Why
from metering.event_store import EventStore, Gap
from metering.explain import UnknownRequestError, row_of


def test_every_record_of_a_request_is_shown_with_its_reason(events: EventStore) -> None:
    gateway = event("g", "2026-10-01T00:59:59Z", call="r1", rank=0, fresh=9, output=1)
    engine = event("e", "2026-10-01T01:00:00Z", call="r1", rank=41, fresh=9, output=1)
    other = event("o", call="r2", fresh=5)
    events.record([engine, other])
    events.record([gateway])

    found = events.explained("r1")

    assert [(one.verdict.event.event_id, one.verdict.why) for one in found] == [
        (gateway.event_id, Why.BILLS),
        (engine.event_id, Why.CALL),
    ]
    assert found[1].verdict.instead == gateway.event_id
    assert row_of(found[0])["why"] == "it bills its call"
    assert row_of(found[0])["fresh"] == 9


def test_a_request_is_found_by_any_of_its_ids(events: EventStore) -> None:
    said = event("a", trace="t1", span="s1", call="r1", fresh=9)
    events.record([said])
    ids = ["r1", said.trace_id.hex(), said.span_id.hex(), said.event_id.hex().upper()]

    assert all(len(events.explained(one)) == 1 for one in ids)
    with pytest.raises(UnknownRequestError, match="found 'nobody' on none"):
        events.explained("nobody")


def test_conflicts_window_and_tree_are_explained(events: EventStore) -> None:
    told = {"fresh": 9, "output": 1, "seconds": 2}
    chain = event("c", trace="t1", span="s1", dialect="lang", rank=30, **told)
    client = event("d", trace="t2", span="s2", dialect="otel", rank=10, **told)
    events.record([chain, client])
    events.record([event("d", trace="t2", span="s2", dialect="otel", rank=10, fresh=99)])
    above = event("f", trace="t3", span="s3", rank=30, fresh=4)
    below = event("g", trace="t3", span="s4", parent="s3", rank=10, fresh=4, call="r9")
    events.record([above, below])

    whys = {one.verdict.why for one in events.explained(chain.trace_id.hex())}
    assert whys == {Why.WINDOW, Why.BILLS, Why.CONFLICT}
    assert [one.verdict.why for one in events.explained("r9")] == [Why.BILLS, Why.TREE]


def test_gaps_in_the_numbers_of_a_producer_are_seen(events: EventStore) -> None:
    numbers = [2, 3, 7, 7, 9]
    told = [event(f"e{i}", producer="p", sequence=n) for i, n in enumerate(numbers)]
    events.record([*told, event("other", producer="q", sequence=1), event("none")])
    at = told[0].ended_at

    assert events.gaps() == [
        Gap("p", 1, 1, 0),
        Gap("p", 4, 6, at),
        Gap("p", 8, 8, at),
    ]


def test_gaps_of_late_are_those_between_what_ended_since(events: EventStore) -> None:
    early = [event("e1", producer="p", sequence=3)]
    late = [event(f"e{n}", f"2026-10-01T00:{n:02}Z", producer="p", sequence=n) for n in (5, 6, 8)]
    whole = [
        event(f"w{n}", f"2026-10-01T00:{n:02}Z", producer="whole", sequence=n) for n in (8, 7, 8)
    ]
    events.record([*early, *late, *whole])
    since, at = late[0].ended_at, late[1].ended_at

    assert events.gaps(since=since) == [Gap("p", 7, 7, at)]
    assert events.gaps(since=late[2].ended_at) == []
    assert [(gap.producer, gap.first, gap.last) for gap in events.gaps()] == [
        ("p", 1, 2),
        ("p", 4, 4),
        ("p", 7, 7),
        ("whole", 1, 6),
    ]
