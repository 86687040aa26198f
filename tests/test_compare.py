"""Two pictures beside each other: figures equal to evaluate's, places that differ, a picture of it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import InputError, UsageError
from subpixel.evaluate import degrade, psnr, ssim
from subpixel.evaluate.compare import compare
from subpixel.evaluate.pictures import luma_of, to_bytes
from subpixel.media.side_by_side import PANEL, SIDES


@pytest.fixture
def three(tmp_path, photo):
    """An original, and two pictures that differ from it here and there."""
    hr = np.asarray(Image.open(photo))
    hr = hr.repeat(4, 0).repeat(4, 1)
    a, b = hr.copy(), hr.copy()
    a[40:60, 200:230] = 255 - a[40:60, 200:230]
    b[150:160, 30:40] += 3
    paths = []
    for name, pixels in (("a", a), ("b", b), ("hr", hr)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        paths.append(tmp_path / f"{name}.png")
    return paths


def y(path):
    return to_bytes(luma_of(np.asarray(Image.open(path).convert("RGB"))))


def test_figures_are_those_of_evaluate(three):
    a, b, hr = three
    result = compare(a, b, hr=hr, shave=3)
    inner = slice(3, -3), slice(3, -3)
    pairs = [(result, a, b), (result["against_hr"]["a"], a, hr), (result["against_hr"]["b"], b, hr)]
    for figures, one, other in pairs:
        assert figures["psnr"] == psnr(y(one)[inner], y(other)[inner])
        assert figures["ssim"] == pytest.approx(ssim(y(one)[inner], y(other)[inner]), abs=1e-12)
    assert "3 px shaved" in result["protocol"]
    assert result["differing"] == (y(a) != y(b))[inner].mean()


def test_ssim_by_strips_is_ssim(three, monkeypatch):
    a, b, _ = three
    monkeypatch.setattr("subpixel.evaluate.compare._STRIP", 37)
    assert compare(a, b)["ssim"] == pytest.approx(ssim(y(a), y(b)), abs=1e-12)


def test_crops_show_where_they_differ_most(three):
    a, b, hr = three
    for options in ({}, {"hr": hr}):
        crops = compare(a, b, **options)["crops"]
        first = crops[0]
        assert first["x"] <= 200
        assert first["x"] + first["width"] >= 230
        assert first["y"] <= 40
        assert first["y"] + first["height"] >= 60
        assert any(c["x"] <= 30 < c["x"] + c["width"] and c["y"] <= 150 < c["y"] + c["height"] for c in crops)
        for n, one in enumerate(crops):
            for other in crops[:n]:  # they do not overlap
                assert abs(one["x"] - other["x"]) >= one["width"] or abs(one["y"] - other["y"]) >= one["width"]


def test_equal_pictures(three):
    result = compare(three[0], three[0])
    assert (result["psnr"], result["differing"], result["crops"]) == (None, 0, [])
    assert result["ssim"] == pytest.approx(1)


def test_the_picture(three, tmp_path):
    a, b, hr = three
    compare(a, b, hr=hr, picture=tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as sheet:
        assert sheet.width > 4 * PANEL
        pixels = np.asarray(sheet)
    shown = np.asarray(Image.open(a))
    crop = compare(a, b, hr=hr)["crops"][0]
    side = crop["width"]
    assert side in SIDES
    zoom = PANEL // side
    part = shown[crop["y"] : crop["y"] + side, crop["x"] : crop["x"] + side].repeat(zoom, 0).repeat(zoom, 1)
    inner = part[8:-8, 8:-8]
    column = pixels[:, 28 + 8 : 28 + PANEL - 8]
    rows = [n for n in range(len(column) - len(inner)) if (column[n] == inner[0]).all()]
    assert any((column[n : n + len(inner)] == inner).all() for n in rows)


def test_a_smaller_picture_is_enlarged_first(tmp_path, photo):
    hr = np.asarray(Image.open(photo))
    Image.fromarray(degrade(hr, 2)).save(tmp_path / "small.png")
    result = compare(tmp_path / "small.png", photo)
    assert result["notices"] == ["small.png: 36×28 pixels, enlarged to 72×56 by bicubic interpolation"]
    assert 20 < result["psnr"] < 40
    Image.fromarray(hr[:, :30]).save(tmp_path / "other.png")
    with pytest.raises(InputError, match=r"other.png has 30×56 pixels and the largest .* 72×56, which is another form"):
        compare(tmp_path / "other.png", photo)


def test_kinds_of_pictures(tmp_path):
    for n, size in enumerate([(1, 1), (5, 3), (400, 2), (30, 200)]):
        for mode in ("L", "RGBA"):
            paths = []
            for level in (10, 200):
                Image.new("L", size, level).convert(mode).save(tmp_path / f"{n}{mode}{level}.png")
                paths.append(tmp_path / f"{n}{mode}{level}.png")
            result = compare(*paths, picture=tmp_path / "out.png")
            assert result["largest_difference"] in (163, 190)
            with Image.open(tmp_path / "out.png") as sheet:
                assert sheet.width > 2 * PANEL


def test_bad_usage(three):
    with pytest.raises(UsageError, match="shave 200 leaves nothing of 288×224 pixels: give less"):
        compare(*three[:2], shave=200)
    with pytest.raises(InputError, match=r"missing\.png does not exist"):
        compare("missing.png", three[0])


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "subpixel", "compare", *map(str, arguments)], capture_output=True, text=True, cwd=cwd
    )


def test_the_command(three, tmp_path):
    a, b, hr = three
    done = run(a, b, "--hr", hr, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a_vs_b.png").exists()
    assert done.stdout.splitlines()[-1] == "a_vs_b.png"
    assert [line.split()[:2] for line in done.stdout.splitlines()[3:6]] == [["A,", "HR"], ["B,", "HR"], ["A,", "B"]]
    done = run(a, b, "--no-picture", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["psnr"] == psnr(y(a), y(b))
    for arguments, code, said in (
        ((a, b, "-o", a), 2, "is one of the pictures: name another file"),
        ((a, b, "-o", "x.ppm"), 2, "pictures are written as"),
        ((a, b, "-o", "x.png", "--no-picture"), 2, "--no-picture contradicts -o x.png"),
        ((a, "none.png"), 1, "none.png does not exist: check the name"),
    ):
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
