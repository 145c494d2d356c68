"""Data sets of bodies, and their common parts."""
