"""Orders, contracts and their changes: what was agreed on, from when, and what a change costs."""
