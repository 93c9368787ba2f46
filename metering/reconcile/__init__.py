"""Reconciliation 对账: what gateways told against what engines counted, and where they differ."""
