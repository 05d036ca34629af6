"""How fast files are read, without any database: rows a second, and the peak of the memory.

    python -m bench.reading [ROWS]        (default 50000 rows of about 1.5 KB)

Each dialect is read in a process of its own, from a file on disk, twice; the second counts.  The
memory is that process's peak, first for a tenth of the rows and then for all: what grows is the set
of keys.  ``without encoding`` stops at the records: lines, quotes, widths.
"""

import csv
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

from bench.feed import tsv
from ingestd import onefile, reading
from ingestd.config import Feed, Limits
from ingestd.feed.encode import own_target
from ingestd.model import File, Finished, ReadJob

FEED = Feed(name="bench", dealership=1, mode="full")
CHUNK = 1 << 18


def quoted(data: bytes) -> bytes:
    """Write the same as a comma file in which every cell is quoted."""
    out = io.StringIO()
    rows = csv.reader(io.StringIO(data.decode()), delimiter="\t", quoting=csv.QUOTE_NONE)
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().encode()


DIALECTS: dict[str, Callable[[bytes], bytes]] = {
    "tabs": lambda data: data,
    "commas, all quoted": quoted,
    "tabs, UTF-16": lambda data: data.decode().encode("utf-16"),
}


def chunks(path: Path) -> Callable[[], Iterator[bytes]]:
    """Give a file's content as the spool gives it."""

    def content() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    return content


def measure(path: Path) -> tuple[float, float, int, float]:
    """Read a file; give seconds, seconds without encoding, rows, and the peak in MiB."""
    content, files = chunks(path), (File(0, path.name, path.stat().st_size, "bench"),)
    job = ReadJob("", "cli", path.name, files, 1, "2026-11-24", own_target())
    whole = records = 0.0
    rows = 0
    for _ in range(2):
        begin = time.process_time()
        for item in reading.read(job, content, FEED, Limits()):
            rows = item.files[0].rows if isinstance(item, Finished) else rows
        whole = time.process_time() - begin
        begin = time.process_time()
        table = onefile.find_table(content, FEED)
        assert isinstance(table, onefile.Table), table
        assert sum(1 for _ in table.records(Limits())) == rows + 1
        records = time.process_time() - begin
    return whole, records, rows, _peak()


def _peak() -> float:
    """Give the peak of this process in MiB; that of getrusage would be the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def apart(path: Path) -> tuple[float, float, int, float]:
    """Measure in a fresh process, so that the peak is the file's own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (path,))


def main(count: int) -> None:
    """Measure each dialect and print a line for it."""
    print(f"{'':22}{'rows/s':>9}{'without encoding':>18}{'MiB':>6}{'a tenth':>9}")
    with tempfile.TemporaryDirectory() as home:
        for name, write in DIALECTS.items():
            small, large = Path(home, "small.txt"), Path(home, "large.txt")
            small.write_bytes(write(tsv(count // 10, 0.0, 0)))
            large.write_bytes(write(tsv(count, 0.0, 0)))
            _, _, _, less = apart(small)
            whole, records, rows, peak = apart(large)
            speeds = f"{rows / whole:>9.0f}{rows / records:>18.0f}"
            print(f"{name:22}{speeds}{peak:>6.0f}{less:>9.0f}")
    print(f"{count} rows, {os.cpu_count()} processors")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 50_000)
