"""What a network is shown of a photograph: aligned crops, and alterations that do not look at the class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from members.crops import GRID, crop_grid, views
from members.training.augment import AUGMENTATIONS, JPEG, Sometimes, ThereAndBack, augmentation, random_crops
from tests.members.photographs import classifier, photographs


@given(
    height=st.integers(8, 300),
    width=st.integers(8, 300),
    crop=st.sampled_from([8, 64, 96, 128, 192]),
    seed=st.integers(0),
)
def test_a_grid_of_crops_is_aligned_and_covers_the_photograph(height: int, width: int, crop: int, seed: int) -> None:
    if crop > min(height, width):
        return
    seen = np.zeros((height, width), dtype=int)
    corners = crop_grid((height, width), crop)
    for top, left in corners:
        assert top % GRID == left % GRID == 0
        assert top + crop <= height
        assert left + crop <= width
        seen[top : top + crop, left : left + crop] += 1
    reach = [(side - crop) // GRID * GRID + crop for side in (height, width)]
    assert seen[: reach[0], : reach[1]].all()
    assert all(side - end < GRID for side, end in zip((height, width), reach, strict=True))
    assert len(set(corners)) == len(corners)


def test_four_crops_of_192_cover_256() -> None:
    assert crop_grid((256, 256), 192) == [(0, 0), (0, 64), (64, 0), (64, 64)]
    assert crop_grid((256, 256), 256) == [(0, 0)]


def test_random_crops_are_aligned_pieces_and_reach_every_corner() -> None:
    torch.manual_seed(0)
    positions = torch.arange(40 * 48, dtype=torch.int32).view(1, 40, 48, 1).expand(200, 40, 48, 3)
    pieces = random_crops(positions, 32)
    assert pieces.shape == (200, 32, 32, 3)
    corners = {divmod(int(piece[0, 0, 0]), 48) for piece in pieces}
    assert corners == {(top, left) for top in (0, 8) for left in (0, 8, 16)}
    assert all(
        torch.equal(p, positions[0, t : t + 32, left : left + 32])
        for p in pieces
        for t, left in [divmod(int(p[0, 0, 0]), 48)]
    )


def test_a_view_is_seen_from_all_sides() -> None:
    pixels = torch.arange(16 * 16 * 3).view(1, 16, 16, 3)
    assert [view.shape[1] for view in views(pixels, flip=True, crop=None)] == [16, 16]
    assert [view.shape[1] for view in views(pixels, flip=True, crop=8)] == [8] * 8
    whole, mirrored = views(pixels, flip=True, crop=None)
    assert torch.equal(mirrored, whole.flip(2))


def test_a_crop_learns_and_predicts_the_mean_of_its_grid() -> None:
    X, y = photographs(48, side=48)
    model = classifier(crop=32, flip_tta=False).fit(X, y)
    together = model.predict_proba(X[:3])
    network, corners = model.network_, crop_grid((48, 48), 32)
    assert len(corners) == 4
    with torch.inference_mode():
        each = [network(torch.from_numpy(X[:3, t : t + 32, left : left + 32].copy())) for t, left in corners]
    np.testing.assert_allclose(together, torch.stack(each).double().mean(0).softmax(1).numpy(), rtol=1e-6)


def test_a_crop_larger_than_the_photographs_is_named() -> None:
    with pytest.raises(ValueError, match="crop=64 is larger than the photographs, which are 32 x 32"):
        classifier(crop=64).fit(*photographs(8))


@pytest.mark.parametrize("strength", AUGMENTATIONS)
def test_augmentation_keeps_shape_and_type_and_its_input(strength: str) -> None:
    torch.manual_seed(0)
    X = torch.from_numpy(photographs(32)[0])
    before = X.clone()
    altered = augmentation(strength)(X)
    assert altered.shape == X.shape
    assert altered.dtype == torch.uint8
    assert torch.equal(X, before)


def test_light_leaves_most_pixels() -> None:
    torch.manual_seed(0)
    X = torch.from_numpy(photographs(64)[0])
    altered = augmentation("light")(X)
    unlike = [not (torch.equal(a, b) or torch.equal(a, b.flip(1))) for a, b in zip(altered, X, strict=True)]
    assert 0 < sum(unlike) < 32  # about one in five is blurred or compressed, the others at most mirrored


def test_every_photograph_has_its_own_draw() -> None:
    torch.manual_seed(0)
    same = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8).expand(64, -1, -1, -1)
    for alter in (JPEG((40, 95)), ThereAndBack((0.6, 1.4))):
        altered = Sometimes(0.5, alter)(same)
        distinct = {photograph.numpy().tobytes() for photograph in altered}
        assert 5 < len(distinct) < 45
        assert 16 < sum(torch.equal(photograph, same[0]) for photograph in altered) < 48
