"""Where tokens are compared: a pool and a model; and which pool an engine belongs to."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from metering.signal import Origin


class Place(NamedTuple):
    """A pool 资源池 and a model served in it: what both sides can name."""

    pool: str
    model: str


class Pair(NamedTuple):
    """A number for input and one for output: the two are never added together."""

    input: int = 0
    output: int = 0

    def plus(self, other: "Pair") -> "Pair":
        """Return both together.

        >>> Pair(1, 2).plus(Pair(10, 20))
        Pair(input=11, output=22)
        """
        return Pair(self.input + other.input, self.output + other.output)


NOTHING = Pair()


def pool_finder(known: Mapping[str, str]) -> Callable[[Origin], str]:
    """Return how to tell an engine's pool: by its target's label, else as calls name it.

    ``known`` maps what calls say of who served them (instance, resource) to their pool. Where
    neither tells, the pool is empty, so that the engine's tokens are seen and not lost.

    >>> pool_of = pool_finder({"10.0.0.1:8000": "shared"})
    >>> pool_of(Origin(target="http://10.0.0.1:8000/metrics")), pool_of(Origin(target="elsewhere"))
    ('shared', '')
    """

    def pool_of(origin: Origin) -> str:
        address = origin.target.partition("://")[2].partition("/")[0]
        names = (origin.target, address, origin.node)
        found = (known[name] for name in names if name in known)
        return origin.pool or next(found, "")

    return pool_of
