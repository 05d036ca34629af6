"""PURE  Names as they are compared, whoever wrote them."""


def fold(name: str) -> str:
    """Reduce a name to its letters and digits, case folded."""
    return "".join(filter(str.isalnum, name.casefold()))
