"""PURE  Rows that are wider than the header: which of its names can still be believed.

A sender adds columns and forgets their names; or a comma in a cell shifts what follows.  Both
make the same widths, so the values decide: a column that holds what its name says (VINs, years,
addresses, prices with a sign) is where it should be, and so is all before it.  What follows the
last of these is left without a name: it is kept as extras, and no field takes it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ingestd.feed.columns import Columns
from ingestd.feed.heading import Layout, looks

Cells = Sequence[str]

#: So many rows must be wider, and more of them than are not.
FEWEST = 3
_AGREEMENT = 0.8
#: Fields whose values cannot be taken for another's.
_PROVEN = ("vin", "year", "price", "url", "images")


def fitted(layout: Layout, columns: Columns, wide: Sequence[Cells]) -> Layout | None:
    """Give the layout as wide as its rows; ``None``: nothing shows that the header is theirs.

    ``columns`` is the mapping by the first cells of the ``wide`` rows.
    """
    last = _last_proven(columns, wide)
    if last is None:
        return None
    width = Counter(map(len, wide)).most_common(1)[0][0]
    names = layout.headers[: last + 1]
    return replace(layout, headers=(*names, *("",) * (width - len(names))))


def _last_proven(columns: Columns, rows: Sequence[Cells]) -> int | None:
    """Give the last column whose values prove its name; ``None`` where VINs or years do not."""
    proven = []
    for name in _PROVEN:
        for index in columns.fields.get(name, ()):
            cells = [row[index] for row in rows if row[index].strip()]
            if looks(name, cells, _AGREEMENT):
                proven.append(index)
            elif name in ("vin", "year") and cells:
                return None
    return max(proven, default=None)


def words(layout: Layout, wide: Sequence[Cells]) -> str:
    """Say that rows have more cells than the header has names, and what to do."""
    width = Counter(map(len, wide)).most_common(1)[0][0]
    return (
        f"the rows have {width} cells and the header has {len(layout.headers)} names, and nothing "
        "shows which name is whose; ask the sender for a name above each column, or for quotes "
        "around cells that hold the delimiter"
    )
