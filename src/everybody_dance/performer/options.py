"""What may be asked of a performer, by name."""

AUTO, TORCH, OPENVINO, INT8 = "auto", "torch", "openvino", "openvino-int8"
RUNTIMES = (AUTO, TORCH, OPENVINO, INT8)
"""What paints: the fastest here whose pictures are PyTorch's; PyTorch; OpenVINO; OpenVINO in 8-bit integers."""
