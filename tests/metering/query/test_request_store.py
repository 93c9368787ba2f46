from collections.abc import Sequence
from typing import Any

import pytest
from builders import event, usage_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.corrections.correction import Correction
from metering.event import Role
from metering.event_store import EventStore
from metering.identity import FOR_EVER, UNATTRIBUTED, Identity, Kind, bind
from metering.period import Period, parse_instant
from metering.query.request_sql import Listing
from metering.query.request_store import RequestStore
from metering.rollup import RawKey

ALWAYS = Period(parse_instant("1970-01-01T00:00:00Z"), FOR_EVER)
EVERYTHING = Listing(ALWAYS, role=None)


def no_corrections(_before: int) -> Sequence[Correction]:
    return ()


@pytest.fixture
def requests(events: EventStore) -> RequestStore:
    return RequestStore(events, no_corrections)


def ids(requests: RequestStore, asked: Listing, **more: Any) -> list[bytes]:
    listed = requests.listed(asked, more.get("identities", []), None, more.get("limit", 100))
    return [one.verdict.event.event_id for one in requests.explained(listed)]


def test_the_newest_come_first_each_once_with_what_became_of_it(
    events: EventStore, requests: RequestStore
) -> None:
    old = event("a", "2026-10-01T00:00:00Z", fresh=1, call="r1")
    told_again = event("b", "2026-10-02T00:00:00Z", fresh=1, call="r1", rank=40)
    new = event("c", "2026-10-03T00:00:00Z", fresh=2)
    events.record([new, old])
    events.record([old, told_again])

    rows = requests.explained(requests.listed(EVERYTHING, [], None, 10))

    assert [(r.verdict.event, r.verdict.bills) for r in rows] == [
        (new, True),
        (told_again, False),
        (old, True),
    ]


def test_a_contradiction_is_shown_where_the_first_arrival_ended(
    events: EventStore, requests: RequestStore
) -> None:
    first = event("a", "2026-10-01T00:00:00Z", fresh=1)
    events.record([first])
    events.record([event("a", "2026-10-02T00:00:00Z", fresh=9)])

    [row] = requests.explained(requests.listed(EVERYTHING, [], None, 10))

    assert row.verdict.event == first


def test_witnesses_are_listed_only_when_asked_for(
    events: EventStore, requests: RequestStore
) -> None:
    bill, witness = event("a", fresh=1), event("b", fresh=1, role="witness")
    events.record([bill, witness])

    assert ids(requests, Listing(ALWAYS)) == [bill.event_id]
    assert ids(requests, Listing(ALWAYS, role=Role.WITNESS)) == [witness.event_id]
    assert set(ids(requests, EVERYTHING)) == {bill.event_id, witness.event_id}


def test_a_period_and_values_narrow_the_list(events: EventStore, requests: RequestStore) -> None:
    events.record(
        [
            event("a", "2026-10-01T00:00:00Z", model="m1", tenant="t"),
            event("b", "2026-10-01T01:00:00Z", model="m2", tenant="t"),
            event("c", "2026-10-01T02:00:00Z", model="m3", tenant="u", gateway="g"),
        ]
    )
    hour = Period(parse_instant("2026-10-01T00:00:00Z"), parse_instant("2026-10-01T01:00:00Z"))

    assert ids(requests, Listing(hour)) == [event("a").event_id]
    assert len(ids(requests, Listing(ALWAYS, (("model", ("m1", "m2")),)))) == 2
    assert ids(requests, Listing(ALWAYS, (("service", ("g",)),))) == [event("c").event_id]
    assert ids(requests, Listing(ALWAYS, (("model", ("m1",)), ("tenant", ("u",))))) == []


CHANGE = Period(parse_instant("2026-10-01T02:00:00Z"), FOR_EVER)
IDENTITIES = [
    Identity(Kind.TENANT, "acme", "a"),
    Identity(Kind.PROJECT, "p", "b"),
    Identity(Kind.PROJECT, "q", "a", valid=CHANGE),
    Identity(Kind.API_KEY, "k", "c", valid=CHANGE),
    Identity(Kind.CLUSTER, "x", "d"),
]


def test_an_account_has_the_requests_that_are_bound_to_it(
    events: EventStore, requests: RequestStore
) -> None:
    said = [
        {"tenant": tenant, "project": project, "api_key": key, "cluster": cluster, "at": at}
        for tenant in ("acme", "", "other") for project in ("p", "q", "") for key in ("k", "")
        for cluster in ("x", "") for at in ("2026-10-01T01:59:59Z", "2026-10-01T02:00:00Z")
    ]  # fmt: skip
    made = [event(f"e{n}", **one) for n, one in enumerate(said)]
    events.record(made)

    for account in ("a", "b", "c", "d", UNATTRIBUTED):
        wanted = {e.event_id for e in made if account_of(e) == account}
        asked = Listing(ALWAYS, accounts=(account,))
        assert set(ids(requests, asked, identities=IDENTITIES)) == wanted
    assert len(ids(requests, Listing(ALWAYS, accounts=("a", "b", "c", "d", UNATTRIBUTED)),
                   identities=IDENTITIES)) == len(made)  # fmt: skip


def account_of(said: Any) -> str:
    source = said.source
    hour = parse_instant("2026-10-01T00:00:00Z").replace(
        hour=(said.ended_at // 3_600_000_000_000) % 24
    )
    key = RawKey(hour, source.tenant, source.project, source.api_key, source.cluster)
    return bind(key, IDENTITIES).account


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sent=st.lists(usage_events, min_size=1, max_size=12), limit=st.integers(1, 4))
def test_pages_make_the_whole_list(
    events: EventStore, requests: RequestStore, sent: Any, limit: int
) -> None:
    events.record(sent)
    whole = requests.listed(EVERYTHING, [], None, 1000)
    paged: list[Any] = []
    after = None
    while page := requests.listed(EVERYTHING, [], after, limit):
        paged += page
        after = (page[-1].ended_at, page[-1].event_id.hex())

    shown = [one.verdict.event.event_id for one in requests.explained(whole)]
    assert paged == whole
    assert len(set(shown)) == len(shown) == len({one.event_id for one in whole})
