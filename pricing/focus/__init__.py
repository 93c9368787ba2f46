"""FOCUS: what its columns are, what a file must obey, and how one is written."""
