"""Networks that are only read forward, as ONNX graphs on ONNX Runtime. Nothing here imports torch but `export`."""
