"""Runs a network's ONNX graph: one session interface over onnxruntime, OpenVINO and PyTorch."""

from subpixel.runtime.session import PRECISIONS, RUNTIMES, Session, open_session

__all__ = ["PRECISIONS", "RUNTIMES", "Session", "open_session"]
