"""WIRE  ``python -m ingestd`` and the console script."""

from ingestd.cli import main

if __name__ == "__main__":
    main()
