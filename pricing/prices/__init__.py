"""Price books: rates, how they are written, looked up, compared and kept."""
