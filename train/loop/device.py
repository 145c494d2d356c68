"""Where torch runs, and how exactly it multiplies."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch

from startrack.engines.base import EngineError

Precision: TypeAlias = Literal["float32", "tf32", "bfloat16"]
"""float32: to the last bit; tf32: float32 with factors rounded to 10 bits in NVIDIA's tensor cores; bfloat16: the
network's products in bfloat16, the rest in float32."""


def torch_device(name: str) -> str:
    """ "auto", "cpu" or "cuda" → torch's name; auto is the CPU. Raises EngineError where there is no GPU for "cuda"."""
    if name == "cuda" and not torch.cuda.is_available():
        raise EngineError("device cuda: torch finds no NVIDIA GPU here; expected cpu")
    return "cpu" if name == "auto" else name


def set_float32_products(precision: Precision) -> None:
    """Allow or forbid TF32 for this process; torch's own default allows it in convolutions alone."""
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")


BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Names of torch.cpu.get_capabilities for instructions that multiply bfloat16, of x86 and Arm."""


def multiplies_bfloat16(device: str) -> bool:
    """Whether the hardware has instructions for bfloat16. Without them products in bfloat16 take a CPU about three
    times as long as in float32.

    device: torch's name.
    """
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in BFLOAT16_UNITS)
