"""Data sets of bodies, and what they have in common."""
