"""The one way in which onnxruntime's sessions are opened: threads, optimisations, workers that rest between runs."""

import onnxruntime


def session_options(threads: int | None = None, *, optimise: bool = True) -> onnxruntime.SessionOptions:
    """Options of a session on the CPU.

    By default a session's worker threads go on spinning after a run, to be ready for the next, for longer than a small
    network takes. Sessions that run in turns then compete for the cores (on two cores nano took 31 to 38 ms beside
    three others, and 15 alone), and so does whatever is done between two runs. Here they stop with the run.

    Args:
        threads: of one operator; None leaves onnxruntime's default, one for every core.
        optimise: False runs the graph as it is written.
    """
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 4  # its warnings concern whoever made the graph, not who runs it
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options
