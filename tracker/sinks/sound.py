"""The sound of a source for its tracked mp4: AAC is copied, everything else becomes AAC, which all players play."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from startrack.closing import Closing
from startrack.tracker.video.opening import open_container, reason, start_of, video_of
from startrack.tracker.video.pyav import AudioCodecContext, AudioResampler, AudioStream, OutputContainer, av

PREROLL_S = 0.1
"""Sound kept from before the first frame: decoders need it to begin cleanly, players do not play it."""
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Samples per second that every AAC player takes."""
BIT_RATE = 128_000


class Sound(Closing):
    """Sound of another file, moved to where the first written frame is time 0."""

    def __init__(self, name: str, output: OutputContainer, start: Fraction) -> None:
        """start: time_s of the first written frame; a file without sound gives none.

        Raises SourceError, ValueError or av.FFmpegError if there is sound that cannot be taken over.
        """
        self._name, self._output, self._start = name, output, start
        self._packets: Iterator[av.Packet[AudioStream]] = iter(())
        self._waiting: av.Packet[AudioStream] | None = None
        self._time_base, self._origin_s, self._shift = Fraction(1), Fraction(0), 0
        self._transcoder: _Transcoder | None = None
        self._source = open_container(name, name if "://" in name else f"file:{name}")
        try:
            if self._source.streams.audio:
                self._add(self._source.streams.audio[0])
        except BaseException:
            self._source.close()
            raise

    def _add(self, stream: AudioStream) -> None:
        codec = stream.codec_context
        if codec is None:
            raise ValueError("sound of an unknown codec")
        self._time_base = stream.time_base or Fraction(1, stream.rate)
        if self._source.streams.video:
            self._origin_s = start_of(video_of(self._source, self._name))
        self._shift = round((self._origin_s + self._start) / self._time_base)
        # AAC of a broadcast (ADTS) has no configuration of its own, which mp4 needs
        if codec.name == "aac" and codec.extradata:
            self._stream = self._output.add_stream_from_template(stream)
        else:
            self._transcoder = _Transcoder(codec, self._output)
        if self._start > 0:
            self._source.seek(self._shift, stream=stream, backward=True)
        self._packets = self._source.demux(stream)

    def write_until(self, until_s: float) -> str | None:
        """Take over what begins before until_s (time_s of the source); a note if the sound breaks off."""
        until = round((self._origin_s + Fraction(until_s)) / self._time_base) - self._shift
        try:
            while (packet := self._next()) is not None and packet.pts is not None and packet.pts < until:
                self._waiting = None
                self._write(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._packets, self._transcoder, self._waiting = iter(()), None, None
            return f"{self._name}: the sound breaks off before {until_s:.3f} s: {reason(error)}"
        return None

    def _write(self, packet: av.Packet[AudioStream]) -> None:
        if self._transcoder is None:
            packet.stream = self._stream
            self._output.mux(packet)
        else:
            self._transcoder.write(packet, self._time_base)

    def finish(self) -> None:
        """Write the frames that the encoder holds back. Raises av.FFmpegError or OSError."""
        if self._transcoder is not None:
            self._transcoder.finish()

    def _next(self) -> av.Packet[AudioStream] | None:
        """The packet that comes next, on the output's clock; None after the last one."""
        earliest = -round(PREROLL_S / self._time_base)
        while self._waiting is None:
            packet = next(self._packets, None)
            if packet is None:
                return None
            if packet.pts is None or packet.dts is None or packet.pts - self._shift < earliest:
                continue
            packet.pts, packet.dts = packet.pts - self._shift, packet.dts - self._shift
            self._waiting = packet
        return self._waiting

    def close(self) -> None:
        """Close the source of the sound. Safe to call twice."""
        self._source.close()


class _Transcoder:
    """Packets of any codec → AAC in the output."""

    def __init__(self, codec: AudioCodecContext, output: OutputContainer) -> None:
        rate = min((known for known in AAC_RATES if known >= (codec.sample_rate or 48000)), default=AAC_RATES[-1])
        layout = "mono" if codec.layout.nb_channels == 1 else "stereo"
        self._output = output
        self._stream = output.add_stream("aac", rate=rate, layout=layout, bit_rate=BIT_RATE)
        self._resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
        self._rate = rate
        self._sample: int | None = None
        """Number of the next sample of the output."""

    def write(self, packet: av.Packet[AudioStream], time_base: Fraction) -> None:
        """packet: on the output's clock, in units of time_base."""
        begins = round((packet.pts or 0) * time_base * self._rate)
        for frame in packet.decode():
            frame.pts = None
            for part in self._resampler.resample(frame):
                # the samples say how long the sound is; a jump of over 50 ms in the packets' times is kept
                if self._sample is None or abs(begins - self._sample) > self._rate // 20:
                    self._sample = max(begins, self._sample or begins)
                self._encode(part)
                begins = self._sample or begins

    def _encode(self, part: av.AudioFrame) -> None:
        part.pts, part.time_base = self._sample, Fraction(1, self._rate)
        self._sample = (self._sample or 0) + part.samples
        self._output.mux(self._stream.encode(part))

    def finish(self) -> None:
        for part in self._resampler.resample(None):
            self._encode(part)
        self._output.mux(self._stream.encode(None))
