"""What shows that a bill is right: evidence, offline verification, differences of two bills."""
