"""Advice: the same rating with other arguments. Nothing here is ever posted."""
