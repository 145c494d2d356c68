"""Files as the STAR code writes them, made here: its published weights are not part of the tests."""

from __future__ import annotations

from collections import Counter, OrderedDict
from pathlib import Path

import pytest
import torch

from startrack.engines.base import EngineError
from startrack.train.models.star_hourglass import official_state_dict
from startrack.train.recipes.load import load_landmark_network
from startrack.train.recipes.official_weights import read_official
from startrack.train.recipes.star import STAR_SPECS, star_network
from tests.commands.invoke import done, message, run
from tests.train.models.test_star_landmarks import crops, lively


def save_official(path: Path, name: str, **entries: object) -> dict[str, torch.Tensor]:
    """A checkpoint of the STAR code; returns the average's state under our names."""
    torch.manual_seed(4)
    plain = star_network(STAR_SPECS[name])[0]
    average = lively(star_network(STAR_SPECS[name])[0])
    content = {
        "net": OrderedDict(official_state_dict(plain)),
        "net_ema": OrderedDict((f"module.{key}", value) for key, value in official_state_dict(average).items()),
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-3}]},
        "scheduler": {"milestones": Counter([200, 350, 450]), "last_epoch": 3},
        "epoch": 3,
    }
    torch.save({**content, **entries}, path)
    return average.state_dict()


@pytest.mark.parametrize("name", ["star-300w", "star-wflw", "star-cofw"])
def test_official_weights_there_and_back(name: str, tmp_path: Path) -> None:
    average = save_official(tmp_path / "model.pkl", name)
    for entry in ("net", "net_ema"):
        loaded = read_official(tmp_path / "model.pkl", entry)
        assert loaded.spec.name == name
        same = [torch.equal(value, average[key]) for key, value in loaded.network.state_dict().items()]
        assert all(same) == (entry == "net_ema")


def test_the_command_writes_weights_that_run(tmp_path: Path) -> None:
    save_official(tmp_path / "model.pkl", "star-cofw")
    out = tmp_path / "weights.safetensors"
    told = done("import-weights", tmp_path / "model.pkl", "--out", out, "--entry", "net_ema")
    assert "star-cofw, 29 landmarks" in told.output
    spec, deployed = load_landmark_network(out)
    assert (spec.colour_order, spec.crop_scale) == ("bgr", 0.99)
    with torch.inference_mode():
        points = deployed.eval()(torch.from_numpy(crops(256, 1))).points
    assert points.shape == (1, 29, 2)
    assert torch.isfinite(points).all()
    assert "exists" in message(run("import-weights", tmp_path / "model.pkl", "--out", out), 5)


def test_what_is_no_such_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    with pytest.raises(EngineError, match=r"model\.pkl: not readable weights of the STAR code: No such file"):
        read_official(path)
    for content in (b"", b"text", b"PK\x03\x04broken"):
        path.write_bytes(content)
        with pytest.raises(EngineError, match=r"model\.pkl: not readable"):
            read_official(path)
    torch.save({"state_dict": {}, "epoch": 3}, path)
    with pytest.raises(EngineError, match=r"no weights 'net' in it, found state_dict, epoch; expected net or net_ema"):
        read_official(path)
    torch.save([1], path)
    with pytest.raises(EngineError, match=r"found list"):
        read_official(path)
    torch.save({"net": {"a": 3}}, path)
    with pytest.raises(EngineError, match=r"more than tensors"):
        read_official(path)
    torch.save({"net": {"out_heatmaps.0.conv.weight": torch.zeros(19, 256, 1, 1)}}, path)
    with pytest.raises(EngineError, match=r"for 19 landmarks; expected .* 68, 98, 29"):
        read_official(path)


def test_missing_and_left_over_names_are_told(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    save_official(path, "star-cofw")
    state = dict(torch.load(path, weights_only=True)["net"])
    del state["pre.0.conv.bias"]
    save_official(path, "star-cofw", net={**state, "more.weight": torch.zeros(1)})
    with pytest.raises(EngineError, match=r"missing \['pre\.0\.conv\.bias'\], unknown \['more\.weight'\]"):
        read_official(path)


def test_a_file_that_would_execute_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"net": Evil()}, tmp_path / "model.pkl")
    with pytest.raises(EngineError, match=r"model\.pkl: not readable"):
        read_official(tmp_path / "model.pkl")
    assert not (tmp_path / "executed").exists()
