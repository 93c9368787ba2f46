"""Money: usage rows + intervals + contracts + price book -> lines -> bill -> exports."""
