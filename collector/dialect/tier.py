"""Which service tier served a call: as attributes tell of the answer, or as it was asked for."""

from collector.dialect import aliases
from collector.dialect.reading import MAX_TEXT, Attributes, text
from collector.dialect.usage_object import at, object_of

STANDARD = frozenset({"auto", "default", "none", "standard", "standard_only"})
"""What providers and clients call the tier that is nothing special, in lower case."""

PATHS = (
    "service_tier",
    "usage.service_tier",
    "response.usage.service_tier",
    "anthropic.usage.service_tier",
    "openai.serviceTier",
)
"""Where a usage object names the tier."""


def tier_of(attributes: Attributes) -> str:
    """Return the tier in lower case; empty for standard, and where nobody says.

    What was asked for counts only where nothing tells what was given. A whole answer is not looked
    into: a model may write anything there, and a tier is a price.

    >>> tier_of({"openai.response.service_tier": "default", "openai.request.service_tier": "flex"})
    ''
    """
    found = (
        text(attributes, aliases.TIER)
        or _tier_in_objects(attributes)
        or text(attributes, aliases.REQUESTED_TIER)
    ).lower()
    return "" if found in STANDARD else found


def _tier_in_objects(attributes: Attributes) -> str:
    objects = (object_of(attributes.get(name)) for name in aliases.USAGE_OBJECTS)
    told = (at(one, path) for one in objects for path in PATHS)
    return next((it for it in told if isinstance(it, str) and _is_name(it)), "")


def _is_name(found: str) -> bool:
    return 0 < len(found) <= MAX_TEXT and found.isprintable()
