"""How long events are kept, how much room they need, and what damage looks like."""
