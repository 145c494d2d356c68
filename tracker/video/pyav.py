"""PyAV, loaded after OpenCV: the only file that imports `av`.

Both wheels bring parts of libxcb under equal names, and the dynamic linker gives the copy that was loaded first to
both. With PyAV's copy, cv2.namedWindow spins for ever on Linux/X11, deaf to Ctrl-C (PyAV#978, PyAV#1050; seen with
av 18.1 and opencv-python 5.0.0.93). With OpenCV's copy both work.
"""

from __future__ import annotations

import cv2  # noqa: F401

# isort: split
import av
import av.device
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Disposition
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

__all__ = [
    "AudioCodecContext",
    "AudioResampler",
    "AudioStream",
    "ColorPrimaries",
    "ColorRange",
    "ColorTrc",
    "Colorspace",
    "Disposition",
    "InputContainer",
    "OutputContainer",
    "av",
]
