"""Charges to bills: lines, totals, numbers, and the files that others read."""
