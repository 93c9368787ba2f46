"""Prepaid money: grants, what is left of them, and which are used first."""
