"""Usage that comes as access logs or CloudEvents."""
