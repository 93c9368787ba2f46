"""The target of `make fuzz` is a program of its own, and needs a library that tests do not."""

collect_ignore = ["fuzz_receive.py"]
