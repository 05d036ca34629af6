"""DOOR  PostgreSQL: the ledger, the vehicles, and a private server to try things out with."""
