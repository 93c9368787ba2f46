"""What crosses the wire: OTLP bytes -> spans and log records -> usage events."""
