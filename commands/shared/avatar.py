"""The outputs that move avatars: protocol's name and HOST:PORT → sink."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from startrack.tracker.schemes import LandmarkScheme
    from startrack.tracker.sinks.base import Sink


def open_avatar_sinks(addresses: Mapping[str, str | None], scheme: LandmarkScheme, *, vrm: str) -> Iterator[Sink]:
    """addresses: openseeface, osc and vmc → HOST:PORT, None for those not wanted. scheme: of the landmark model.
    vrm: version of VRM whose names VMC sends.

    Raises SinkError where a host has no address or a package is missing, BadParameter if the model's landmarks do not
    give the values that the protocol needs.
    """
    from startrack.tracker.sinks import openseeface_sink, osc_sink, vmc_sink
    from startrack.tracker.sinks.datagrams import parse_address

    for name, address in addresses.items():
        if address is None:
            continue
        if name != "osc" and not scheme.ibug_68:
            what = f"the model gives {scheme.name} landmarks; expected ibug_68, or a markup that has them"
            raise typer.BadParameter(what, param_hint=f"--{name}")
        match name:
            case "openseeface":
                yield openseeface_sink.OpenSeeFaceSink(
                    *parse_address(address, openseeface_sink.DEFAULT_PORT), scheme=scheme
                )
            case "osc":
                yield osc_sink.OscSink(*parse_address(address, osc_sink.DEFAULT_PORT))
            case _:
                yield vmc_sink.VmcSink(*parse_address(address, vmc_sink.DEFAULT_PORT), vrm=vrm)
