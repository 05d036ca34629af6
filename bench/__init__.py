"""Speed, measured on this machine in one run: see ``__main__``."""
