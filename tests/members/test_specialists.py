"""The small networks: what they look at, and that they learn from scratch."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch

from members.backbones.specialists import high_pass_kernels, neighbour_differences
from tests.members.photographs import classifier, photographs

NAMES = ["npr_net", "high_pass_net"]


@pytest.mark.parametrize("name", NAMES)
def test_timm_knows_them(name: str) -> None:
    network = timm.create_model(name, num_classes=3).eval()
    pixels = torch.rand(2, 3, 64, 80) * 255
    assert network(pixels).shape == (2, 3)
    assert network.forward_head(network.forward_features(pixels), pre_logits=True).shape == (2, network.num_features)
    with pytest.raises(RuntimeError, match="pretrained"):
        timm.create_model(name, pretrained=True)


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_content_does_not_matter_to_them(name: str, halved: bool) -> None:
    """A photograph that is brighter by a constant looks the same: only differences are seen."""
    network = timm.create_model(name).eval()
    pixels = torch.randint(0, 200, (1, 3, 64, 64)).float()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=halved):
        dark, bright = (network(photograph).float() for photograph in (pixels, pixels + 50))
    torch.testing.assert_close(dark, bright, rtol=1e-3, atol=1e-4)


@pytest.mark.training
@pytest.mark.parametrize(("name", "rate"), [("npr_net", 1e-3), ("high_pass_net", 3e-3)])
def test_they_learn_a_high_frequency_trace_from_scratch(name: str, rate: float) -> None:
    X, y = photographs(96, side=48)
    model = classifier(backbone=name, crop=32, epochs=6, learning_rate=rate).fit(X, y)
    assert model.score(*photographs(64, seed=1, side=48)) > 0.9


def test_neighbour_differences_are_those_of_the_paper() -> None:
    """NPR is x - up(down(x)) with nearest neighbours; its blocks hold a zero and these three differences."""
    pixels = torch.rand(2, 3, 6, 8)
    small = torch.nn.functional.interpolate(pixels, scale_factor=0.5, mode="nearest")
    published = pixels - torch.nn.functional.interpolate(small, scale_factor=2.0, mode="nearest")
    ours = neighbour_differences(pixels)
    for index, (row, column) in enumerate([(0, 1), (1, 0), (1, 1)]):
        torch.testing.assert_close(ours[:, 3 * index : 3 * index + 3], published[..., row::2, column::2])
    assert published[..., ::2, ::2].abs().max() == 0
    assert neighbour_differences(torch.rand(1, 3, 7, 9)).shape == (1, 9, 3, 4)


def test_the_kernels_stop_planes_and_slopes() -> None:
    kernels = high_pass_kernels()
    rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(5.0), indexing="ij")
    assert kernels.abs().amax((1, 2)).tolist() == pytest.approx([1.0] * 5)
    torch.testing.assert_close(kernels.sum((1, 2)), torch.zeros(5), rtol=0, atol=1e-6)
    for slope in (rows, columns):
        torch.testing.assert_close((kernels[2:] * slope).sum((1, 2)), torch.zeros(3), rtol=0, atol=1e-6)
    assert not np.allclose(kernels[4], kernels[4].T * -1)
