"""Sessions: the runtimes agree, `auto` remembers, and bad files are refused in a sentence."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from subpixel.errors import InputError, MissingExtra, UsageError
from subpixel.runtime import RUNTIMES, choice, open_session
from subpixel.runtime import session as session_module
from subpixel.runtime.cores import _quota, available_cores
from subpixel.runtime.session import installed
from subpixel.upscaling.upscaler import open_upscaler

HERE = [name for name in RUNTIMES if installed(name)]


def picture(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def graph_of(nodes, tensors, channels=1, inputs=None):
    body = helper.make_graph(
        nodes,
        "test",
        inputs or [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, "H", "W"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in tensors.items()],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize("runtime", HERE)
def test_runtimes_agree(espcn_graph, runtime):
    model, x = espcn_graph(3), picture(1, 1, 19, 23)
    session = open_session(model, runtime=runtime, threads=1)
    y = session.run(x)
    assert (session.runtime, session.threads, session.precision) == (runtime, 1, "f32")
    assert y.shape == (1, 1, 57, 69)
    assert y.dtype == np.float32
    expected = open_session(model, runtime="onnxruntime", threads=1).run(x)
    # About 600 terms of size up to 1 at round-off 6e-8; what they agree to is far below.
    np.testing.assert_allclose(y, expected, atol=2e-5)
    assert np.abs(expected - expected.mean()).max() > 0.1  # and it is no flat picture that they agree on


@pytest.mark.parametrize("runtime", HERE)
def test_a_result_outlives_the_next_run(espcn_graph, runtime):
    session = open_session(espcn_graph(2), runtime=runtime, threads=1)
    first = session.run(picture(1, 1, 12, 9))
    kept = first.copy()
    session.run(picture(1, 1, 12, 9, seed=1))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("runtime", HERE)
def test_an_input_of_another_layout_in_memory(espcn_graph, runtime):
    session = open_session(espcn_graph(2), runtime=runtime, threads=1)
    x = picture(1, 1, 12, 9)
    turned = np.asfortranarray(x)
    np.testing.assert_array_equal(session.run(turned), session.run(x))


@pytest.mark.parametrize("runtime", HERE)
def test_a_wrong_size_is_refused_in_a_sentence(espcn_graph, runtime):
    session = open_session(espcn_graph(2), runtime=runtime, threads=1)
    with pytest.raises(InputError, match=f"^{runtime} cannot run this network on 1×2×8×8: ") as caught:
        session.run(picture(1, 2, 8, 8))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif("torch" not in HERE, reason="PyTorch is not installed")
@pytest.mark.parametrize(
    ("name", "inputs", "attributes", "tensors"),
    [
        ("Conv", ["x", "w"], {"pads": [0, 1, 2, 3]}, {"w": np.arange(2 * 4 * 9).reshape(2, 4, 3, 3)}),
        ("Conv", ["x", "w", "b"], {"pads": [2] * 4, "dilations": [2, 2], "strides": [2, 1]},
         {"w": np.arange(2 * 4 * 9).reshape(2, 4, 3, 3), "b": [5, 7]}),
        ("Conv", ["x", "w"], {"group": 4}, {"w": np.arange(8).reshape(8, 1, 1, 1)}),
        ("ConvTranspose", ["x", "w"], {"pads": [1, 2, 0, 1], "strides": [3, 2], "output_padding": [1, 1]},
         {"w": np.arange(4 * 3 * 12).reshape(4, 3, 3, 4)}),
        ("ConvTranspose", ["x", "w"], {"pads": [1] * 4, "strides": [2, 2], "group": 2},
         {"w": np.arange(4 * 3 * 16).reshape(4, 3, 4, 4)}),
        ("DepthToSpace", ["x"], {"blocksize": 2}, {}),
        ("DepthToSpace", ["x"], {"blocksize": 2, "mode": "CRD"}, {}),
        ("PRelu", ["x", "w"], {}, {"w": np.arange(4).reshape(4, 1, 1)}),
        ("LeakyRelu", ["x"], {"alpha": 0.5}, {}),
        ("Relu", ["x"], {}, {}),
        ("Clip", ["x", "", "w"], {}, {"w": 3}),
        ("Concat", ["x", "x"], {"axis": 1}, {}),
        ("Sub", ["w", "x"], {}, {"w": np.arange(4).reshape(4, 1, 1)}),
        ("Div", ["x", "w"], {}, {"w": 4}),
        ("Transpose", ["x"], {"perm": [0, 1, 3, 2]}, {}),
    ],
)  # fmt: skip
def test_torch_computes_what_onnxruntime_does(name, inputs, attributes, tensors):
    model = graph_of([helper.make_node(name, inputs, ["y"], **attributes)], tensors, channels=4)
    x = np.random.default_rng(0).integers(-9, 9, (1, 4, 5, 7)).astype(np.float32)
    expected = open_session(model, runtime="onnxruntime", threads=1).run(x)
    np.testing.assert_array_equal(open_session(model, runtime="torch", threads=1).run(x), expected)


@pytest.mark.skipif("torch" not in HERE, reason="PyTorch is not installed")
def test_torch_leaves_the_process_its_threads_and_refuses_by_name(espcn_graph):
    import torch

    before = torch.get_num_threads()
    open_session(espcn_graph(2), runtime="torch", threads=before + 1).run(picture(1, 1, 8, 8))
    assert torch.get_num_threads() == before
    model = graph_of([helper.make_node("Erf", ["x"], ["y"], name="gelu")], {})
    with pytest.raises(InputError, match=r"runtime torch has no operator Erf \(node 'gelu'\)"):
        open_session(model, runtime="torch")
    padded = helper.make_node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER")
    model = graph_of([padded], {"w": np.ones((1, 1, 3, 3))})
    with pytest.raises(InputError, match="auto_pad SAME_UPPER is not supported"):
        open_session(model, runtime="torch").run(picture(1, 1, 8, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorrt"}, "unknown runtime 'tensorrt': choose auto, onnxruntime, openvino, torch"),
        ({"precision": "int4"}, "unknown precision 'int4': choose auto, f32, bf16, int8"),
        ({"precision": "int8"}, "precision int8 needs a network that was calibrated for it, and this one was not"),
        ({"threads": 0}, "threads must be from 1 to 256, not 0"),
        ({"threads": 257}, "threads must be from 1 to 256, not 257"),
        ({"runtime": "onnxruntime", "precision": "bf16"}, "bf16 needs the runtime openvino, not onnxruntime"),
    ],
)
def test_impossible_settings(espcn_graph, options, message):
    with pytest.raises(UsageError, match=message):
        open_session(espcn_graph(2), **options)


def test_a_runtime_that_is_not_installed(espcn_graph, monkeypatch):
    monkeypatch.setattr(session_module, "installed", lambda name: False)
    with pytest.raises(MissingExtra, match=r"pip install 'subpixel\[torch\]'"):
        open_session(espcn_graph(2), runtime="torch")
    with pytest.raises(MissingExtra, match="openvino is not installed here: pip install openvino"):
        open_session(espcn_graph(2), runtime="openvino")


@pytest.mark.skipif("openvino" not in HERE, reason="OpenVINO is not installed")
def test_bf16_is_coarse_or_refused(espcn_graph):
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(UsageError, match="this processor does not compute in bf16"):
            open_session(espcn_graph(2), precision="bf16")
        return
    session = open_session(espcn_graph(2), precision="bf16", threads=1)
    assert (session.runtime, session.precision) == ("openvino", "bf16")
    x = picture(1, 1, 16, 16)
    y = open_session(espcn_graph(2), runtime="openvino", threads=1).run(x)
    assert 0 < np.abs(session.run(x) - y).max() < 0.05


TWO_FIRST_RUNS = """
import sys, threading
sys.setswitchinterval(1e-6)
import subpixel.runtime.on_openvino
import openvino
together = threading.Barrier(2)
def first():
    together.wait()
    openvino.Type.u8.to_dtype()
threads = [threading.Thread(target=first) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.skipif("openvino" not in HERE, reason="OpenVINO is not installed")
def test_two_threads_may_begin_with_openvino_at_once():
    """Without what on_openvino does on import, two of five such processes wait for good."""
    for _ in range(3):
        processes = [subprocess.Popen([sys.executable, "-c", TWO_FIRST_RUNS]) for _ in range(3)]
        try:
            assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
        finally:
            for process in processes:
                process.kill()
                process.wait()


@pytest.mark.skipif("openvino" not in HERE, reason="OpenVINO is not installed")
def test_openvino_reports_to_nobody():
    code = "import sys, subpixel.runtime.on_openvino; print([m for m in sys.modules if 'openvino_telemetry' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# What `auto` remembers.


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SUBPIXEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "_BUDGET", 0.02)
    return tmp_path / "cache"


needs_two = pytest.mark.skipif(len(HERE) < 2 or "openvino" not in HERE, reason="auto has no choice here")


@needs_two
def test_auto_measures_once_and_remembers(espcn_graph, cache, monkeypatch):
    first = open_session(espcn_graph(2), threads=1).runtime
    (file,) = cache.rglob("*.json")
    noted = json.loads(file.read_text())
    assert noted["runtime"] == first
    assert f"{first}, f32" == min(noted["ms"], key=noted["ms"].get)
    assert set(noted["ms"]) == {"onnxruntime, f32", "openvino, f32"}
    assert set(noted["versions"]) == {"onnxruntime", "openvino"}

    def never(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(choice, "_measure", never)
    other = next(name for name in noted["versions"] if name != first)
    file.write_text(json.dumps({**noted, "runtime": other}))
    assert open_session(espcn_graph(2), threads=1).runtime == other  # it is the note that decides
    for model, threads in ((espcn_graph(2), 2), (espcn_graph(3), 1)):  # and these are other questions
        with pytest.raises(AssertionError, match="measured again"):
            open_session(model, threads=threads)


@needs_two
@pytest.mark.parametrize("runtime", ["auto", "openvino"])
@pytest.mark.parametrize("bf16", [0.5, 2.0])
def test_auto_takes_bf16_only_where_it_is_close_and_faster(espcn_graph, cache, monkeypatch, runtime, bf16):
    asked = []

    def measure(graph, candidates, threads):
        asked.append(candidates)
        return {candidate: bf16 if candidate[1] == "bf16" else 1.0 for candidate in candidates}

    monkeypatch.setattr(choice, "_measure", measure)
    opened = []
    monkeypatch.setattr(session_module, "open_on", lambda *arguments: opened.append(arguments))
    open_session(espcn_graph(2), runtime=runtime, threads=1, close=("bf16",))
    assert ("openvino", "bf16") in asked[0]
    assert ("onnxruntime", "bf16") not in asked[0]
    assert (opened[0][0], opened[0][3]) == ("openvino", "bf16") if bf16 < 1 else opened[0][3] == "f32"
    asked.clear()
    open_session(espcn_graph(2), runtime=runtime, threads=1)
    assert asked in ([], [[("onnxruntime", "f32"), ("openvino", "f32")]])
    assert opened[1][3] == "f32"


@needs_two
@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"runtime": 3}', b'{"runtime": "abacus"}', b"\xff"])
def test_a_damaged_note_is_measured_again(espcn_graph, cache, damage):
    open_session(espcn_graph(2), threads=1)
    (file,) = cache.rglob("*.json")
    file.write_bytes(damage)
    assert open_session(espcn_graph(2), threads=1).runtime in HERE
    assert json.loads(file.read_text())["runtime"] in HERE


@needs_two
def test_nowhere_to_write_the_note(espcn_graph, cache):
    cache.write_text("a file where the folder should be")
    assert open_session(espcn_graph(2), threads=1).runtime in HERE


@needs_two
@pytest.mark.parametrize("broken", ["onnxruntime", "openvino"])
def test_auto_passes_over_a_runtime_that_refuses_the_graph(espcn_graph, cache, monkeypatch, broken):
    def open_on(name, *arguments):
        if name == broken:
            raise InputError(f"{name} has no such operator")
        return session_module.open_on(name, *arguments)

    monkeypatch.setattr(choice, "open_on", open_on)
    assert choice.choose({"f32": espcn_graph(2)}, 1) == (({"onnxruntime", "openvino"} - {broken}).pop(), "f32")


def u_net(multiple):
    """Down by `multiple`, up again, and a skip connection that only multiples of it can meet; ×2."""
    flat = [multiple, multiple]
    nodes = [
        helper.make_node("Conv", ["x", "down"], ["low"], strides=flat, kernel_shape=flat),
        helper.make_node("ConvTranspose", ["low", "down"], ["up"], strides=flat, kernel_shape=flat),
        helper.make_node("Concat", ["up", "x"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "last"], ["phases"]),
        helper.make_node("DepthToSpace", ["phases"], ["y"], blocksize=2, mode="CRD"),
    ]
    last = np.zeros((4, 2, 1, 1))
    last[:, 1] = 1
    return graph_of(nodes, {"down": np.full((1, 1, *flat), 1 / multiple**2), "last": last})


@pytest.mark.parametrize("multiple", [8, 16, 32, 64])
def test_auto_takes_a_network_that_asks_for_multiples(cache, monkeypatch, tmp_path, multiple):
    monkeypatch.setattr(choice, "_BUDGET", 1.2)
    onnx.save(u_net(multiple), tmp_path / "u.onnx")
    upscaler = open_upscaler(tmp_path / "u.onnx", threads=1)
    assert (upscaler.scale, upscaler.contract.multiple) == (2, multiple)
    y = 16 + 219 * picture(50, 90)
    np.testing.assert_allclose(upscaler.upscale_luma(y), y.repeat(2, 0).repeat(2, 1), rtol=1e-4)


@needs_two
@pytest.mark.parametrize("sizes", [((64, 64), (90, 160)), ((90, 160), (64, 64))])
def test_a_size_that_is_refused_ends_the_measuring(cache, monkeypatch, sizes):
    monkeypatch.setattr(choice, "_BUDGET", 1.2)
    monkeypatch.setattr(choice, "_SIZES", sizes)
    assert open_session(u_net(64), threads=1).runtime in HERE


def test_a_network_for_multiples_beyond_64_is_refused(cache, tmp_path):
    onnx.save(u_net(96), tmp_path / "u.onnx")
    with pytest.raises(InputError, match=r"u\.onnx: (the network turns 32×40|.* cannot run)"):
        open_upscaler(tmp_path / "u.onnx", threads=1)


def test_bf16_without_openvino_names_it(espcn_graph, cache, monkeypatch):
    monkeypatch.setattr(choice, "installed", lambda name: name != "openvino")
    with pytest.raises(UsageError, match="precision bf16 needs openvino, which is not installed"):
        open_session(espcn_graph(2), precision="bf16", threads=1)


def test_a_graph_that_no_runtime_takes(cache):
    model = graph_of([helper.make_node("Relu", ["x"], ["y"])], {})
    model.graph.node[0].op_type = "Frobnicate"
    with pytest.raises(InputError, match=r"cannot open this network: .*Frobnicate") as caught:
        open_session(model)
    assert "\n" not in str(caught.value)


# Files from anybody.


def test_files_that_are_no_networks(tmp_path, espcn_graph):
    whole = espcn_graph(2).SerializeToString()
    for name, content, message in (
        ("empty", b"", r"is empty \(0 bytes\): fetch it again"),
        ("short", whole[: len(whole) // 2], "is not an ONNX file, or it is cut short"),
        ("text", b"<html>404 not found</html>", "is not an ONNX"),
        ("nothing", onnx.ModelProto(ir_version=8).SerializeToString(), "is not an ONNX network: it has no nodes"),
    ):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            open_session(path)
        assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="does not exist"):
        open_session(tmp_path / "missing.onnx")
    with pytest.raises(InputError, match=r"is a folder: name an \.onnx file in it"):
        open_session(tmp_path)


def test_two_inputs_are_refused():
    kind = helper.make_tensor_value_info
    inputs = [kind(name, TensorProto.FLOAT, [1, 1, 4, 4]) for name in ("x", "mask")]
    model = graph_of([helper.make_node("Add", ["x", "mask"], ["y"])], {}, inputs=inputs)
    with pytest.raises(InputError, match="has 2 inputs and 1 outputs"):
        open_session(model)


def test_weights_listed_as_inputs_are_no_inputs():
    kind = helper.make_tensor_value_info
    inputs = [kind("x", TensorProto.FLOAT, [1, 1, 4, 4]), kind("w", TensorProto.FLOAT, [1])]
    model = graph_of([helper.make_node("Mul", ["x", "w"], ["y"])], {"w": [2]}, inputs=inputs)
    x = picture(1, 1, 4, 4)
    np.testing.assert_array_equal(open_session(model, runtime="onnxruntime").run(x), 2 * x)


def save_with_external_weights(model, path, location):
    for tensor in model.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, location)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("how", ["parent", "absolute", "link"])
def test_weights_outside_the_folder_are_refused(tmp_path, espcn_graph, how):
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 10**6)
    folder = tmp_path / "model"
    folder.mkdir()
    location = {"parent": "../secret", "absolute": str(secret), "link": "link"}[how]
    (folder / "link").symlink_to(secret)
    save_with_external_weights(espcn_graph(2), folder / "net.onnx", location)
    with pytest.raises(InputError, match="asks for weights outside its own folder"):
        open_session(folder / "net.onnx")


def test_weights_beside_the_file(tmp_path, espcn_graph):
    model, x = espcn_graph(2), picture(1, 1, 6, 7)
    expected = open_session(model, runtime="onnxruntime").run(x)
    onnx.save(espcn_graph(2), tmp_path / "net.onnx", save_as_external_data=True, location="w", size_threshold=0)
    np.testing.assert_array_equal(open_session(tmp_path / "net.onnx", runtime="onnxruntime").run(x), expected)
    parsed = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    with pytest.raises(InputError, match="keeps weights in another file: give the path"):
        open_session(parsed)
    (tmp_path / "w").unlink()
    with pytest.raises(InputError, match="keeps weights in w, which is missing"):
        open_session(tmp_path / "net.onnx")


# Threads.


def test_affinity_bounds_the_threads():
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    assert 1 <= available_cores() <= len(allowed)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_one_allowed_processor_is_one_thread():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from subpixel.runtime.cores import available_cores; print(available_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/a/b", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "400000 100000"}, 1),
        ("0::/of/the/host", {"cpu.max": "300000 100000"}, 3),
        ("4:cpu,cpuacct:/x", {"cpu/x/cpu.cfs_quota_us": "50000", "cpu/x/cpu.cfs_period_us": "100000"}, 1),
        ("4:cpu,cpuacct:/x", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, None),
        ("0::/", {"cpu.max": "nonsense"}, None),
        ("0::/", {}, None),
    ],
)
def test_a_container_quota_is_found(tmp_path: Path, own, files, expected):
    for name, content in files.items():
        (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fs" / name).write_text(content + "\n")
    (tmp_path / "own").write_text(own + "\n")
    assert _quota(tmp_path / "fs", tmp_path / "own") == expected
    assert _quota(tmp_path / "fs", tmp_path / "absent") is None


def test_onnxruntimes_threads_rest_between_runs(espcn_graph):
    # What is done after a run would otherwise share the cores with threads that wait for the next one.
    session = open_session(espcn_graph(2), runtime="onnxruntime", threads=2)
    x = picture(1, 1, 90, 160)
    session.run(x)
    spent = []
    for _ in range(5):
        session.run(x)
        start = time.process_time()
        time.sleep(0.02)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.002
