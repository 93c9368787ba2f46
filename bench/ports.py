"""Ports for the servers that a benchmark starts."""

import socket

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return different ports of loopback that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind((HOST, 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
