"""The error that every error of startrack is one of."""


class StartrackError(Exception):
    """Something that a caller can act on: its text names the value and what was expected."""
