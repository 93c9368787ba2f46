import pytest
from builders import chat_span, event, traces

from collector import otlp
from collector.dialect.normalise import usage_events
from collector.dialect.reading import MAX_TEXT
from collector.otlp import Encoding, Signal, TooManyRecordsError, decode
from metering.event import MAX_COUNT


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
def test_a_body_of_too_many_records_is_refused_before_they_are_read(signal: Signal) -> None:
    one = b"\x12\x00"  # an empty span or log record in its scope
    in_scope = one * (otlp.MAX_RECORDS + 1)
    scope = b"\x12" + varint(len(in_scope)) + in_scope
    body = b"\x0a" + varint(len(scope)) + scope

    with pytest.raises(TooManyRecordsError, match="at most 100000 records, found 100001"):
        decode(body, signal, Encoding.PROTOBUF)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_names_are_kept_without_control_characters_and_at_a_sane_length() -> None:
    hostile = "qwen\x003\u202e\n" + "x" * 100_000
    body = traces([chat_span(1, gen_ai__response__model=hostile)]).SerializeToString()
    [found], _ = usage_events(decode(body, Signal.TRACES, Encoding.PROTOBUF))

    assert found.call.model.startswith("qwen3xxx")
    assert len(found.call.model) <= MAX_TEXT
    assert found.call.model.isprintable()


def test_the_largest_counts_of_a_million_calls_still_add_up_in_64_bits() -> None:
    assert event("e", fresh=MAX_COUNT - 1).tokens.fresh * 1_000_000 < 2**63
