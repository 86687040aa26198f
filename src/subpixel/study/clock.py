"""Networks against the clock of one runtime, with random weights: roughly one by one, or exactly in turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from subpixel.models.network import Network
from subpixel.models.onnx_graph import onnx_graph
from subpixel.models.random_weights import random_weights
from subpixel.runtime.session import Session, open_session


@dataclass(frozen=True)
class Clock:
    """Times networks on one runtime.

    Attributes:
        runtime: "onnxruntime" or "openvino".
        size: width and height of the LR picture.
        threads: of the runtime.
    """

    runtime: str
    size: tuple[int, int]
    threads: int

    def quickest(self, network: Network) -> float:
        """Milliseconds of the faster of two runs: they cannot be compared with what ran at another time but roughly."""
        session, x = self._session(network), self._picture()
        session.run(x)  # warms up
        return 1e3 * min(_seconds(session, x) for _ in range(2))

    def race(self, networks: Sequence[Network], rounds: int) -> tuple[list[list[float]], float]:
        """Each network's times in units of the first's, round by round, and the first's median in milliseconds.

        All run once a round, so that load falls on all alike.
        """
        sessions, x = [self._session(network) for network in networks], self._picture()
        times = [[_seconds(session, x) for session in sessions] for _ in range(rounds + 1)][1:]  # the first warms up
        ratios = [[once[at] / once[0] for once in times] for at in range(len(networks))]
        return ratios, 1e3 * median(once[0] for once in times)

    def _session(self, network: Network) -> Session:
        graph = onnx_graph(network, random_weights(network))
        return open_session(graph, runtime=self.runtime, threads=self.threads, precision="f32")

    def _picture(self) -> NDArray[np.float32]:
        return np.random.default_rng(0).random((1, 1, self.size[1], self.size[0]), np.float32)


def _seconds(session: Session, x: NDArray[np.float32]) -> float:
    start = perf_counter()
    session.run(x)
    return perf_counter() - start
