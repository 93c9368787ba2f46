"""Questions about usage and single requests, answered in pages that agree with the bill."""
