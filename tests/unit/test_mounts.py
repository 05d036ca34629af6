"""On which file system a path lies."""

import pytest

from ingestd.sources.mounts import file_system, is_remote

MOUNTS = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:5 / /proc rw - proc proc rw
40 22 0:50 / /srv/drop rw,relatime shared:9 master:1 - nfs4 nas:/drop rw,vers=4.2
41 22 0:51 / /srv/two\040words rw - fuse.sshfs them@there: rw
42 22 0:52 / /srv/top rw - tmpfs none rw
43 42 0:53 / /srv/top rw - xfs /dev/vdb rw
a line that is none
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srv", "ext4"),
        ("/srv/drop", "nfs4"),
        ("/srv/drop/incoming", "nfs4"),
        ("/srv/dropped", "ext4"),
        ("/srv/two words/incoming", "fuse.sshfs"),
        ("/srv/top/x", "xfs"),
    ],
)
def test_the_longest_and_last_mount_holds_the_path(path, kind):
    assert file_system(MOUNTS, path) == kind


def test_no_mount_is_found_in_nothing():
    assert file_system("", "/srv") is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb2", "9p", "fuse.sshfs", "fuse", None])
def test_where_others_write_unseen_the_folder_is_polled(kind):
    assert is_remote(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "zfs", "overlay", "fuseblk"])
def test_a_local_file_system_is_not_taken_for_a_remote_one(kind):
    assert not is_remote(kind)
