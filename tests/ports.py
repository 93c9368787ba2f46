"""Hand out ports of loopback that no other test process, and no connection, takes meanwhile.

A server under test binds its port seconds after it was chosen. Until then the number is leased:
the UDP port of the same number stays bound here, which leaves TCP free and tells every other
process of tests. Numbers lie below those the kernel gives to outgoing connections.
"""

import secrets
import socket
from collections import deque

_NUMBERS = range(20_000, 32_000)
_KEPT_LEASES = 16
"""More servers than are ever starting at once in one process."""
_leases: deque[socket.socket] = deque()


def free_port() -> int:
    """Return a port that nobody listens on and no other test has been given."""
    while True:
        number = secrets.choice(_NUMBERS)
        if _lease(number):
            return number


def free_ports(count: int) -> list[int]:
    """Return different such ports."""
    return [free_port() for _ in range(count)]


def _lease(number: int) -> bool:
    lease = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        lease.bind(("127.0.0.1", number))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", number))
    except OSError:
        lease.close()
        return False
    _leases.append(lease)
    if len(_leases) > _KEPT_LEASES:
        _leases.popleft().close()
    return True
