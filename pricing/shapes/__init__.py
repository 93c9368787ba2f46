"""Shapes of a bill: the same rows as the files that other programs and people read."""
