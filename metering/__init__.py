"""Quantities and time: events -> event store -> close(hour) -> usage rows in the ledger."""
