"""Plain stacks: the networks that can be calibrated for int8 and run on pairs of pixels."""

from subpixel.models.network import Activation, AddRemembered, Convolution, Network, PeriodicShuffle, Remember


def is_stack(network: Network) -> bool:
    """Convolutions with ReLU or PReLU between, a skip over all and a shuffle at most."""
    kinds = (Convolution, Activation, Remember, AddRemembered, PeriodicShuffle)
    layers = [step for step in network.steps if isinstance(step, Convolution)]
    names = [step.name for step in layers]
    return (
        all(isinstance(step, kinds) for step in network.steps)
        and all(step.kind in ("relu", "prelu") for step in network.steps if isinstance(step, Activation))
        and len(set(names)) == len(names)
        and _adds_only_at_the_end(network)
    )


def _adds_only_at_the_end(network: Network) -> bool:
    steps = network.steps
    last = max((index for index, step in enumerate(steps) if isinstance(step, Convolution)), default=0)
    inside = steps[1:last] if isinstance(steps[0], Remember) else steps[:last]
    return not any(isinstance(step, Remember | AddRemembered | PeriodicShuffle) for step in inside)
