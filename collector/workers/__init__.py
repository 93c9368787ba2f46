"""GPU workers: pages and metrics to readings."""
