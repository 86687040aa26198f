"""Runs small graphs in onnxruntime, as they are written: its own rewriting switched off."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

from subpixel.runtime.onnxruntime_options import session_options

# Its warnings concern whoever made the graph; sessions say so for themselves, kernels ask the default logger.
onnxruntime.set_default_logger_severity(4)


class RunFailure(Exception):
    """The runtime refused the graph, or its inputs."""


class Runner:
    """A graph with one output, ready to run on one thread."""

    def __init__(self, model: ModelProto, optimise: bool = False) -> None:
        options = session_options(1, optimise=optimise)
        self._failure: Exception | None = None
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's exceptions share no class but Exception
            self._failure = error

    def __call__(self, feeds: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """The first output.

        Raises:
            RunFailure: the runtime does not take the graph, or not at this size.
        """
        if self._failure is not None:
            raise RunFailure(_line(self._failure)) from self._failure
        try:
            return np.asarray(self._session.run(None, feeds)[0])
        except Exception as error:
            raise RunFailure(_line(error)) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
