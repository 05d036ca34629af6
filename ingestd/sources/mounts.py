"""PURE  Whether other machines write to a file system, by the magic number that statfs(2) tells.

The number and not the mount table: a chroot or container may not see the mount that it lies on.
"""

#: File systems that other machines write to: inotify is blind to those, and so are leases.
#: The numbers are those of statfs(2) and the kernel's magic.h.
_NETWORK = {
    0x0000564C: "ncpfs",
    0x00006969: "nfs",
    0x0000517B: "smbfs",
    0xFE534D42: "smb2",
    0xFF534D42: "cifs",
    0x01021997: "9p",
    0x01161970: "gfs2",
    0x0BD00BD0: "lustre",
    0x00C36400: "ceph",
    0x47504653: "gpfs",
    0x5346414F: "afs",
    0x65735546: "fuse",  # sshfs, glusterfs, davfs, …: statfs does not tell which
    0x6A656A63: "virtiofs",
    0x73757245: "coda",
    0x7461636F: "ocfs2",
    0x786F4256: "vboxsf",
}


def name(magic: int | None) -> str:
    """Name a file system for the log."""
    if magic is None:
        return "unknown"
    return _NETWORK.get(magic, "local")


def is_remote(magic: int | None) -> bool:
    """Say whether others may write there unseen; an unknown file system counts as such."""
    return magic is None or magic in _NETWORK
