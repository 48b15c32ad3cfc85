"""Engines that run a network on a CPU: PyTorch in fast forms, OpenVINO, ONNX Runtime; export."""
