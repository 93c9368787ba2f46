"""Bodies decoded together say what they say alone, and none suffers from its neighbours."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest
from alike import decoder, plainly
from builders import chat_span, traces
from captures import BODIES
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.batch.fast import Decoded
from collector.bundle import MAX_BUNDLE, SMALL_BODY, Bundler, Sent, Work
from collector.dialect.normalise import TooManyDaysError
from collector.otlp import Encoding, MalformedBodyError, Signal
from collector.slots import Slots

DAY_NS = 86_400_000_000_000


def sent(body: bytes, signal: Signal = Signal.TRACES) -> Sent:
    return Sent(body, "", signal, Encoding.PROTOBUF)


def body_of(number: int) -> bytes:
    return traces([chat_span(number)]).SerializeToString()


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_captured_bodies_say_together_what_they_say_alone(data: st.DataObject) -> None:
    signal = data.draw(st.sampled_from([Signal.TRACES, Signal.LOGS]))
    name = f".{signal.value}."
    paths = [path for path in BODIES if name in path.name]
    bodies = [p.read_bytes() for p in data.draw(st.lists(st.sampled_from(paths), max_size=6))]
    knowing = decoder()
    together = knowing.decode_together(bodies, signal)
    if together is None:
        return

    rows, rejected = plainly(lambda: together)
    alone = [plainly(lambda b=b: knowing.decode(b, signal, Encoding.PROTOBUF)) for b in bodies]
    assert rows == sorted(row for one in alone for row in one[0])
    assert rejected == sorted(reason for one in alone for reason in one[1])


def test_bodies_of_strangers_are_read_together() -> None:
    """Otherwise the test before would hold nothing against nothing."""
    bodies = [body_of(number) for number in range(1, 9)]
    found = decoder().decode_together(bodies, Signal.TRACES)

    assert found is not None
    assert len(found.batch) == 8


def test_bodies_that_share_a_trace_are_read_alone() -> None:
    """Else the parent that a record names would depend on what came at the same time."""
    same = body_of(1)

    assert decoder().decode_together([same, body_of(2), same], Signal.TRACES) is None


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_body_cut_short_swallows_nothing_of_its_neighbour(cut: int) -> None:
    whole = body_of(1)
    found = decoder().decode_together([whole[:-cut], body_of(2)], Signal.TRACES)

    assert found is None


def of_many_days() -> list[bytes]:
    first = 1_700_000_000_000_000_000
    spans = [chat_span(n + 1) for n in range(120)]
    for n, one in enumerate(spans):
        one.start_time_unix_nano = first + n * DAY_NS
        one.end_time_unix_nano = first + n * DAY_NS + 1
    return [traces([one]).SerializeToString() for one in spans]


def test_bodies_on_too_many_days_together_are_read_alone() -> None:
    with pytest.raises(TooManyDaysError):
        decoder().decode_together(of_many_days(), Signal.TRACES)

    desk = Desk()
    answers = desk.take([sent(body) for body in of_many_days()])

    assert answers == [None] * 120
    assert desk.rows == 120
    assert desk.groups == [120, *[1] * 120]


def test_a_body_that_alone_is_small_is_decoded_alone() -> None:
    desk = Desk()
    answers = desk.take([sent(body_of(1)), sent(body_of(2))._replace(compression="bad")])

    assert answers == [None] * 2
    assert desk.groups == [1, 1]


class Desk:
    """Decodes for real, stores in a list, and fails where it is told to."""

    def __init__(self, refuses_more_than: int = 10**9) -> None:
        self.decoder = decoder()
        self.groups: list[int] = []
        self.stored: list[Decoded] = []
        self.refuses_more_than = refuses_more_than

    def decode(self, one: Sent) -> Decoded:
        self.groups.append(1)
        return self.decoder.decode(one.body, one.signal, one.encoding)

    def inflate(self, one: Sent) -> bytes | None:
        return None if one.compression == "bad" else one.body

    def together(self, bodies: Sequence[bytes], signal: Signal) -> Decoded | None:
        self.groups.append(len(bodies))
        return self.decoder.decode_together(bodies, signal)

    async def store(self, found: Decoded) -> None:
        await asyncio.sleep(0)
        if len(found.batch) > self.refuses_more_than:
            raise OSError("no room for so many")
        self.stored.append(found)

    def take(self, bodies: Sequence[Sent]) -> list[BaseException | None]:
        async def all_at_once() -> list[BaseException | None]:
            work = Work(self.decode, self.inflate, self.together, self.store)
            bundler = Bundler(work, Slots(1), at_once=1)
            return await asyncio.gather(*map(bundler.take, bodies), return_exceptions=True)

        return asyncio.run(all_at_once())

    @property
    def rows(self) -> int:
        return sum(len(one.batch) for one in self.stored)


def test_small_bodies_gather_while_one_is_decoded() -> None:
    desk = Desk()
    answers = desk.take([sent(body_of(number)) for number in range(1, 400)])

    assert answers == [None] * 399
    assert desk.rows == 399
    assert max(desk.groups) == MAX_BUNDLE
    assert len(desk.groups) <= 4


def test_a_malformed_body_is_refused_and_its_neighbours_are_stored() -> None:
    desk = Desk()
    good = [sent(body_of(number)) for number in range(1, 9)]
    answers = desk.take([*good[:4], sent(b"\xff"), *good[4:]])

    assert [type(a) for a in answers].count(MalformedBodyError) == 1
    assert isinstance(answers[4], MalformedBodyError)
    assert desk.rows == 8


def test_only_bodies_that_are_small_when_inflated_are_decoded_together() -> None:
    desk = Desk()
    group = [sent(body_of(n)) for n in range(1, 8)]
    group[3:5] = [one._replace(compression="bad") for one in group[3:5]]
    answers = desk.take(group)

    assert answers == [None] * 7
    assert sorted(desk.groups) == [1, 1, 5]
    assert desk.rows == 7


def test_what_is_not_stored_together_is_stored_one_by_one() -> None:
    desk = Desk(refuses_more_than=2)
    large = traces([chat_span(n) for n in range(50, 55)]).SerializeToString()
    answers = desk.take([sent(body_of(n)) for n in range(1, 9)] + [sent(large)])

    assert answers[:8] == [None] * 8
    assert isinstance(answers[8], OSError)
    assert desk.rows == 8


def test_bodies_of_other_kinds_are_decoded_alone_or_with_their_like() -> None:
    logs = [p.read_bytes() for p in BODIES if ".logs." in p.name]
    small = [sent(body, Signal.LOGS) for body in logs if len(body) <= SMALL_BODY][:3]
    mixed = [sent(body_of(n)) for n in range(1, 7)] + small
    mixed.append(Sent(b"{}", "", Signal.TRACES, Encoding.JSON))
    mixed.append(sent(body_of(9) + bytes(SMALL_BODY)))
    Random(3).shuffle(mixed)
    answers = Desk().take(mixed)

    assert sum(answer is None for answer in answers) >= len(mixed) - 1


def test_who_gives_up_waiting_disturbs_nobody() -> None:
    desk = Desk()

    async def impatient() -> None:
        work = Work(desk.decode, desk.inflate, desk.together, desk.store)
        bundler = Bundler(work, Slots(1), at_once=1)
        tasks = [asyncio.create_task(bundler.take(sent(body_of(n)))) for n in range(1, 9)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await bundler.take(sent(body_of(20)))

    asyncio.run(impatient())

    assert desk.rows == 9
