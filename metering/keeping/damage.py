"""What the engine says when the files of a store are not as they were written.

Every block of a column carries a checksum: damage is an error, never another total.
"""

import re

_CODES = {
    "ATTEMPT_TO_READ_AFTER_EOF",
    "BAD_SIZE_OF_FILE_IN_DATA_PART",
    "CANNOT_DECOMPRESS",
    "CANNOT_READ_ALL_DATA",
    "CANNOT_READ_ARRAY_FROM_TEXT",
    "CHECKSUM_DOESNT_MATCH",
    "CORRUPTED_DATA",
    "EXPECTED_END_OF_FILE",
    "FILE_DOESNT_EXIST",
    "NO_FILE_IN_DATA_PART",
    "SIZES_OF_MARKS_FILES_ARE_INCONSISTENT",
    "TOO_LARGE_SIZE_COMPRESSED",
    "UNEXPECTED_FILE_IN_DATA_PART",
    "UNKNOWN_CODEC",
}
_NAMED = re.compile(r"\(([A-Z_]{6,})\)")


def damage_in(text: str) -> str:
    """Return the engine's name for the damage that an error tells of; nothing for other errors.

    >>> damage_in("Code: 40. Checksum doesn't match (while reading x): (CHECKSUM_DOESNT_MATCH)")
    'CHECKSUM_DOESNT_MATCH'
    >>> damage_in("Code: 243. Cannot reserve 1 MiB: (NOT_ENOUGH_SPACE)")
    ''
    """
    return next((name for name in _NAMED.findall(text) if name in _CODES), "")


class StoreDamagedError(RuntimeError):
    """Files of the event store are missing, cut or changed. Totals without them would be wrong."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the files of the event store must be as they were written, found them damaged "
            f"({found}): restore the last backup"
        )
