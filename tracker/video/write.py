"""Pictures → an H.264 file: clips that are made, not recorded."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from startrack.tracker.sinks.base import SinkError
from startrack.tracker.types import ImageArray


def write_h264(path: Path, frames: Iterable[ImageArray], *, fps: float, size: tuple[int, int], crf: int = 15) -> None:
    """Write (H, W, 3) uint8 RGB frames in BT.709 colours: as AVI where the name ends so, else as mp4.

    size: width and height, both even. crf: x264's quality, lower is better. Raises SinkError where the file cannot be
    written.
    """
    from startrack.tracker.video.pyav import ColorRange, Colorspace, av

    is_avi = path.suffix.lower() == ".avi"
    # AVI has no timestamps, so its frames must be stored in the order in which they are shown
    options = {"crf": str(crf), "preset": "veryfast"} | ({"bf": "0"} if is_avi else {})
    try:
        with av.open(f"file:{path}", mode="w", format="avi" if is_avi else "mp4") as container:
            rate = Fraction(fps).limit_denominator(1001)
            stream = container.add_stream("libx264", rate=rate, options=options)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.colorspace = Colorspace.ITU709
            stream.codec_context.color_range = ColorRange.MPEG
            for index, image in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                    format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
                )
                frame.pts = index
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as error:
        raise SinkError(f"{path}: cannot be written: {error}") from error
