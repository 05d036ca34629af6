"""WIRE  Feed the reader damaged files for a while: python -m tests.fuzz_reading [SECONDS [SEED]].

The files are those of tests/cases and of every dialect, with bytes changed, cut, doubled and
moved.  For each: no exception, every line accounted for, a refusal in words, bounded time.
What fails is written to fuzz-failure.bin; the exit code is 1.
"""

import random
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from tests.dialects import DIALECTS, VINS, damaged, read, written

CASES = Path(__file__).parent / "cases"
FAILURE = Path("fuzz-failure.bin")
PIECES = (
    *(b'"', b'""', b"\n", b"\r", b"\r\n", b"\t", b",", b";", b"|", b"\0", b"\xe9", b"\xff\xfe"),
    *(
        b"\xef\xbb\xbf",
        "é".encode(),
        b"\x1a",
        b'","',
        b'"\n"',
        b"Total: 5 vehicles",
        b"VIN,Stock\n",
    ),
)
LONGEST = 5.0  # seconds for one file of at most some 100 KiB


def corpus() -> list[bytes]:
    """Give the files to begin with."""
    rows = [(vin, f"S{at}", "a", "5'7\" box", "c, d") for at, vin in enumerate(VINS)]
    files = [path for path in CASES.rglob("*") if path.is_file() and path.suffix != ".json"]
    return [path.read_bytes() for path in files] + [written(dialect, rows) for dialect in DIALECTS]


def mutants(chance: random.Random) -> Iterator[bytes]:
    """Give damaged files without end."""
    begin = corpus()
    while True:
        data = chance.choice(begin)
        for _ in range(chance.randint(1, 6)):
            data = _mutant(chance, data)
        yield data[:100_000]


def _mutant(chance: random.Random, data: bytes) -> bytes:
    at = chance.randint(0, len(data))
    kind = chance.randrange(5)
    if kind == 0:
        return damaged(data, [(at, chance.randint(0, 3), chance.choice(PIECES))])
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + data[at : at + 200] * chance.randint(2, 30) + data[at:]
    if kind == 3:
        return damaged(data, [(at, 1, bytes([chance.randrange(256)]))])
    return damaged(data, [(at, chance.randint(1, 40), b"")])


def check(data: bytes) -> None:
    """Read a file and say what must be true of it."""
    begin = time.process_time()
    lines, books = read(data)
    spent = time.process_time() - begin
    assert spent < LONGEST, f"{spent:.1f} s"
    assert books.lines == books.header + books.blank + books.rows + books.rejected, books
    assert bool(books.reason) == bool(books.message), books
    assert len(lines) == books.rows + books.rejected or books.reason, books


def main(seconds: float, seed: int) -> int:
    """Go on until the time is over or something fails."""
    end = time.monotonic() + seconds
    count = 0
    for data in mutants(random.Random(seed)):  # noqa: S311  repeatable, not a secret
        if time.monotonic() > end:
            break
        count += 1
        try:
            check(data)
        except Exception:  # noqa: BLE001  whatever it is, its bytes are kept
            FAILURE.write_bytes(data)
            traceback.print_exc()
            sys.stdout.write(f"seed {seed}, file {count}: the bytes are in {FAILURE}\n")
            return 1
    sys.stdout.write(f"{count} files in {seconds:g} s, seed {seed}: nothing failed\n")
    return 0


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    sys.exit(main(given[0] if given else 60, int(given[1]) if given[1:] else 1))
