"""startrack follows every face of a video, camera or stream: its landmarks, frame by frame, with an uncertainty each.

In a checkout the packages tracker, train, engines and commands lie next to this folder and are links in it; where links
are plain text files (Windows), the folder that holds them is searched too.
"""

from pathlib import Path

_HERE = Path(__file__).resolve().parent
if not (_HERE / "tracker").is_dir():
    __path__.append(str(_HERE.parent))
