"""Bodies to batches of events at the speed of columns; the reference decoder has the last word."""
