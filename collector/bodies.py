"""Bodies as they come in: each within its limit and its time, all together within one room."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from collector.inflate import BodyTooLargeError

WHOLE_BODIES = 8
"""Bodies of the largest size that may be held at a time; of smaller ones as many more."""
SECONDS = 60.0
"""How long a body may take to come in: who sends less in that time holds room for nothing."""


@dataclass(slots=True)
class Bodies:
    """Holds bodies in memory while they come in and until they are stored."""

    limit: int
    """Bytes of one body, as sent."""
    seconds: float = SECONDS
    held: int = 0
    """Bytes held now."""

    @asynccontextmanager
    async def whole(self, pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yield a body when all of it is here; it is held until the block ends.

        Raises:
            BodyTooLargeError: it is larger than the limit; no more than that was read.
            NoBodyRoomError: others hold the room. It can be sent again.
            SlowBodyError: its end did not come in time. It can be sent again.
        """
        own = 0
        parts: list[bytes] = []
        deadline = asyncio.timeout(self.seconds)
        try:
            async with deadline:
                async for piece in pieces:
                    own += len(piece)
                    self.held += len(piece)
                    if own > self.limit:
                        raise BodyTooLargeError(self.limit)
                    if self.held > self.limit * WHOLE_BODIES:
                        raise NoBodyRoomError(self.limit * WHOLE_BODIES)
                    parts.append(piece)
            yield b"".join(parts)
        except TimeoutError:
            if deadline.expired():
                raise SlowBodyError(self.seconds) from None
            raise
        finally:
            self.held -= own


class NoBodyRoomError(RuntimeError):
    """More bodies at a time than memory is meant for."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the bodies received at a time must be at most {most} bytes, found more")


class SlowBodyError(RuntimeError):
    """A body whose end did not come."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"a body must come in within {seconds:g} s, found it had not")
