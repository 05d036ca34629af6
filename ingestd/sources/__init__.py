"""DOORS in: where deliveries come from.

folder.py is the watched folder, put together from what lies below it, top to bottom:
rounds.py (scan, claim, hand over, wait), claims.py (making a file ours), filing.py (where it
goes afterwards), scan.py (what lies there, and who writes it), ground.py (the folders
themselves), spool.py (raw bytes, durable before anything else), durable.py (whole or absent,
also after a power cut), stillness.py, names.py, mounts.py (pure).
"""
