"""Members of another package: well-behaved and ill-behaved classifiers, known to the framework by import path only."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info


class HighPass(ClassifierMixin, BaseEstimator):
    """Reads photographs itself: the energy of neighbour differences, logistic. `mark` is a folder for its traces."""

    def __init__(self, mark: str = "", seconds: float = 0.0, random_state: int | None = None) -> None:
        self.mark = mark
        self.seconds = seconds
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> HighPass:
        self._leave_trace()
        time.sleep(self.seconds)
        self.logistic_ = LogisticRegression().fit(self._energy(X), y)
        self.classes_ = self.logistic_.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.logistic_.predict_proba(self._energy(X))

    def _energy(self, X: Any) -> Any:
        X = np.asarray(X).astype(float)
        return np.stack([np.log1p(np.abs(np.diff(X, axis=axis)).mean((1, 2, 3))) for axis in (1, 2)], axis=1)

    def _leave_trace(self) -> None:
        if self.mark:
            (Path(self.mark) / f"{self.random_state}-{os.getpid()}-{time.time_ns()}").touch()


class Raises(HighPass):
    """Fails in one fold."""

    def fit(self, X: Any, y: Any) -> HighPass:
        if self.random_state == 1:
            raise RuntimeError("this fold cannot be learned\nand a second line")
        return super().fit(X, y)


class HangsInOneFold(HighPass):
    """Never returns from one fold."""

    def fit(self, X: Any, y: Any) -> HighPass:
        if self.random_state == 1:
            self._leave_trace()
            time.sleep(3600)
        return super().fit(X, y)


class Leaves(HighPass):
    """Ends the process, as scripts do."""

    def fit(self, X: Any, y: Any) -> HighPass:
        raise SystemExit(3)


class OwnError(BaseException):
    """No Exception."""


class NoText(RuntimeError):
    def __str__(self) -> str:
        raise ValueError("not even a text")


class Large(HighPass):
    """Its model takes 250 kB."""

    def save(self, folder: Path) -> None:
        (folder / "model.bin").write_bytes(os.urandom(250_000))


class Odd(HighPass):
    """Does in one fold what no member should."""

    def __init__(self, what: str = "", mark: str = "", random_state: int | None = None) -> None:
        super().__init__(mark=mark, random_state=random_state)
        self.what = what

    def fit(self, X: Any, y: Any) -> HighPass:
        if self.random_state == 1:
            getattr(self, self.what)()
        return super().fit(X, y)

    def surrogate(self) -> None:
        raise ValueError("no such file: b\udcffd.png")

    def escapes(self) -> None:
        raise ValueError("\x1b[2J" + "long" * 10_000)

    def base(self) -> None:
        raise OwnError("no Exception")

    def no_text(self) -> None:
        raise NoText

    def moves(self) -> None:
        os.chdir("/")

    def closes(self) -> None:
        sys.stdout.close()
        sys.stderr.close()
        os.close(1)
        os.close(2)

    def hangs_with_a_child(self) -> None:
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,))
        child.start()
        (Path(self.mark) / "child").write_text(str(child.pid))
        time.sleep(3600)

    def reports(self) -> None:
        for words in (("epoch 1", 0.5), (None, None), (float("nan"), "x"), (0.5, "[/x] [red] \udcff")):
            self.on_progress(*words)

    def on_progress(self, *_: Any) -> None:
        """Replaced by the engine."""


class KillsItsWorkerOnce(HighPass):
    """Its process is killed in the first attempt at one fold, as by the system when memory is short."""

    def fit(self, X: Any, y: Any) -> HighPass:
        first = not list(Path(self.mark).glob("1-*"))
        self._leave_trace()
        if self.random_state == 1 and first:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


class Hoards(HighPass):
    """Takes more and more memory in one fold: in its first attempt, or in every one."""

    def __init__(self, mark: str = "", always: bool = False, random_state: int | None = None) -> None:
        super().__init__(mark, 0.0, random_state)
        self.always = always

    def fit(self, X: Any, y: Any) -> HighPass:
        first = not list(Path(self.mark).glob("1-*"))
        if self.random_state == 1:
            self._leave_trace()
            hoard = []
            while first or self.always:
                hoard.append(np.ones(32 * 2**20))  # 256 MiB
                time.sleep(0.2)
                if len(hoard) > 48:
                    raise RuntimeError("nobody has stopped it at 12 GiB")
        return super().fit(X, y)


class Shape(HighPass):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:, 1]


class Rows(HighPass):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:-1]


class NotANumber(HighPass):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X) * np.nan


class OutOfRange(HighPass):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X) * 3 - 1


class Threads(HighPass):
    """Tells as its history how many threads it may use."""

    def fit(self, X: Any, y: Any) -> HighPass:
        import torch  # here alone: workers of the other members need not wait for it

        pools = [pool["num_threads"] for pool in threadpool_info()]
        self.history_ = [{"torch": torch.get_num_threads(), "pools": max(pools), "omp": os.environ["OMP_NUM_THREADS"]}]
        self.history_[0]["score"] = np.float32(0.5)
        return super().fit(X, y)


class Stateful(TransformerMixin, BaseEstimator):
    """Centres photographs by the others that come along: no stateless transformer."""

    def fit(self, X: Any, y: Any = None) -> Stateful:
        return self

    def transform(self, X: Any) -> Any:
        flat = np.asarray(X).reshape(len(X), -1)[:, :50].astype(float)
        return flat - flat.mean(0)


class RaisesFeatures(Stateful):
    def transform(self, X: Any) -> Any:
        raise RuntimeError("no features today")


class Memorises(ClassifierMixin, BaseEstimator):
    """Knows the photographs that it was fitted on, and nothing of any other; takes one size only if it is told so."""

    def __init__(self, size: int = 0, random_state: int | None = None) -> None:
        self.size = size
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Memorises:
        self.seen_ = {self._content(photograph): float(label) for photograph, label in zip(X, y, strict=True)}
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> Any:
        if self.size and X.shape[1] != self.size:
            raise ValueError(f"only {self.size} x {self.size}")
        fake = np.array([self.seen_.get(self._content(photograph), 0.5) for photograph in X])
        return np.stack([1 - fake, fake], axis=1)

    def save(self, folder: Path) -> None:
        (folder / "seen.json").write_text(json.dumps([self.size, self.seen_]))

    @classmethod
    def load(cls, folder: Path) -> Memorises:
        size, seen = json.loads((folder / "seen.json").read_text())
        model = cls(size)
        model.seen_ = seen
        return model

    def _content(self, photograph: Any) -> str:
        return hashlib.sha256(np.ascontiguousarray(photograph).tobytes()).hexdigest()
