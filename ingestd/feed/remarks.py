"""PURE  What is worth a warning about a file as a whole, told once at its header.

* surplus_cells      rows are wider than the header; names behind the last one that its values
                     prove are not used
* price_not_taken    the only price is a list or retail price, which nobody configured
* prices_in_cents    the layout is one that states prices in cents, and the feed does not say so
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingestd.config import Feed
from ingestd.feed.columns import Columns
from ingestd.feed.mapping import likely_prices
from ingestd.model import Finding


@dataclass(frozen=True, slots=True)
class Remarks:
    """A file's header: its line, its names as they were sent, and how they were read."""

    line: int
    sent: Sequence[str]
    columns: Columns
    feed: Feed

    def found(self) -> Iterator[Finding]:
        """Give the warnings."""
        headers, fields = self.columns.headers, self.columns.fields
        if len(headers) > len(self.sent):
            unsure = [name for name, now in zip(self.sent, headers, strict=False) if name != now]
            yield Finding(self.line, None, "surplus_cells", ", ".join(filter(None, unsure)))
        if "price" not in fields:
            for header in likely_prices(self.columns)[:1]:
                yield Finding(self.line, header, "price_not_taken", "")
        if self.columns.cents and self.feed.prices_in != "cents" and "price" in fields:
            first = headers[fields["price"][0]]
            yield Finding(self.line, first, "prices_in_cents", "")
