"""The HTTP API's manners: problems, requests that are done once, and what describes it."""
