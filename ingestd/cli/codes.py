"""WIRE  The exit codes of the commands, by their names in sysexits.h; ``errors`` has its own."""

from ingestd.errors import IngestError

EX_OK = 0
#: The command line is wrong.
EX_USAGE = 64
#: Rows or files were rejected.
EX_DATAERR = 65
#: There is no such file, or no such import.
EX_NOINPUT = 66
#: A check failed.
EX_UNAVAILABLE = 69
#: A bug, or an import that failed.
EX_SOFTWARE = 70
#: Try again: the database is away, or an import is held.
EX_TEMPFAIL = 75


class Usage(IngestError):
    """The command line does not say, or contradicts, what a command must know."""

    exit_code = EX_USAGE
