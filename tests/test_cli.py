"""The command as its users meet it: results, exit codes, and one sentence for everything that goes wrong."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from subpixel import cli as command
from subpixel.cli.tables import bench_table, evaluation_table, models_table
from subpixel.errors import InputError
from subpixel.media import atomic
from subpixel.runtime.session import installed
from subpixel.upscaling.pictures import upscale

RUNTIME = ("--runtime", "onnxruntime", "--threads", "1")


class Outcome:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def subpixel(monkeypatch, tmp_path):
    """`subpixel ARGUMENTS...` in this process, through the real entry point, inside tmp_path."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        runner = CliRunner()
        with runner.isolation() as (out, err, _):
            before = signal.getsignal(signal.SIGTERM)
            monkeypatch.setattr(sys, "argv", ["subpixel", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                command.main()
            signal.signal(signal.SIGTERM, before)
            return Outcome(ended.value.code, out.getvalue().decode(), err.getvalue().decode())

    return run


def picture(path, size=(20, 14), mode="RGB", seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# What it does.


def test_one_picture(subpixel, photo, tmp_path):
    done = subpixel("upscale", "photo.png", *RUNTIME)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("photo_x3.png  216×168, network ")
    assert done.out.count("\n") == 1
    with Image.open(tmp_path / "photo_x3.png") as image:
        expected = upscale(photo, 3, runtime="onnxruntime", threads=1)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))


def test_json_has_what_others_rely_on(subpixel, photo):
    done = subpixel("upscale", "photo.png", "missing.png", "-o", "out", "--scale", 2, "--json", *RUNTIME)
    assert done.code == 1
    (output,), (failure,) = done.json["outputs"], done.json["failures"]
    assert (output["input"], output["output"]) == ("photo.png", str(Path("out/photo.png")))
    assert (output["width"], output["height"]) == (144, 112)
    assert 0 < output["ms_network"] < output["ms_total"]
    assert failure == {"input": "missing.png", "error": "missing.png does not exist: check the name"}
    assert done.json["runtime"] == "onnxruntime"


def test_a_folder_keeps_its_structure(subpixel, tmp_path):
    for name in ("set/a.png", "set/deep/b.jpg", "set/deep/er/c.webp", "set/d.tif", "set/e.bmp"):
        picture(tmp_path / name)
    (tmp_path / "set/notes.txt").write_text("no picture")
    done = subpixel("upscale", "set", "--scale", 2, *RUNTIME)
    assert (done.code, done.out.count("\n")) == (0, 5)
    assert tree(tmp_path / "set_x2") == ["a.png", "d.tif", "deep/b.jpg", "deep/er/c.webp", "e.bmp"]
    for path in (tmp_path / "set_x2").rglob("*.*"):
        with Image.open(path) as image:
            assert image.size == (40, 28)


def test_another_format_for_all(subpixel, tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.bmp")
    assert subpixel("upscale", "a.png", "b.bmp", "--format", "webp", *RUNTIME).code == 0
    for name in ("a_x3.webp", "b_x3.webp"):
        with Image.open(tmp_path / name) as image:
            assert image.format == "WEBP"


def test_same_names_do_not_meet(subpixel, tmp_path):
    for name in ("photo.png", "photo.jpg", "sub/photo.png"):
        picture(tmp_path / name)
    assert subpixel("upscale", "photo.png", "photo.jpg", "sub/photo.png", "-o", "out", *RUNTIME).code == 0
    assert tree(tmp_path / "out") == ["photo.jpg", "photo.png", "photo_x3.png"]


def test_inputs_are_never_overwritten(subpixel, tmp_path):
    inputs = [picture(tmp_path / name, seed=i) for i, name in enumerate(("a.png", "a_x3.png", "b.jpg"))]
    before = [path.read_bytes() for path in inputs]
    assert subpixel("upscale", "a.png", "a_x3.png", "b.jpg", *RUNTIME).code == 0
    assert subpixel("upscale", "a.png", "a_x3.png", "b.jpg", "-o", ".", *RUNTIME).code == 0
    done = subpixel("upscale", "a.png", "-o", "a.png", *RUNTIME)
    assert (done.code, done.err) == (2, "subpixel: -o a.png is the input itself: name another file\n")
    assert [path.read_bytes() for path in inputs] == before


def test_an_earlier_result_is_replaced(subpixel, photo, tmp_path):
    (tmp_path / "photo_x3.png").write_text("earlier")
    assert subpixel("upscale", "photo.png", *RUNTIME).code == 0
    with Image.open(tmp_path / "photo_x3.png") as image:
        assert image.size == (216, 168)


# Everything of the "Bad input", each beside a good picture that must still be done.


def png_bomb(path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def cut_short(path):
    content = picture(path, (80, 60)).read_bytes()
    path.write_bytes(content[: len(content) // 2])


BAD = {
    "missing.png": (lambda path: None, "does not exist: check the name"),
    "empty": (lambda path: path.mkdir(), "has no pictures (.png .apng .jpg .jpeg .webp .tif .tiff .bmp .gif"),
    "zero.jpg": (lambda path: path.write_bytes(b""), "is empty (0 bytes): fetch it again"),
    "cut.png": (cut_short, "is damaged or cut short"),
    "cut.jpg": (cut_short, "is damaged or cut short"),
    "text.png": (lambda path: path.write_text("hello"), "is not a picture of a known kind: PNG, JPEG, WebP, TIFF"),
    "bomb.png": (png_bomb, "30000×30000 pixels enlarged ×3 make 8,100 megapixels, over the limit of 268"),
    "large.png": (
        lambda path: Image.new("L", (6000, 5000)).save(path),
        "6000×5000 pixels enlarged ×3 make 270 megapixels, over the limit of 268: crop it, take a smaller scale, "
        "or raise --max-megapixels",
    ),
    "wide.webp": (
        lambda path: Image.new("L", (5500, 1)).save(path),
        "WEBP holds at most 16383 pixels a side, not 16500×3: write PNG or TIFF",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(subpixel, photo, tmp_path, name):
    spoil, message = BAD[name]
    spoil(tmp_path / name)
    before = (tmp_path / name).read_bytes() if (tmp_path / name).is_file() else None
    done = subpixel("upscale", name, "photo.png", "-o", "out", *RUNTIME)
    assert done.code == 1
    sentence, count = done.err.splitlines()
    assert sentence.startswith("subpixel: ")
    assert name in sentence
    assert message in sentence
    assert count == "subpixel: 1 of 2 failed"
    assert tree(tmp_path / "out") == ["photo.png"]
    assert before is None or (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "make", "note"),
    [
        ("cmyk.jpg", lambda path: picture(path, mode="CMYK"), "CMYK is converted to RGB"),
        ("palette.png", lambda path: picture(path, mode="P"), None),
        ("bits.png", lambda path: picture(path, mode="1"), None),
        ("grey.png", lambda path: picture(path, mode="L"), None),
        ("clear.png", lambda path: picture(path, mode="RGBA"), None),
        ("deep.png", lambda path: Image.fromarray(np.full((5, 4), 999, np.uint16)).save(path), None),
        ("one.png", lambda path: picture(path, size=(1, 1)), None),
        ("frames.tif", lambda path: picture(path, save_all=True, append_images=[Image.new("RGB", (3, 3))]),
         "the first of its 2 frames is taken"),
    ],
)  # fmt: skip
def test_odd_input_is_done(subpixel, tmp_path, name, make, note):
    make(tmp_path / name)
    done = subpixel("upscale", name, "-o", "out", *RUNTIME)
    assert done.code == 0
    assert done.err == (f"subpixel: note: {name}: {note}\n" if note else "")
    with Image.open(tmp_path / name) as small, Image.open(tmp_path / "out" / name) as large:
        assert large.size == (3 * small.width, 3 * small.height)


def test_transparency_into_a_jpeg(subpixel, tmp_path):
    picture(tmp_path / "clear.png", mode="RGBA").touch()
    done = subpixel("upscale", "clear.png", "-o", "out.jpg", *RUNTIME)
    assert (done.code, done.err) == (
        1,
        "subpixel: out.jpg: JPEG cannot hold transparency: write PNG, WebP or TIFF\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "esrgan"], "there is no model 'esrgan'; there are bicubic, nano, small, medium, large, espcn"),
        (["--scale", "1"], "scale 1 is impossible: numbers above 1, up to 64, enlarge"),
        (["--scale", "0"], "scale 0 is impossible"),
        (["--scale", "65"], "scale 65 is impossible"),
        (["--scale", "2", "--model", "srcnn"], "srcnn comes with weights for no scale, not x2: train them with"),
        (["--scale", "two"], "scale 'two' is no number: give one above 1, such as 3 or 2.5"),
        (["--scale", "nan"], "scale 'nan' is no number"),
        (["--scale", "2", "--size", "100x"], "scale 2 and size 100x contradict each other: leave one of them out"),
        (["--size", "0x100"], "size '0x100' is none: give width and height, such as 1920x1080, or one of them: 1920x"),
        (["--size", "x"], "size 'x' is none"),
        (["--memory", "lots"], "memory 'lots' is no amount: give one such as 512M or 2G"),
        (["--memory", "1M"], "memory 1M is less than the program itself takes: give 256M or more"),
        (["--memory", "1G", "--workers", "2"], "--workers 2 contradicts --memory 1G: one picture at a time keeps"),
        (["--quality", "0"], "0 is not in the range 1<=x<=100"),
        (["--model", "bicubic"], "runtime onnxruntime has no effect on bicubic, which NumPy computes: leave it out"),
        (["--runtime", "tensorrt"], "'tensorrt' is not one of 'auto', 'onnxruntime', 'openvino', 'torch'"),
        (["--threads", "0"], "0 is not in the range 1<=x<=256"),
        (["--precision", "bf16"], "precision bf16 needs the runtime openvino, not onnxruntime"),
        (["--value-range", "255"], "value_range (=255) describes an ONNX file, and small is none: leave it out"),
        (["-o", "out.ppm"], "out.ppm: pictures are written as PNG, JPEG, WebP, TIFF, BMP, GIF and AVIF, not as .ppm"),
        (["-o", "out.png", "--format", "jpg"], "--format jpg contradicts -o out.png: leave one of them out"),
        (["photo.png", "other.png", "-o", "out.png"], "-o out.png is one file, but there may be several pictures"),
        (["--frobnicate"], "No such option '--frobnicate'"),
    ],
)
def test_bad_usage_ends_with_2_and_does_nothing(subpixel, photo, tmp_path, arguments, message):
    options = ["--runtime", "onnxruntime"] if "--runtime" not in arguments else []
    done = subpixel("upscale", "photo.png", *options, *arguments)
    assert done.code == 2
    assert message in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert tree(tmp_path) == ["photo.png"]


def test_usage_errors_of_the_other_verbs(subpixel, tmp_path):
    for arguments, message in (
        (["upscale"], "Missing argument 'INPUT...'"),
        (["sharpen"], "No such command 'sharpen'"),
        (["export", "espcn", "-o", "net.pb"], "-o net.pb: networks are written as .onnx"),
        (["export", "bicubic", "-o", "net.onnx"], "bicubic is an interpolation, not a network"),
        (["bench", "--size", "640"], "--size 640 is no size: give width and height, such as 640x360"),
        (["train", ".", "-o", "a.safetensors", "--scale", "1"], "any integer scale from 2, not for 1"),
        (["train", ".", "-o", "a.bin", "--scale", "2"], "a.bin needs that ending"),
        (["evaluate", ".", "--protocol", "given"], "protocol given does not go without given LR pictures"),
    ):
        done = subpixel(*arguments)
        assert (done.code, message in done.err) == (2, True), (arguments, done.err)


def test_unwritable_output(subpixel, photo, tmp_path):
    (tmp_path / "file").write_text("")
    picture(tmp_path / "b.png")
    done = subpixel("upscale", "photo.png", "-o", "file/out.png", *RUNTIME)
    assert done.code == 1
    assert "out.png cannot be written (" in done.err
    assert done.err.endswith("): name another place with -o\n")
    (tmp_path / "out" / "photo.png").mkdir(parents=True)
    done = subpixel("upscale", "photo.png", "b.png", "-o", "out", *RUNTIME)
    assert "photo.png cannot be written: there is a folder of that name" in done.err
    assert (done.code, (tmp_path / "out" / "b.png").is_file()) == (1, True)


def test_disk_full(subpixel, tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        picture(tmp_path / name)
    fsync, calls = os.fsync, []

    def full_at_first(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", full_at_first)
    done = subpixel("upscale", "a.png", "b.png", "--workers", 1, *RUNTIME)
    assert done.code == 1
    lost, written = ("a", "b") if "a_x3.png cannot" in done.err else ("b", "a")  # two workers: either is first
    assert f"{lost}_x3.png cannot be written (No space left on device): name another place with -o" in done.err
    assert tree(tmp_path) == sorted(["a.png", "b.png", f"{written}_x3.png"])


def test_a_name_as_long_as_names_can_be(subpixel, tmp_path):
    name = "n" * 250 + ".png"
    picture(tmp_path / name)
    assert subpixel("upscale", name, "-o", "out", *RUNTIME).code == 0
    assert tree(tmp_path / "out") == [name]


def test_what_the_network_fails_on_is_named(subpixel, photo, monkeypatch):
    def fail(*_, **__):
        raise InputError("espcn gave values that are no numbers")

    monkeypatch.setattr("subpixel.upscaling.files.enlarged", fail)
    done = subpixel("upscale", "photo.png", *RUNTIME)
    assert (done.code, done.err) == (1, "subpixel: photo.png: espcn gave values that are no numbers\n")


def test_too_many_threads_are_bad_usage(subpixel, photo):
    assert subpixel("upscale", "photo.png", "--runtime", "onnxruntime", "--threads", 257).code == 2


def test_too_large_for_memory(subpixel, photo, monkeypatch):
    def no_memory(*_, **__):
        raise MemoryError

    monkeypatch.setattr("subpixel.upscaling.files.enlarged", no_memory)
    done = subpixel("upscale", "photo.png", *RUNTIME)
    assert done.err == (
        "subpixel: photo.png is too large for this machine's memory: bound it with --memory, "
        "or cut the picture into parts\n"
    )
    assert done.code == 1


def test_models_from_files(subpixel, photo, tmp_path, espcn_graph):
    (tmp_path / "net.onnx").write_bytes(espcn_graph(2, channels=3).SerializeToString())
    done = subpixel("upscale", "photo.png", "--model", "net.onnx", "--json", *RUNTIME)
    assert (done.code, done.json["model"], done.json["scale"]) == (0, "net.onnx", 2)
    for content, code, message in (
        (b"", 1, "net.onnx is empty (0 bytes): fetch it again"),
        (b"GIF89a", 1, "net.onnx is not an ONNX file, or it is cut short"),
    ):
        (tmp_path / "net.onnx").write_bytes(content)
        done = subpixel("upscale", "photo.png", "--model", "net.onnx", *RUNTIME)
        assert (done.code, message in done.err) == (code, True), done.err


def test_tiles_that_may_show_seams_are_announced(subpixel, photo, tmp_path, espcn_graph, monkeypatch):
    monkeypatch.setattr("subpixel.upscaling.upscaler._BLIND_WINDOW", 48)
    monkeypatch.setattr("subpixel.upscaling.upscaler._BLIND_OVERLAP", 8)
    monkeypatch.setattr("subpixel.runtime.receptive_field.halo", lambda graph: None)
    (tmp_path / "net.onnx").write_bytes(espcn_graph(2).SerializeToString())
    done = subpixel("upscale", "photo.png", "--model", "net.onnx", *RUNTIME)
    note = "photo.png: how far net.onnx looks is not known, so its tiles may show seams"
    assert (done.code, done.err) == (0, f"subpixel: note: {note}\n")


# The other verbs.


def test_models(subpixel):
    rows = subpixel("models", "--json").json["models"]
    assert {"bicubic", "espcn"} <= {row["name"] for row in rows}
    for row in rows:
        assert {"name", "scales", "weights", "figures"} <= set(row)
    done = subpixel("models")
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_models_table_shows_every_figure():
    figures = [
        {"scale": r, "set": name, "psnr": 30 + r, "ssim": 0.9, "protocol": "papers: and so on"}
        for r in (2, 3)
        for name in ("Set5", "Set14")
    ]
    facts = {"parameters": 21284, "macs_1080p": 5_212_000_000, "receptive_field": 9, "published": {"Set5": 34.5}}
    licences = {"file": "net.safetensors", "licences": {"CC0-1.0": 4, "public domain": 2}}
    weights = [{"scale": r, **facts, **licences} for r in (2, 3)]
    weights.append({"scale": 4, **facts, "macs_1080p": 40_442_170_000_000, "file": None, "licences": {}})
    row = {"name": "net", "description": "A network.", "source": "2026", "weights": weights, "figures": figures}
    assert models_table([row]).splitlines() == [
        "net",
        "  A network. (2026)",
        "  trained on 6 pictures: 4 CC0-1.0, 2 public domain",
        "  scale    weights    GMAC field   Set5 dB    SSIM  Set14 dB    SSIM",
        "  ×2        21,284    5.21     9    32.00   0.9000    32.00   0.9000",
        "  ×3        21,284    5.21     9    33.00   0.9000    33.00   0.9000",
        "  ×4        21,284  40,442     9    34.50*",
        "",
        "GMAC: 10⁹ multiplications for 1920×1080 pixels; field: LR pixels that one reads.",
        "PSNR and SSIM of Y under the protocol papers; * its paper's figure.",
    ]
    weights[0] |= {"ms": 12.34, "runtime": "openvino", "precision": "int8"}
    weights[1] |= {"ms": None, "runtime": None, "precision": None}
    timed = models_table([row]).splitlines()
    assert timed[3].endswith("    SSIM      ms")
    assert timed[4].endswith("   0.9000    12.3")
    assert timed[7] == "  timed on openvino, int8: ×2"
    assert max(map(len, timed)) <= 80


def test_models_of_weight_files_and_their_times(subpixel, tmp_path):
    from subpixel.models.trained import WEIGHTS

    (tmp_path / "mine.safetensors").write_bytes((WEIGHTS / "nano_x4.safetensors").read_bytes())
    done = subpixel("models", "mine.safetensors", "--time", "--threads", 1, "--json")
    assert done.code == 0
    (row,) = done.json["models"]
    assert (row["name"], row["network"], row["scales"]) == ("mine.safetensors", "nano", [4])
    (weights,) = row["weights"]
    assert (weights["parameters"], weights["macs_1080p"]) == (3_589, 457_228_800)
    assert weights["ms"] > 0
    assert weights["runtime"] in ("onnxruntime", "openvino")
    assert subpixel("models", "none.safetensors").code == 1
    assert "is a folder" in subpixel("models", tmp_path).err
    assert subpixel("models", "--threads", 2).code == 2


def test_evaluate(subpixel, tmp_path):
    data = Path(__file__).parent / "data"
    picture(tmp_path / "set" / "noise.png", (40, 30))
    (tmp_path / "set" / "photo.png").write_bytes((data / "colosseum.png").read_bytes())
    done = subpixel("evaluate", "set", "--model", "bicubic", "--scale", 2, "--json")
    assert done.code == 0
    assert {"model", "scale", "protocol", "runtime", "psnr", "ssim", "images"} <= set(done.json)
    assert [set(row) >= {"name", "psnr", "ssim", "ms"} for row in done.json["images"]] == [True, True]
    text = subpixel("evaluate", "set", "--model", "bicubic", "--scale", 2)
    assert text.code == 0
    assert f"{done.json['psnr']:.2f}" in text.out.splitlines()[-1]
    assert max(map(len, text.out.splitlines())) <= 80
    (tmp_path / "set" / "broken.png").write_bytes(b"\x89PNG")
    done = subpixel("evaluate", "set", "--model", "bicubic", "--json")
    assert (done.code, len(done.json["images"]), len(done.json["failures"])) == (1, 2, 1)
    assert "broken.png is damaged or cut short" in done.err


def test_the_evaluation_table():
    images = [
        {"name": "a", "psnr": 30.123, "ssim": 0.9, "ms": 1.26},
        {"name": "same", "psnr": None, "ssim": None, "ms": 2},
    ]
    result = {
        "model": "m",
        "scale": 3,
        "runtime": "r",
        "precision": "f32",
        "protocol": "p: x3",
        "images": images,
        "psnr": 30.1,
        "ssim": 0.9,
    }
    assert evaluation_table(result).splitlines() == [
        "m ×3 on r, f32",
        "p: x3",
        "",
        "picture   PSNR dB     SSIM   network ms",
        "a           30.12   0.9000          1.3",
        "same        equal        -          2.0",
        "mean        30.10   0.9000",
    ]


def test_export_can_be_used_at_once(subpixel, photo, tmp_path):
    done = subpixel("export", "espcn", "--scale", 2, "-o", "sub/net.onnx", "--json")
    assert done.code == 0
    assert done.json["bytes"] == (tmp_path / "sub" / "net.onnx").stat().st_size
    outputs = []
    for model in ("sub/net.onnx", "espcn"):
        done = subpixel("upscale", "photo.png", "--model", model, "--scale", 2, "-o", f"{len(outputs)}.png", *RUNTIME)
        assert done.code == 0
        with Image.open(tmp_path / f"{len(outputs)}.png") as image:
            outputs.append(np.asarray(image))
    np.testing.assert_array_equal(*outputs)


def test_bench_names_what_is_missing(subpixel, monkeypatch):
    from subpixel.bench import speed as benchmark

    def absent(*_):
        raise InputError("OpenCV is not installed: pip install 'subpixel[bench]'")

    monkeypatch.setattr(benchmark, "_opencv", absent)
    done = subpixel("bench", "--size", "24x16", "--rounds", 2, "--threads", 1, "--json")
    assert done.code == 0
    names = [row["name"] for row in done.json["rows"]]
    assert "onnxruntime" in names
    assert {"OpenCV dnn", "OpenCV dnn_superres"} <= {way["name"] for way in done.json["missing"]}
    assert done.json["rows"][0]["ratio"] == 1
    for row in done.json["rows"]:
        assert row["ms_min"] <= row["ms"] <= row["ms_max"]
        assert row["difference"] < (6 if row["name"].endswith(("bf16", "int8")) else 0.01)


@pytest.mark.skipif(not installed("cv2"), reason="OpenCV is not installed")
def test_opencv_computes_the_same_network(subpixel):
    rows = subpixel("bench", "--size", "40x30", "--rounds", 1, "--threads", 1, "--json").json["rows"]
    difference = {row["name"]: row["difference"] for row in rows}
    assert difference["OpenCV dnn"] < 0.01
    assert difference["OpenCV dnn_superres"] <= 0.51  # it rounds to 8 bits


def test_the_bench_table():
    row = {"name": "openvino", "ms": 12.34, "ms_min": 12, "ms_max": 1300.5, "ratio": 1}
    missing = [{"name": "PyTorch", "reason": "runtime torch needs PyTorch: pip install 'subpixel[torch]'"}]
    result = {"model": "espcn", "scale": 3, "size": [640, 360], "threads": 2, "rounds": 15, "rows": [row]}
    assert bench_table({**result, "missing": missing}).splitlines() == [
        "espcn ×3, luma 640×360 → 1920×1080, 2 threads, medians of 15 rounds",
        "",
        "                            ms     least      most     ratio",
        "openvino                  12.3      12.0    1300.5     1.00×",
        "",
        "PyTorch is left out: runtime torch needs PyTorch: pip install 'subpixel[torch]'",
    ]


@pytest.mark.skipif(not installed("torch"), reason="PyTorch is not installed")
def test_train_and_use(subpixel, tmp_path):
    for index in range(3):
        picture(tmp_path / "set" / f"{index}.png", (64, 48), seed=index)
    arguments = ["set", "-o", "mine.safetensors", "--scale", 2, "--steps", 3, "--batch", 2, "--patch", 8]
    done = subpixel("train", *arguments, "--threads", 1, "--json")
    assert (done.code, done.json["steps"]) == (0, 3)
    assert subpixel("upscale", "set/0.png", "--model", "mine.safetensors", "-o", "large.png", *RUNTIME).code == 0
    with Image.open(tmp_path / "large.png") as image:
        assert image.size == (128, 96)


def test_training_without_pytorch_says_how_to_get_it(subpixel, tmp_path, monkeypatch):
    monkeypatch.setattr("subpixel.runtime.session.installed", lambda name: False)
    done = subpixel("train", ".", "-o", "mine.safetensors", "--scale", "2")
    assert done.err == "subpixel: training needs PyTorch: pip install 'subpixel[torch]'\n"
    assert done.code == 1


# The process.


def fresh(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True, **options
    )


HEAVY = ["numpy", "torch", "onnx", "onnxruntime", "openvino", "PIL", "cv2", "safetensors", "platformdirs"]


@pytest.mark.parametrize(
    "code",
    [
        "import subpixel",
        "import sys, subpixel.cli; sys.argv[1:] = ['--help']\ntry: subpixel.cli.main()\nexcept SystemExit: pass",
        "import sys, subpixel.cli; sys.argv[1:] = ['upscale', '-h']\ntry: subpixel.cli.main()\nexcept SystemExit: pass",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code):
    done = fresh(f"{code}\nimport sys; print('HEAVY', [m for m in {HEAVY} if m in sys.modules])")
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_upscaling_needs_no_pytorch(photo, tmp_path):
    """Also on a machine where PyTorch is installed, it is not even imported."""
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv[0] = 'subpixel'\n"
        "from subpixel.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert end.code == 0, end.code"
    )
    fresh(code, "upscale", photo, "-o", tmp_path / "out.png")
    assert (tmp_path / "out.png").exists()


def test_python_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "subpixel", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("subpixel 0.")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_nothing_half_written(tmp_path, number, code):
    """Many pictures, stopped in the middle: those that are there are whole, and nothing else is."""
    for index in range(40):
        picture(tmp_path / "set" / f"{index:02}.png", (400, 300), seed=index)
    command = [
        sys.executable,
        "-m",
        "subpixel",
        "upscale",
        str(tmp_path / "set"),
        "-o",
        str(tmp_path / "out"),
        *RUNTIME,
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/*.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.strip() == ("subpixel: interrupted; nothing is left half-written" if code == 130 else "")
    assert 0 < len(tree(tmp_path / "out")) < 40
    for name in tree(tmp_path / "out"):
        assert name.endswith(".png")
        with Image.open(tmp_path / "out" / name) as image:
            image.load()
            assert image.size == (1200, 900)


def test_paths_the_system_refuses_fail_alone(subpixel, tmp_path):
    (tmp_path / "loop.png").symlink_to("loop.png")
    picture(tmp_path / "good.png")
    long = "n" * 300 + ".png"
    done = subpixel("upscale", "loop.png", long, "good.png", "-o", "out", "--json", *RUNTIME)
    assert done.code == 1
    assert [failure["input"] for failure in done.json["failures"]] == ["loop.png", long]
    assert done.json["failures"][1]["error"] == f"{long} cannot be read: File name too long"
    assert tree(tmp_path / "out") == ["good.png"]


@pytest.mark.parametrize("ending", [".onnx", ".safetensors"])
@pytest.mark.parametrize("stem", ["loop", "n" * 300])
def test_model_paths_the_system_refuses(subpixel, tmp_path, stem, ending):
    (tmp_path / f"loop{ending}").symlink_to(f"loop{ending}")
    picture(tmp_path / "a.png")
    done = subpixel("upscale", "a.png", "--model", stem + ending, *RUNTIME)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert stem + ending in done.err


def test_a_folder_the_system_refuses(subpixel):
    done = subpixel("evaluate", "n" * 300, "--model", "bicubic")
    assert (done.code, done.err) == (1, f"subpixel: folder {'n' * 300} cannot be read: File name too long\n")


def test_an_unreadable_picture_fails_alone(subpixel, tmp_path, monkeypatch):
    picture(tmp_path / "closed.png")
    picture(tmp_path / "good.png")
    may, opened = os.access, Path.open  # chmod stops nobody who is root

    def refuse(path, *arguments, **options):
        if path.name == "closed.png":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "access", lambda path, mode: "closed" not in str(path) and may(path, mode))
    monkeypatch.setattr(Path, "open", refuse)
    done = subpixel("upscale", "closed.png", "good.png", "-o", "out", *RUNTIME)
    assert (done.code, tree(tmp_path / "out")) == (1, ["good.png"])
    assert done.err.startswith("subpixel: closed.png cannot be read: Permission denied\n")


def test_a_reader_that_goes_away_is_no_traceback():
    read, write = os.pipe()
    os.close(read)  # before the start: a pipe with a reader holds all that `models` prints
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run([sys.executable, "-m", "subpixel", "models"], stdout=gone, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_stdout_on_a_full_disk_is_one_sentence(options):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "subpixel", "models", *options], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (
        1,
        "subpixel: the system refused: No space left on device\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["upscale", "a.png", "--model", "nosuch"], 2), (["upscale"], 2), (["evaluate", "nowhere"], 1)],
)
def test_json_of_a_call_that_fails_as_a_whole(subpixel, arguments, code):
    done = subpixel(*arguments, "--json")
    assert done.code == code
    assert list(done.json) == ["error"]
    assert done.json["error"] in done.err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "this machine's memory is too small for that: give smaller pictures, or fewer at once"),
        (OSError(5, "Input/output error", "/far/away"), "/far/away: Input/output error"),
        (OSError(5, "Input/output error"), "the system refused: Input/output error"),
    ],
)
def test_what_nobody_foresaw_of_the_system_is_one_sentence(subpixel, monkeypatch, error, said):
    def fail(**_):
        raise error

    monkeypatch.setattr(command.models, "callback", fail)
    done = subpixel("models")
    assert (done.code, done.out, done.err) == (1, "", f"subpixel: {said}\n")


def test_names_that_are_no_text(tmp_path):
    name = b"caf\xe9.png"
    try:
        Path(os.fsdecode(tmp_path / os.fsdecode(name))).write_bytes(b"no picture")
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    done = subprocess.run(
        [sys.executable, "-m", "subpixel", "upscale", name, "--json", *RUNTIME], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert json.loads(done.stdout)["failures"][0]["input"] == os.fsdecode(name)


@pytest.mark.parametrize("arguments", [["upscale", ""], ["upscale", "a.png", "-o", ""]])
def test_an_empty_path_is_bad_usage(subpixel, arguments):
    done = subpixel(*arguments)
    assert done.code == 2
    assert "an empty name: give a path" in done.err
