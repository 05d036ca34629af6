"""ingestd: a mailbox or folder on one side, the ``vehicles`` table on the other.

The flow, and the one way in which modules may import each other (downwards):

    cli ── app ── daemon ──┬── sources   mailbox, folder: what came → spool   DOOR
                           ├── workers   parser processes                     DOOR
                           ├── store     ledger, load: one transaction        DOOR
                           └── tell      metrics, receipts, log, systemd      DOOR

    workers ── worker ── reading ──┬── mail   message, zip, gzip → files      PURE
                                   └── feed   bytes → rows                    PURE
    and below them all: config, errors, report, model                         PURE

Start reading at ``reading.read`` (what a file means) and ``daemon.Daemon.handle`` (in
what order things happen); the words are in ``model``.  The first word of every module's
docstring says what it is: PURE (values in, values out), DOOR (the one way to one outside
thing), WAIT (the order of effects), WIRE (which concrete things meet).
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("ingestd")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0"
