"""Files for others: named by their content, put once, and a manifest that says what holds."""
