"""What to scrape, how often and when: read from an operator's list or a file of targets.

The file has the form of Prometheus' file-based discovery, so that the same file may serve both.
Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import yaml

from metering.signal import CAPACITY, ORIGIN_FIELDS, SLOTS, Origin

NVML = "nvml"
"""The target that is no address: this machine's own GPUs, read through the driver."""

POSITIVE = re.compile(r"(?=.*[1-9])[0-9]{1,15}(\.[0-9]{1,15})?")
"""How a number of slots, or a weight, is written: plainly, and above 0."""

FILE_ENDINGS = (".json", ".yaml", ".yml")

_DECLARED = (SLOTS, CAPACITY)
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """One address to scrape."""

    address: str
    """``host:port`` as it was written, or ``nvml``; what readings name."""
    url: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, compare=True)
    interval: float = 15.0
    """Seconds from one scrape to the next."""
    deadline: float = 10.0
    """Seconds that one scrape may take, whatever it is waiting for."""

    @property
    def origin(self) -> Origin:
        """What the target's page cannot say: where it is, and what its labels declare."""
        named = {n: v for n, v in self.labels.items() if n in ORIGIN_FIELDS}
        return Origin(**{**named, "target": self.address})

    @property
    def declared(self) -> dict[str, float]:
        """What the operator says of every engine replica behind the address."""
        return {n: float(self.labels[n]) for n in _DECLARED if n in self.labels}


def wait_ns(target: Target, now_ns: int) -> int:
    """Return how long to wait for the target's next turn.

    Its turns lie at an offset that its address alone decides, so that targets are spread evenly
    and a restart keeps the pace.

    >>> t = Target("10.0.0.1:8000", interval=15.0)
    >>> (7 + wait_ns(t, 7)) % (15 * 10**9) == (8 + wait_ns(t, 8)) % (15 * 10**9)
    True
    """
    interval = max(round(target.interval * _SECOND), 1)
    digest = blake2b(target.address.encode(), digest_size=8).digest()
    offset = int.from_bytes(digest, "big") % interval
    return (offset - now_ns) % interval


def static_targets(text: str, interval: float) -> tuple[Target, ...]:
    """Read addresses with commas between.

    Raises:
        TargetsError: one of them is no address.
    """
    found = (word.strip() for word in text.split(","))
    return tuple(_target(address, {}, interval) for address in found if address)


def parse_targets(text: str, interval: float) -> tuple[Target, ...]:
    """Read a file of targets, JSON or YAML: a list of groups of ``targets`` and ``labels``.

    Raises:
        TargetsError: it is no such list; nothing of it is used.
    """
    try:
        groups = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise TargetsError(" ".join(str(error).split())) from None
    if not isinstance(groups, list):
        raise TargetsError(f"a {type(groups).__name__}")
    found: dict[str, Target] = {}
    for group in groups:
        for target in _of_group(group, interval):
            found.setdefault(target.address, target)
    return tuple(found.values())


def _of_group(group: Any, interval: float) -> Iterator[Target]:
    if not isinstance(group, dict) or not isinstance(group.get("targets"), list):
        raise TargetsError(f"a group without a list of targets: {str(group)[:80]}")
    labels = group.get("labels") or {}
    if not isinstance(labels, dict):
        raise TargetsError(f"labels that are no mapping: {str(labels)[:80]}")
    for address in group["targets"]:
        yield _target(str(address), {str(n): str(v) for n, v in labels.items()}, interval)


def _target(address: str, labels: Mapping[str, str], interval: float) -> Target:
    plain = {n: v for n, v in labels.items() if not n.startswith("__")}
    every = _seconds(labels.get("__scrape_interval__"), interval)
    target = Target(
        address=address,
        url="" if address == NVML else _url(address, labels),
        labels=plain,
        interval=every,
        deadline=min(_seconds(labels.get("__scrape_timeout__"), every * 2 / 3), every),
    )
    for name in _DECLARED:
        if name in plain and not POSITIVE.fullmatch(plain[name]):
            raise TargetsError(f"{address} with {name} {plain[name]!r}, which is no number above 0")
    return target


def _url(address: str, labels: Mapping[str, str]) -> str:
    """Return where the page is; keys in an address would end up in what states show."""
    scheme = labels.get("__scheme__", "http")
    path = labels.get("__metrics_path__", "/metrics")
    given = address if "://" in address else f"{scheme}://{address}{path}"
    try:
        parts = urlsplit(given)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in given or not given.isprintable() or " " in given:
        raise TargetsError(f"the address {address!r}")
    return given


def _seconds(text: str | None, default: float) -> float:
    """Read a duration as Prometheus writes it.

    >>> _seconds("1m30s", 15.0), _seconds("500ms", 15.0), _seconds(None, 15.0)
    (90.0, 0.5, 15.0)
    """
    if text is None:
        return default
    parts = _DURATION.fullmatch(text)
    seconds = (
        sum(float(n) * u for n, u in zip(parts.groups(0), _UNITS, strict=True)) if parts else 0
    )
    if not seconds:
        raise TargetsError(f"the duration {text!r}")
    return seconds


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS = (3600.0, 60.0, 1.0, 0.001)


class TargetsError(ValueError):
    """A list of targets that cannot be used."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"targets must be host:port or http(s)://host:port/path, in a file a list of groups "
            f"with targets and labels, found {found}"
        )
