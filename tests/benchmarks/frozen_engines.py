"""The same frozen network by every engine: ONNX Runtime beside torch, torch with folded batch norm, and OpenVINO.

`make bench NAME=frozen_engines`; two minutes. One view of 256 px, one thread, batches of the size that the graph was
measured to be fastest with. The last column is the largest difference from torch, relative to the output's largest
value. OpenVINO takes part if it is installed; bfloat16 and int8 stand there for what they would cost.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from members.backbones.network import PhotographNetwork
from members.graphs.cache import Request, made
from members.graphs.make import build_moments
from members.graphs.session import INPUT, Graph

LAYERS = ("blocks.2", "blocks.3", "blocks.4")
NETWORKS = {
    "lite2, stride 1": Request("tf_efficientnet_lite2", "packaged", 1, None, LAYERS, (256, 256)),
    "lite1 at 384 px": Request("tf_efficientnet_lite1", "packaged", None, 384, LAYERS, (256, 256)),
    "lite2 at 512 px": Request("tf_efficientnet_lite2", "packaged", None, 512, LAYERS, (256, 256)),
}
PHOTOGRAPHS, TIMES, EXACT = 8, 3, 1e-4

Outputs = list[npt.NDArray[np.float32]]
Engine = Callable[[npt.NDArray[np.uint8]], Outputs]


def engines(request: Request) -> dict[str, Engine]:
    """Return everything that computes the network here, by name; torch is the reference."""
    graph = made(request).path
    network = build_moments(request).eval()
    found: dict[str, Engine] = {
        "onnxruntime": _onnxruntime(str(graph)),
        "torch": _torch(network),
        "torch, folded batch norm": _torch(_folded(network)),
        "torch, bfloat16": _bfloat16(network),
        "onnxruntime, int8": _onnxruntime(_int8(graph)),
    }
    if importlib.util.find_spec("openvino"):
        found |= {f"openvino, {precision}": _openvino(graph, precision) for precision in ("f32", "bf16")}
    return found


def _onnxruntime(model: str) -> Engine:
    graph = Graph(model, threads=1)
    return lambda photographs: list(graph(photographs).values())


def _torch(network: torch.nn.Module) -> Engine:
    def compute(photographs: npt.NDArray[np.uint8]) -> Outputs:
        with torch.inference_mode():
            return [tensor.float().numpy() for tensor in network(torch.from_numpy(photographs))]

    return compute


def _bfloat16(network: PhotographNetwork) -> Engine:
    def compute(photographs: npt.NDArray[np.uint8]) -> Outputs:
        with torch.autocast("cpu", torch.bfloat16):
            return _torch(network)(photographs)

    return compute


def _folded(network: torch.nn.Module) -> torch.nn.Module:
    """Let torch fold what is constant: batch norm into the convolutions before it."""
    with torch.inference_mode():
        traced = torch.jit.trace(network, torch.zeros((1, 256, 256, 3), dtype=torch.uint8), check_trace=False)
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def _int8(graph: Path) -> str:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target = Path(tempfile.mkdtemp()) / "int8.onnx"
    quantize_dynamic(graph, target, weight_type=QuantType.QUInt8)
    return str(target)


def _openvino(graph: Path, precision: str) -> Engine:
    import openvino

    hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision}
    compiled = openvino.Core().compile_model(str(graph), "CPU", hints)
    return lambda photographs: [np.array(value) for value in compiled({INPUT: photographs}).values()]


def main() -> None:
    """Print a line for each network and engine, and the figures as JSON."""
    torch.set_num_threads(1)
    photographs = np.random.default_rng(0).integers(0, 256, (PHOTOGRAPHS, 256, 256, 3), dtype=np.uint8)
    figures = {}
    for title, request in NETWORKS.items():
        at_once = made(request).at_once
        batches = [photographs[start : start + at_once] for start in range(0, PHOTOGRAPHS, at_once)]
        found = engines(request)
        expected = found["torch"](batches[0])
        spent: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(TIMES):
            for name, engine in found.items():
                engine(batches[0])
                started = time.perf_counter()
                for batch in batches:
                    engine(batch)
                spent[name].append((time.perf_counter() - started) / PHOTOGRAPHS)
        medians = {name: float(np.median(values)) for name, values in spent.items()}
        wrong = {name: _difference(engine(batches[0]), expected) for name, engine in found.items()}
        for name, seconds in medians.items():
            print(f"{title:16} {name:26} {1000 * seconds:7.1f} ms   differs by {wrong[name]:.0e}")  # noqa: T201
        exact = [seconds for name, seconds in medians.items() if wrong[name] <= EXACT and name != "onnxruntime"]
        value = min(exact) / medians["onnxruntime"]
        figures[f"{title}: times the next exact engine"] = {"value": value, "goal": 1.0, "met": value >= 1.0}
    absent = [] if importlib.util.find_spec("openvino") else ["openvino"]
    print(json.dumps({"benchmark": "frozen_engines", "figures": figures, "absent": absent}))  # noqa: T201


def _difference(found: Outputs, expected: Outputs) -> float:
    pairs = zip(found, expected, strict=True)
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


if __name__ == "__main__":
    main()
