"""The refusals' protobuf, written by hand, is what Google's own parser reads."""

from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.rpc_status import status_message, status_sentence

UNHURRIED = settings(deadline=None)


@UNHURRIED
@given(st.integers(1, 16), st.text() | st.text(min_size=1, max_size=3).map(lambda t: t * 99))
def test_a_status_reads_as_it_was_written(code: int, message: str) -> None:
    body = status_message(code, message)

    assert Status.FromString(body) == Status(code=code, message=message)
    assert status_sentence(body) == message
