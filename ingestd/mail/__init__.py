"""PURE  What carries files: a mail message (``message``), an archive (``archive``)."""
