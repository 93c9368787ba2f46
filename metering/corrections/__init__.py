"""What someone decided about stored events: to void, amend or take another. Nothing is deleted."""
