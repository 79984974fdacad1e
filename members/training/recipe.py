"""How a network is fitted, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network is fitted; `members.cnn.ImageClassifier` documents the fields."""

    epochs: int
    batch_size: int
    learning_rate: float
    layer_decay: float
    weight_decay: float
    label_smoothing: float
    warmup_fraction: float
    average_last: int
    moving_average: float | None
    validation_fraction: float
    patience: int
    crop: int | None
    augment: str
    torch_compile: bool

    def check(self) -> None:
        """Refuse ways of choosing the final weights that exclude each other."""
        ways = {
            "average_last": self.average_last > 1,
            "moving_average": self.moving_average is not None,
            "validation_fraction": self.validation_fraction > 0,
        }
        chosen = [name for name, is_chosen in ways.items() if is_chosen]
        if len(chosen) > 1:
            raise ValueError(f"{' and '.join(chosen)} each say which weights remain in the end; set one of them")
        if self.average_last > self.epochs:
            raise ValueError(f"average_last={self.average_last} is more than the {self.epochs} epochs that there are")
