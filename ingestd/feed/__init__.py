"""PURE  A file becomes rows: route, decode, table, mapping, values, identity, encode."""
