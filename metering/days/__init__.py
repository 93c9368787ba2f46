"""Days of usage: what whole days of an account came to, so that a month is thirty sums."""
