"""Figures in a weight file's header: of a whole set of pictures, named after its folder, or none."""

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import InputError
from subpixel.models import read_weights
from subpixel.models.files import write_tensors
from subpixel.models.table import table_of
from subpixel.models.trained import WEIGHTS

pytest.importorskip("torch")

from subpixel.train.figures import write_figures


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """Two pictures, in the folder that is the current one."""
    folder = tmp_path / "Set2"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 60), np.uint8)).save(folder / name)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def weights(tmp_path):
    """Of nano, with a header that says nothing."""
    trained = read_weights(WEIGHTS / "nano_x2.safetensors")
    write_tensors(tmp_path / "w.safetensors", trained.weights, {"network": trained.network.config()})
    return tmp_path / "w.safetensors"


def test_a_set_is_named_after_its_folder_with_the_number_of_its_pictures(weights, benchmark):
    write_figures(weights, [benchmark.relative_to(benchmark)])  # "."
    (figure,) = read_weights(weights).header["figures"]
    assert (figure["set"], figure["pictures"]) == ("Set2", 2)


def test_a_picture_that_cannot_be_read_is_no_smaller_set(weights, benchmark):
    (benchmark / "b.png").write_bytes((benchmark / "a.png").read_bytes()[:-900])
    with pytest.raises(InputError, match=r"1 of its pictures cannot be evaluated, the first b\.png .*are whole"):
        write_figures(weights, [benchmark])
    assert "figures" not in read_weights(weights).header


def test_a_picture_too_small_for_ssim(weights, benchmark):
    for name in ("a.png", "b.png"):
        Image.new("L", (12, 12), 90).save(benchmark / name)
    write_figures(weights, [benchmark])
    (figure,) = table_of([weights])[0]["figures"]
    assert figure["ssim"] is None
