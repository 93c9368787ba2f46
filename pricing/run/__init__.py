"""Billing runs: what a month comes to, less what was posted, as drafts that become bills."""
