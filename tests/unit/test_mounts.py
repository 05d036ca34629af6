"""Which file systems cannot be trusted to tell of writes."""

import pytest

from ingestd.sources import mounts


@pytest.mark.parametrize(
    ("magic", "name"),
    [(0x6969, "nfs"), (0xFF534D42, "cifs"), (0xFE534D42, "smb2"), (0x65735546, "fuse")],
)
def test_a_network_file_system_is_remote(magic, name):
    assert (mounts.is_remote(magic), mounts.name(magic)) == (True, name)


@pytest.mark.parametrize("magic", [0xEF53, 0x01021994, 0x58465342, 0x9123683E, 0x794C7630])
def test_ext4_tmpfs_xfs_btrfs_and_overlays_are_local(magic):
    assert (mounts.is_remote(magic), mounts.name(magic)) == (False, "local")


def test_what_cannot_be_told_counts_as_remote():
    assert (mounts.is_remote(None), mounts.name(None)) == (True, "unknown")
