"""DOORS out: metrics, HTTP, receipts, log, service manager.  Strangers to each other."""
