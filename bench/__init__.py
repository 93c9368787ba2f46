"""Benchmarks: figures are ratios inside one run, never part of the tests."""
