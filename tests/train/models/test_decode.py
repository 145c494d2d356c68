from __future__ import annotations

import numpy as np
import pytest
import torch

from startrack.engines.decode import soft_argmax as reference
from startrack.engines.decode import spread_score as reference_score
from startrack.engines.decode import stretched_soft_argmax as stretched_reference
from startrack.train.models.decode import soft_argmax, spread_score


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("stretched", [False, True])
def test_torch_twin_agrees_with_the_reference_to_a_hundredth_of_a_cell(seed: int, stretched: bool) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.uniform(0.1, 8), (2, 7, 24, 32))
    maps = torch.from_numpy(logits).flatten(2).softmax(-1).view(2, 7, 24, 32)
    expected = (stretched_reference if stretched else reference)(maps.numpy(), stride=4)
    got = soft_argmax(maps.float(), stride=4, stretched=stretched)
    np.testing.assert_allclose(got.points, expected.points, atol=0.04)
    covariance = np.stack(
        [expected.covariance[..., 0, 0], expected.covariance[..., 0, 1], expected.covariance[..., 1, 1]], -1
    )
    np.testing.assert_allclose(got.covariance, covariance, atol=0.02, rtol=1e-3)
    np.testing.assert_allclose(spread_score(got.covariance, 128), reference_score(expected.covariance, 128), atol=1e-4)


def test_gradient_is_finite_on_a_peak_of_one_cell() -> None:
    logits = torch.full((1, 1, 8, 8), -80.0)
    logits[0, 0, 3, 5] = 80.0
    logits.requires_grad_()
    maps = logits.flatten(2).softmax(-1).view(1, 1, 8, 8)
    moments = soft_argmax(maps, stride=4)
    torch.testing.assert_close(moments.points, torch.tensor([[[4 * 5.5 - 0.5, 4 * 3.5 - 0.5]]]))
    (moments.points.sum() + moments.covariance.sum()).backward()
    assert torch.isfinite(logits.grad).all()
