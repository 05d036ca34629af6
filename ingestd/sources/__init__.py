"""DOORS in: where deliveries come from.

folder.py is the watched folder, put together from what lies below it, top to bottom:
rounds.py (scan, claim, hand over, wait), claims.py (making a file ours), filing.py (where it
goes afterwards), scan.py (what lies there, and who writes it), ground.py (the folders
themselves), stillness.py, names.py, mounts.py (pure).

mailbox.py is the watched mailbox (letters.py: what it asks of the ledger): placing.py (where a
mail goes afterwards), entrance.py (a connection that is logged in), oauth.py (access tokens, over
the pure grants.py and granted.py), imap.py (one guarded connection: dial.py, login.py, idling.py
over wire.py, which cures aioimaplib, and the pure framing.py, replies.py, phrases.py, mutf7.py).

Both stand on spool.py (raw bytes, durable before anything else) and durable.py (whole or absent,
also after a power cut).
"""
