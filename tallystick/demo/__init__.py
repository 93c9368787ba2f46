"""A made-up month: setup.yaml + traffic by seed -> OTLP on loopback -> bills -> one table."""
