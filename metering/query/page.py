"""Pages: where one ended, as a text that means nothing to whoever hands it back."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the pages of one question have come."""

    after: tuple[str | int, ...]
    """What tells the last row shown from all others."""
    run: int = 0
    """The close run whose usage the pages show, so that all of them add up."""

    def text(self, question: Any) -> str:
        """Write the cursor for a client; it goes with this question and no other."""
        document = json.dumps([digest(question), self.run, *self.after], ensure_ascii=False)
        return urlsafe_b64encode(document.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str, question: Any) -> Self:
        """Read what ``text`` wrote.

        Raises:
            CursorError: it was not written here, or for another question.
        """
        try:
            padded = text + "=" * (-len(text) % 4)
            document: Any = json.loads(urlsafe_b64decode(padded.encode("ascii")))
        except ValueError:
            raise CursorError(text) from None
        match document:
            case [str(told), int(run), *after] if _is_row(after):
                if told != digest(question):
                    raise CursorError(text)
                return cls(tuple(after), run)
            case _:
                raise CursorError(text)


def digest(question: Any) -> str:
    """Return a short text that differs between questions."""
    return blake2b(repr(question).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _is_row(values: Sequence[Any]) -> bool:
    return all(type(value) in {str, int} for value in values)


class CursorError(ValueError):
    """A cursor that does not go with the question."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"a cursor must be the next_cursor of an answer to the same question, "
            f"found {text[:80]!r}"
        )
