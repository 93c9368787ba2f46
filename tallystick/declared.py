"""What declarations are made of: texts that leave nothing open, and no floats."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from metering.period import as_utc, billing_zone, parse_instant
from pricing.money import price_of


def _instant(value: Any) -> Any:
    """Accept text with a zone, and nothing that leaves the zone open; kept to the second."""
    instant = as_utc(value) if isinstance(value, datetime) else parse_instant(str(value))
    return instant.replace(microsecond=0)


def _exact(value: Any) -> Any:
    return value if isinstance(value, Decimal) else price_of(value)


Instant = Annotated[datetime, BeforeValidator(_instant)]
Exact = Annotated[Decimal, BeforeValidator(_exact)]
"""A decimal in quotes: an amount, a factor, a percentage."""
Zone = Annotated[str, AfterValidator(billing_zone)]
Id = Annotated[str, Field(min_length=1, max_length=200)]
AccountId = Annotated[str, Field(max_length=200, pattern=r"^[\w.:@-]+$")]
"""Letters, digits and ``_ . : @ -``: account ids stand in addresses and file names."""


class Wire(BaseModel):
    """A part of a declaration; fields that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


UNFIT = "unfit"
"""The kind of error of fields that do not go together."""


def unfit(sentence: str, *fields: str) -> PydanticCustomError:
    """Return an error of a whole declaration that names the fields at fault."""
    return PydanticCustomError(UNFIT, "{said}", {"said": sentence, "fields": fields})
