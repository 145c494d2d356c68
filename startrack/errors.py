"""The error that every error of startrack is one of, and the line that installs a missing package."""


class StartrackError(Exception):
    """Something that a caller can act on: its text names the value and the expected one."""


def install_line(*extras: str) -> str:
    """The command that installs an extra, or one of several."""
    return f"pip install {' or '.join(map(quoted_extra, extras))}"


def quoted_extra(extra: str) -> str:
    """An extra of the distribution that startrack was installed by, in quotes for a shell.

    startrack-core is the same package without OpenCV and ONNX Runtime; an extra of the other one would bring a second
    copy of both.
    """
    from importlib import metadata

    try:
        metadata.distribution("startrack-core")
    except metadata.PackageNotFoundError:
        return f"'startrack[{extra}]'"
    return f"'startrack-core[{extra}]'"
