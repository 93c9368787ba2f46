"""Usage and running time to charges: which price, how much of it, in which order adjusted."""
