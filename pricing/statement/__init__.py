"""Statements: what a bill says to a person, in figures that add up as they are printed."""
