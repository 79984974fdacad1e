"""Types of arrays that many modules share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.core.storage.array_file import ArrayFile

Array = NDArray[np.float64]
Logits = NDArray[np.float32]  # (rows, members), a member's column in one piece of memory
Pixels = NDArray[np.uint8] | ArrayFile  # (photographs, height, width, 3), in memory or in a file
Labels = NDArray[np.int64]  # (rows,), 1 is fake
Folds = NDArray[np.int64]  # (rows,), the fold that each row is held out in
