"""PURE  On which file system a path lies, and whether other machines write to it."""

#: File systems that other machines write to: inotify is blind to those, and so are leases.
_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "9p", "virtiofs", "vboxsf", "prl_fs"),
        *("afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2", "gpfs", "beegfs", "orangefs"),
        *("drvfs", "davfs", "ncpfs", "coda", "fuse"),
    )
)


def file_system(mounts: str, path: str) -> str | None:
    """Give the type of the file system that holds ``path`` (absolute, without symlinks).

    ``mounts`` is the text of /proc/self/mountinfo (proc(5)); of mounts on one place the last
    is on top.  None where none fits.
    """
    best, found = "", None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        place = _unescape(left.split(" ")[4]) if left.count(" ") > 4 else ""  # noqa: PLR2004  field
        below = path == place or path.startswith(place.rstrip("/") + "/")
        if place and below and len(place) >= len(best):
            best, found = place, right.split(" ")[0]
    return found


def _unescape(place: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        place = place.replace(code, character)
    return place


def is_remote(kind: str | None) -> bool:
    """Say whether others may write there unseen; an unknown file system counts as such."""
    return kind is None or kind in _NETWORK or kind.startswith("fuse.")
