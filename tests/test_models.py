"""Networks as data: counts, graphs against PyTorch on integers, the zoo, and weight files with trouble in them."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from subpixel.cli.tables import models_table
from subpixel.errors import InputError, UsageError
from subpixel.evaluate import evaluate
from subpixel.models import ZOO, build, load, read_weights, table, table_of
from subpixel.models.espcn import espcn
from subpixel.models.family import nano, small
from subpixel.models.files import read_tensors, write_tensors
from subpixel.models.network import (
    Activation,
    AddRemembered,
    Convolution,
    Interpolation,
    Network,
    PeriodicShuffle,
    Remember,
    TransposedConvolution,
)
from subpixel.models.onnx_graph import onnx_graph
from subpixel.models.references import drcn, fsrcnn, fsrcnn_s, recursive, srcnn, srcnn_955, vdsr
from subpixel.models.trained import WEIGHTS
from subpixel.runtime import open_session

PICTURES = Path(__file__).parent / "data"

NETWORKS = {
    "espcn x2": espcn(2),
    "espcn x3, tanh": espcn(3, "tanh"),
    "espcn x5": espcn(5),
    "fsrcnn": Network(
        "fsrcnn",
        3,
        (
            Convolution("feature", 1, 7, 5),
            Activation("prelu", "slope1", 7),
            Convolution("shrink", 7, 3, 1),
            Activation("prelu", "slope2", 3),
            TransposedConvolution("up", 3, 1, 9, 3),
        ),
    ),
    "deconvolution k4 s2, k3 s3 in colour": Network(
        "deconvolutions",
        6,
        (TransposedConvolution("a", 3, 5, 4, 2), Activation("relu"), TransposedConvolution("b", 5, 3, 3, 3)),
        channels=3,
    ),
    "plain stack with a nearest skip, in colour": Network(
        "plain",
        2,
        (
            Remember("picture"),
            Convolution("a", 3, 5, 3),
            Activation("relu"),
            Convolution("b", 5, 12, 3),
            AddRemembered("picture", repeat=4),
            PeriodicShuffle(2),
        ),
        channels=3,
    ),
    "srcnn, one layer fewer, in colour": Network(
        "interpolated",
        3,
        (Interpolation(3), Convolution("a", 3, 4, 5), Activation("relu"), Convolution("b", 4, 3, 3)),
        channels=3,
    ),
    "drcn, narrow": recursive("recursive", 2, 4, 3),
    "one recursion": recursive("recursive", 2, 3, 1),
    "nano x3": nano(3),
    "small x4": small(4),
    "recursion with shared weights": Network(
        "recursive",
        1,
        (
            Remember("picture"),
            Convolution("in", 1, 4, 3),
            *(step for _ in range(3) for step in (Convolution("shared", 4, 4, 3), Activation("relu"))),
            Convolution("out", 4, 1, 3),
            AddRemembered("picture"),
        ),
    ),
}


def integer_weights(network: Network, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {n: rng.integers(-2, 3, s).astype(np.float32) for n, s in network.parameters().items()}


def integer_picture(network: Network, shape=(2, 6, 9)) -> np.ndarray:
    batch, height, width = shape
    size = (batch, network.channels, height, width)
    return np.random.default_rng(9).integers(-3, 4, size).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_graph_equals_module(name):
    torch = pytest.importorskip("torch")
    from subpixel.models.module import NetworkModule

    network = NETWORKS[name]
    weights, x = integer_weights(network), integer_picture(network)
    graph = onnx_graph(network, weights)
    onnx.checker.check_model(graph, full_check=True)
    with torch.no_grad():
        module = NetworkModule(network, weights)(torch.from_numpy(x)).numpy()
    assert module.shape == (2, network.channels, 6 * network.scale, 9 * network.scale)
    ours = open_session(graph, runtime="onnxruntime", threads=1).run(x)
    if "tanh" in name:  # not exact in any two libraries
        np.testing.assert_allclose(ours, module, atol=1e-4)
    elif any(isinstance(step, Interpolation) for step in network.steps):  # its kernel is no integer
        np.testing.assert_allclose(ours, module, atol=1e-6 * np.abs(module).max())
    else:
        assert np.array_equal(ours, module)
        assert np.abs(module).max() > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_the_receptive_field_is_what_a_pixel_can_see(name):
    """Change one LR pixel after the other, see which HR pixels of the middle one answer: the widest phase counts."""
    network = NETWORKS[name]
    rng = np.random.default_rng(3)
    weights = {n: rng.uniform(0.5, 1, s).astype(np.float32) / s[0] for n, s in network.parameters().items()}
    session = open_session(onnx_graph(network, weights), runtime="onnxruntime", threads=1)
    side = 2 * network.receptive_field + 1
    x = rng.uniform(0.5, 1, (1, network.channels, side, side)).astype(np.float32) / 100
    seen = np.zeros((side, side, network.scale, network.scale), bool)
    middle = slice(side // 2 * network.scale, (side // 2 + 1) * network.scale)
    before = session.run(x)[..., middle, middle]
    for row in range(side):
        for column in range(side):
            changed = x.copy()
            changed[..., row, column] += 0.5
            seen[row, column] = (session.run(changed)[..., middle, middle] != before).any((0, 1))
    rows, columns = seen.any(1).sum(0), seen.any(0).sum(0)
    assert rows.max() == columns.max() == network.receptive_field


def test_counts_of_espcn():
    network = espcn(3)
    assert network.parameter_count == 25 * 64 + 64 + 64 * 9 * 32 + 32 + 32 * 9 * 9 + 9 == 22_729
    assert network.macs_per_lr_pixel == 25 * 64 + 64 * 9 * 32 + 32 * 9 * 9
    assert network.receptive_field == 9
    # FIELD: 5.21 GMAC for a 1080p output at x3
    assert network.macs_per_lr_pixel * 640 * 360 == pytest.approx(5.21e9, rel=1e-3)
    assert all(espcn(scale).parameter_count <= 25_000 for scale in (2, 3, 4))


def test_counts_of_the_references():
    """The papers count kernels without biases, and FSRCNN without its slopes."""

    def kernels(network):
        return sum(np.prod(s) for n, s in network.parameters().items() if n.endswith(".weight") and len(s) == 4)

    assert [kernels(f(3)) for f in (srcnn, srcnn_955, fsrcnn, fsrcnn_s)] == [8_032, 57_184, 12_464, 3_937]
    assert kernels(drcn(3)) == 1_774_080
    assert kernels(vdsr(3)) == 664_704
    # At HR each LR pixel costs r² times the kernel; DRCN's one layer is paid for in each of its 16 recursions.
    assert srcnn_955(3).macs_per_lr_pixel == 9 * 57_184
    assert drcn(2).macs_per_lr_pixel == 4 * (2_304 + 589_824 + 16 * (589_824 + 589_824 + 2_304))
    assert fsrcnn(3).macs_per_lr_pixel == 12_464  # as HR's deconvolution costs 81 for each of its LR pixels and maps
    assert drcn(3).receptive_field == vdsr(3).receptive_field == 17


def test_interpolation_is_matlab_s_bicubic_inside():
    from subpixel.media.resample import imresize

    picture = np.random.default_rng(2).uniform(0, 1, (13, 17)).astype(np.float32)
    for scale in (2, 3, 4):
        network = Network("bicubic", scale, (Interpolation(scale),))
        session = open_session(onnx_graph(network, {}), runtime="onnxruntime", threads=1)
        ours = session.run(picture[None, None])[0, 0]
        inside = slice(2 * scale, -2 * scale)
        np.testing.assert_allclose(ours[inside, inside], imresize(picture, scale)[inside, inside], atol=1e-6)


def test_counts_of_the_family():
    assert [nano(scale).parameter_count for scale in (2, 3, 4)] == [2_713, 3_078, 3_589]
    assert [small(scale).parameter_count for scale in (2, 3, 4)] == [10_025, 10_750, 11_765]
    assert [build("medium", scale).parameter_count for scale in (2, 3, 4)] == [75_469, 76_914, 78_937]
    assert [build("large", scale).parameter_count for scale in (2, 3, 4)] == [519_955, 522_840, 526_879]
    assert nano(3).macs_per_lr_pixel == 9 * (8 + 4 * 64 + 8 * 9)
    assert small(3).receptive_field == 13


def test_shared_weights_count_once():
    network = NETWORKS["recursion with shared weights"]
    assert network.parameter_count == (9 * 4 + 4) + (4 * 4 * 9 + 4) + (4 * 9 + 1)
    assert network.macs_per_lr_pixel == 36 + 3 * 144 + 36


def test_macs_grow_with_the_lattice():
    fsrcnn = NETWORKS["fsrcnn"]
    assert fsrcnn.macs_per_lr_pixel == 25 * 7 + 21 + 3 * 81
    after = Network("hr", 2, (Convolution("a", 1, 4, 1), PeriodicShuffle(2), Convolution("b", 1, 1, 3)))
    assert after.macs_per_lr_pixel == 4 + 4 * 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Convolution("c", 1, 1, 4), r"`kernel` \(=4\)"),
        (lambda: TransposedConvolution("t", 1, 1, 2, 3), r"`kernel` \(=2\)"),
        (lambda: Activation("prelu"), "`name` and `channels`"),
        (
            lambda: Network("n", 1, (Convolution("a", 1, 2, 3), Convolution("a", 2, 1, 3))).parameters(),
            "share weights but differ",
        ),
        (lambda: onnx_graph(Network("n", 1, (Remember("x"),)), {}), "not end by remembering"),
    ],
)
def test_impossible_networks(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_graph_is_open_in_size_and_carries_the_story():
    graph = load("espcn", 3).to_onnx()
    assert {entry.version for entry in graph.opset_import} == {13}
    dims = graph.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["N", 1, "H", "W"]
    story = {entry.key: entry.value for entry in graph.metadata_props}
    assert story["model"] == "espcn"
    assert all(key in story for key in ("date", "recipe", "pictures", "figures"))
    session = open_session(graph, runtime="onnxruntime", threads=1)
    for shape in ((1, 1), (1, 5), (7, 2)):
        assert session.run(np.zeros((1, 1, *shape), np.float32)).shape == (1, 1, 3 * shape[0], 3 * shape[1])


def test_the_shuffle_is_in_crd_order():
    network = Network("s", 2, (Convolution("c", 1, 8, 1), PeriodicShuffle(2)), channels=1)
    weights = {"c.weight": np.zeros((8, 1, 1, 1), np.float32), "c.bias": np.arange(8, dtype=np.float32)}
    out = open_session(onnx_graph(network, weights), runtime="onnxruntime").run(np.zeros((1, 1, 1, 1), np.float32))
    assert out.tolist() == [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]


def test_the_zoo_and_its_files_agree():
    files = {path.name for path in WEIGHTS.glob("*.safetensors")}
    assert files == {f"{name}_x{scale}.safetensors" for name, d in ZOO.items() for scale in d.shipped}


SHIPPED = [(name, scale) for name, descriptor in ZOO.items() for scale in descriptor.shipped]


@pytest.mark.parametrize(("name", "scale"), SHIPPED)
def test_shipped_weights_tell_their_story(name, scale):
    header = load(name, scale).header
    assert header["recipe"]["scale"] == scale
    assert len(header["pictures"]) > 20
    licences = {picture["licence"].split(",")[0] for picture in header["pictures"]}
    assert licences <= {"CC0-1.0", "CC-BY-4.0", "public domain"}
    assert {figure["set"] for figure in header["figures"]} == {"Set5", "Set14"}
    assert all(f"papers: x{scale}" in figure["protocol"] for figure in header["figures"])


@pytest.mark.parametrize(("name", "scale"), SHIPPED)
def test_shipped_weights_beat_bicubic(name, scale):
    margin = {2: 1.0, 3: 1.0, 4: 0.7}[scale]
    ours = evaluate(PICTURES, name, scale, runtime="onnxruntime", threads=1)
    bicubic = evaluate(PICTURES, "bicubic", scale)
    for image, baseline in zip(ours["images"], bicubic["images"], strict=True):
        assert image["psnr"] > baseline["psnr"] + margin


def test_table_is_json_and_literal():
    rows = table()
    json.loads(json.dumps(rows, allow_nan=False))
    assert [row["name"] for row in rows] == list(ZOO)
    espcn_row = next(row for row in rows if row["name"] == "espcn")
    assert rows[0]["scales"] is None
    assert espcn_row["scales"] == [2, 3, 4]
    assert [weights["parameters"] for weights in espcn_row["weights"]] == [21_284, 22_729, 24_752]
    assert {"name", "scales", "weights", "figures"} <= espcn_row.keys()


@pytest.mark.parametrize(
    ("name", "scale", "message"),
    [
        ("espnc", 3, "'espnc'; there are bicubic, nano, small, medium, large, espcn"),
        ("espcn", 1, "scale 1 is impossible"),
        ("espcn", -3, "scale -3 is impossible"),
        ("espcn", 7, "x2, x3, x4, not x7: train them with `subpixel train FOLDER --model espcn --scale 7`"),
        ("bicubic", 3, "bicubic is an interpolation"),
        ("fsrcnn", 10, "fsrcnn cannot be built for x10: `kernel` \\(=9\\) of 'deconvolution' must not be below"),
        ("vdsr", 2, "vdsr comes with weights for no scale, not x2: train them with"),
    ],
)
def test_load_refuses(name, scale, message):
    with pytest.raises(UsageError, match=message):
        load(name, scale)


def test_any_integer_scale_can_be_built():
    assert [build("espcn", scale).scale for scale in (2, 3, 4, 5, 8)] == [2, 3, 4, 5, 8]


def good_file(folder: Path, **changes) -> Path:
    network = espcn(2)
    weights = integer_weights(network) | changes.pop("weights", {})
    path = folder / "weights.safetensors"
    write_tensors(path, weights, {"network": network.config(), **changes})
    return path


def test_weight_files_round_trip(tmp_path):
    trained = read_weights(good_file(tmp_path, date="2026-01-01"))
    assert trained.network == espcn(2)
    assert trained.header["date"] == "2026-01-01"
    expected = integer_weights(espcn(2))
    assert all(np.array_equal(trained.weights[name], value) for name, value in expected.items())
    assert list(tmp_path.iterdir()) == [tmp_path / "weights.safetensors"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weight_files(tmp_path, share):
    path = good_file(tmp_path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"weights\.safetensors is no whole weight file"):
        read_weights(path)


FIGURE = {"set": "Set5", "protocol": "papers: x2", "psnr": 30.0, "ssim": 0.9, "bf16_psnr": 30.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": None}, "does not say which network"),
        ({"network": {"name": "edsr", "scale": 2}}, "'edsr' x2, which this version of subpixel has not"),
        ({"network": {"name": "bicubic", "scale": 2}}, "'bicubic' x2, which"),
        ({"network": {"name": "espcn", "scale": 10**9}}, "x1000000000, which"),
        ({"network": {"name": "espcn", "scale": "2"}}, "which this version"),
        ({"network": {"name": ["espcn"], "scale": 2}}, "which this version"),
        ({"network": {**espcn(2, "tanh").config(), "name": "espcn"}}, "another form of espcn x2"),
        ({"network": espcn(3).config()}, "no float32 'conv3.weight'"),
        ({"weights": {"conv1.bias": np.zeros(3, np.float32)}}, "no float32 'conv1.bias' of shape"),
        ({"weights": {"conv1.bias": np.zeros(64)}}, "no float32 'conv1.bias' of shape"),
        ({"weights": {"conv1.bias": np.full(64, np.nan, np.float32)}}, "no numbers"),
        ({"figures": [3]}, "figures that are none"),
        ({"figures": 7}, "figures that are none"),
        ({"figures": [{"bf16_psnr": 30.0}]}, "figures that are none"),
        ({"figures": [FIGURE | {"psnr": "30"}]}, "figures that are none"),
        ({"figures": [FIGURE | {"int8_psnr": [30.0]}]}, "figures that are none"),
        ({"figures": [FIGURE | {"ssim": float("nan")}]}, "figures that are none"),
        ({"figures": [FIGURE | {"set": ["Set5"]}]}, "figures that are none"),
        ({"pictures": ["a.png"]}, "without names and licences"),
        ({"pictures": "a.png"}, "without names and licences"),
        ({"pictures": [{"name": "a.png", "licence": None}]}, "without names and licences"),
    ],
)
def test_hostile_weight_files(tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        read_weights(good_file(tmp_path, **changes))
    assert "weights.safetensors" in str(caught.value)


def test_figures_that_nobody_could_compute_are_shown_as_such(tmp_path):
    figures = [FIGURE | {"psnr": None, "ssim": None}]
    path = good_file(tmp_path, figures=figures, pictures=None, int8=None)
    assert read_weights(path).close_precisions == ()
    rows = table_of([path])
    assert (rows[0]["name"], rows[0]["network"]) == ("weights.safetensors", "espcn")
    (line,) = (line for line in models_table(rows).splitlines() if line.startswith("  ×2"))
    assert line.split()[-2:] == ["-", "-"]
    assert read_weights(good_file(tmp_path, figures=[FIGURE])).close_precisions == ("bf16",)
    assert table_of([good_file(tmp_path, figures=None)])[0]["figures"] == []


def test_strangers_files(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_weights(tmp_path / "nowhere.safetensors")
    with pytest.raises(InputError, match="is a folder"):
        read_weights(tmp_path)
    path = tmp_path / "other.safetensors"
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(InputError, match=r"other\.safetensors does not say which network"):
        read_weights(path)
    save_file({"weight": np.zeros(3)}, path, {"network": "{not JSON"})
    with pytest.raises(InputError, match=r"other\.safetensors is no whole weight file"):
        read_tensors(path)


REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="research weights are in the repository, not in what is released")
def test_reference_networks_are_as_their_readme_says():
    lines = (REFERENCE / "README.md").read_text(encoding="utf-8").splitlines()
    stated = {cells[1]: cells[2:6] for line in lines if len(cells := [cell.strip() for cell in line.split("|")]) == 8}
    for row in table_of(sorted(REFERENCE.glob("*.safetensors"))):
        figures = {figure["set"]: figure for figure in row["figures"]}
        ours = [
            f"{figures[name][key]:.{2 if key == 'psnr' else 4}f}"
            for name in ("Set5", "Set14")
            for key in ("psnr", "ssim")
        ]
        assert stated.pop(row["name"].removesuffix(".safetensors")) == ours
        assert set(row["weights"][0]["licences"]) == {"research use only"}
    assert set(stated) == {"file", "---"}
