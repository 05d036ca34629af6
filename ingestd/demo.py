"""WIRE  ``ingestd run --sample DIR``: an invented dealership to try things out with.

Everything lies below DIR: the database, the spool, the watched folder ``drop``.  The
sample is dropped as a person would drop it, and goes the way of every file.
"""

import shutil
import sys
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path

from ingestd.config import Config, parse
from ingestd.report import Settlement

DEALERSHIP = "Prairie Crossing Motors"
FEED = "sample"
_FILE = "prairie-crossing.tsv"

_CONFIG = """\
state_dir = {state!r}
[[folder]]
name = "drop"
path = {drop!r}
[[feed]]
name = "{feed}"
dealership = {{ name = "{dealership}" }}
mode = "full"
"""

_GUIDE = """
What to look at next:
  the receipt     {drop}/imported/
  the vehicles    {psql} '{url}' -c 'SELECT vin, year, make, model, price FROM vehicles'
  the metrics     http://{listen}/metrics   and   http://{listen}/readyz
  the state       {command} status --config {config}
  the books       {command} imports list --config {config}
  your own file   drop a TSV of any dealer into {drop}/incoming/{feed}/
Ctrl-C ends it; what was imported stays for the next start.

"""


def settings(directory: Path, environ: Mapping[str, str]) -> Config:
    """Give the configuration of the trial; the environment may still set HTTP, log, …."""
    return parse(_text(directory), environ, embedded=True)


def _text(directory: Path) -> str:
    home = directory.absolute()
    drop = str(home / "drop")
    return _CONFIG.format(state=str(home), drop=drop, feed=FEED, dealership=DEALERSHIP)


def drop(config: Config) -> None:
    """Drop the sample into the watched folder, whole at once; write the configuration down."""
    written = _written(config)
    written.write_text(_text(written.parent) + "[database]\nembedded = true\n", encoding="utf-8")
    incoming = Path(config.folder[0].path) / "incoming" / FEED
    incoming.mkdir(parents=True, exist_ok=True)
    draft = incoming / f".{_FILE}.part"
    with as_file(files("ingestd.sample") / _FILE) as sample:
        shutil.copyfile(sample, draft)
    draft.replace(incoming / _FILE)


def _written(config: Config) -> Path:
    return Path(config.state_dir) / "config.toml"


class Guide:
    """Says where to look, once the sample is in.  Keeps ``doors.Tell``."""

    def __init__(self, config: Config, url: str, psql: Path) -> None:
        """Take what the sentences name."""
        self._text = _GUIDE.format(
            drop=config.folder[0].path,
            psql=psql,
            url=url,
            listen=config.http.listen,
            command=Path(sys.argv[0]).absolute(),
            config=_written(config),
            feed=FEED,
        )

    def settled(self, settlement: Settlement) -> None:
        """Print the guide after the first delivery."""
        del settlement
        sys.stdout.write(self._text)
        sys.stdout.flush()
        self._text = ""

    def source(self, name: str, *, up: bool) -> None:
        """Say nothing: the log does."""

    def waiting(self, deliveries: int) -> None:
        """Say nothing."""
