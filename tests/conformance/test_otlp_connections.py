"""How an OTLP receiver treats connections: clients keep them, cut them, and dawdle on them.

Requirements are named as in ``test_otlp_receiver.py``.
"""

import http.client
import socket
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import pytest
from conformance.wire import JSON, PROTOBUF, TRACES, body_of

Connect = Callable[[], socket.socket]

BODY = body_of(TRACES, JSON)
SLOW_CLIENTS = 20


def request(token: Mapping[str, str], body: bytes = BODY, *more: str, kind: str = JSON) -> bytes:
    """Write a POST of traces by hand."""
    lines = [
        f"POST {TRACES.path} HTTP/1.1",
        "Host: receiver",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in token.items()),
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def statuses_on(line: socket.socket, count: int) -> list[int]:
    """Read so many answers one after the other, and return their statuses."""
    statuses: list[int] = []
    unread = b""
    while len(statuses) < count:
        head, ended, rest = unread.partition(b"\r\n\r\n")
        if ended and len(rest) >= content_length(head):
            statuses.append(int(head.split(b" ")[1]))
            unread = rest[content_length(head) :]
            continue
        part = line.recv(65_536)
        assert part, f"the connection must stay open, found it closed after {statuses}"
        unread += part
    return statuses


def content_length(head: bytes) -> int:
    fields = (line.lower().partition(b":") for line in head.split(b"\r\n"))
    return next((int(value) for name, _, value in fields if name == b"content-length"), 0)


def test_one_connection_carries_many_requests(address: str, token: dict[str, str]) -> None:
    """SHOULD: keep-alive, as exporters send on one connection for as long as they live."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.connect()
    first = connection.sock
    statuses = set()
    for number in range(200):
        kind = PROTOBUF if number % 2 else JSON
        headers = {"Content-Type": kind, **token}
        connection.request("POST", TRACES.path, body_of(TRACES, kind), headers)
        answer = connection.getresponse()
        answer.read()
        statuses.add(answer.status)

        assert connection.sock is first
    connection.close()

    assert statuses == {200}


def test_a_connection_outlives_refusals(connect: Connect, token: dict[str, str]) -> None:
    """SHOULD: one bad body is no reason to make a client connect anew."""
    line = connect()
    line.sendall(request(token, b"{"))
    line.sendall(request(token, BODY, kind="text/plain"))
    line.sendall(request(token, BODY, "Content-Encoding: br"))
    line.sendall(request(token, BODY, "Content-Encoding: gzip"))
    line.sendall(request(token))

    assert statuses_on(line, 5) == [400, 415, 415, 400, 200]


def test_requests_may_be_written_before_their_answers(
    connect: Connect, token: dict[str, str]
) -> None:
    """MUST (RFC 9112 9.3.2): pipelined requests are answered in the order of their arrival."""
    line = connect()
    line.sendall(request(token) + request(token, b"{") + request(token))

    assert statuses_on(line, 3) == [200, 400, 200]


def test_a_request_may_come_byte_by_byte(connect: Connect, token: dict[str, str]) -> None:
    """MUST (HTTP/1.1): how bytes are cut into packets means nothing."""
    line = connect()
    for byte in request(token):
        line.sendall(bytes([byte]))

    assert statuses_on(line, 1) == [200]


@pytest.mark.parametrize("sent", [10, -10], ids=["in their headers", "in their bodies"])
def test_slow_clients_hold_up_nobody(connect: Connect, token: dict[str, str], sent: int) -> None:
    """SHOULD: others are served while many clients are in the middle of a request."""
    whole = request(token)
    slow = [connect() for _ in range(SLOW_CLIENTS)]
    for line in slow:
        line.sendall(whole[:sent])

    began = time.monotonic()
    quick = connect()
    quick.sendall(whole)
    quick_statuses, took = statuses_on(quick, 1), time.monotonic() - began
    for line in slow:
        line.sendall(whole[sent:])

    assert quick_statuses == [200]
    assert took < 5
    assert [statuses_on(line, 1) for line in slow] == [[200]] * SLOW_CLIENTS


def test_a_client_that_goes_away_harms_nobody(connect: Connect, token: dict[str, str]) -> None:
    """SHOULD: a request that was cut is forgotten."""
    whole = request(token)
    for at in (5, len(whole) // 2, len(whole) - 1):
        line = connect()
        line.sendall(whole[:at])
        line.close()
    line = connect()
    line.sendall(whole)

    assert statuses_on(line, 1) == [200]


def test_a_client_may_wait_to_be_told_to_go_on(connect: Connect, token: dict[str, str]) -> None:
    """MUST (RFC 9110 10.1.1): curl asks first with larger bodies."""
    line = connect()
    whole = request(token, BODY, "Expect: 100-continue")
    line.sendall(whole[: -len(BODY)])
    told_to_go_on = line.recv(65_536)
    line.sendall(BODY)

    assert told_to_go_on.startswith(b"HTTP/1.1 100 ")
    assert statuses_on(line, 1) == [200]


def test_a_request_without_length_or_chunks_is_answered(
    connect: Connect, token: dict[str, str]
) -> None:
    """MUST (RFC 9112 6.3): its body is empty, which is no JSON."""
    line = connect()
    line.sendall(request(token, b"").replace(b"Content-Length: 0\r\n", b""))

    assert statuses_on(line, 1) == [400]
