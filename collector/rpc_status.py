"""google.rpc.Status, the body of every refusal in protobuf.

Source: https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto
"""


def status_message(code: int, message: str) -> bytes:
    """Write ``Status {int32 code = 1; string message = 2}`` in protobuf."""
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def status_sentence(body: bytes) -> str:
    """Read the message back out of a google.rpc.Status as ``status_message`` writes it.

    >>> status_sentence(status_message(3, "no " * 100)) == "no " * 100
    True
    """
    at = body.index(b"\x12") + 1
    while body[at] > 0x7F:
        at += 1
    return body[at + 1 :].decode()


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
