"""Where results go: never onto an input, never two onto one file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.errors import InputError, UsageError
from subpixel.media.naming import plan
from subpixel.media.tiles import along, balanced


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")
    return [Path(name) for name in names]


def outputs(inputs, out=None, **options):
    return [str(job.output) for job in plan([Path(i) for i in inputs], out and Path(out), "x3", **options)]


def test_beside_the_input():
    touch("photo.jpg", "photo.png", "sub/photo.png")
    assert outputs(["photo.jpg", "photo.png", "sub/photo.png"]) == ["photo_x3.jpg", "photo_x3.png", "sub/photo_x3.png"]


def test_one_format_for_all_keeps_them_apart():
    touch("photo.jpg", "photo.png")
    assert outputs(["photo.jpg", "photo.png"], ending=".webp") == ["photo_x3.webp", "photo_x3-2.webp"]


def test_a_file_for_one_picture():
    touch("photo.jpg")
    assert outputs(["photo.jpg"], "out.png") == ["out.png"]
    assert outputs(["photo.jpg"], "new/deep/out.PNG") == ["new/deep/out.PNG"]


def test_a_folder_keeps_names():
    touch("a/photo.png", "b/photo.png", "c.jpg")
    assert outputs(["a/photo.png", "b/photo.png", "c.jpg"], "out") == ["out/photo.png", "out/photo_x3.png", "out/c.jpg"]
    Path("set.v2").mkdir()
    assert outputs(["c.jpg"], "set.v2") == ["set.v2/c.jpg"]


def test_the_input_folder_as_output_overwrites_nothing():
    touch("a/photo.png", "a/other.png")
    assert outputs(["a"], "a") == ["a/other_x3.png", "a/photo_x3.png"]
    assert outputs(["a/photo.png"], "a") == ["a/photo_x3.png"]


def test_folders_keep_their_structure():
    touch("set/1.png", "set/deep/er/2.JPG", "set/.hidden.png", "set/notes.txt", "set/3.ppm")
    assert outputs(["set"]) == ["set_x3/1.png", "set_x3/deep/er/2.JPG"]
    assert outputs(["set"], "out") == ["out/1.png", "out/deep/er/2.JPG"]
    assert outputs(["set"], "out", ending=".png") == ["out/1.png", "out/deep/er/2.png"]


def test_a_folder_without_a_name(monkeypatch):
    touch("here/1.png")
    monkeypatch.chdir("here")
    (only,) = outputs(["."])
    assert Path(only) == Path.cwd().parent / "here_x3" / "1.png"
    (only,) = outputs([".."])
    assert Path(only) == Path.cwd().parents[1] / f"{Path.cwd().parent.name}_x3" / "here" / "1.png"


def test_earlier_results_inside_the_folder_are_no_inputs():
    touch("set/1.png", "set/out/1.png")
    assert [str(job.input) for job in plan([Path("set")], Path("set/out"), "x3")] == ["set/1.png"]


def test_a_result_is_never_another_input():
    touch("photo.png", "photo_x3.png")
    assert outputs(["photo.png", "photo_x3.png"]) == ["photo_x3-2.png", "photo_x3_x3.png"]
    assert outputs(["photo.png"]) == ["photo_x3.png"]  # not among the inputs: an earlier result, replaced


def test_links_to_an_input_are_that_input():
    touch("photo.png")
    Path("out").mkdir()
    Path("out/photo.png").symlink_to(Path("photo.png").resolve())
    assert outputs(["photo.png"], "out") == ["out/photo_x3.png"]
    with pytest.raises(UsageError, match=r"-o out/photo\.png is the input itself: name another file"):
        plan([Path("photo.png")], Path("out/photo.png"), "x3")


def test_spellings_that_some_disks_take_for_one():
    touch("Photo.png", "photo.png")
    assert outputs(["Photo.png", "photo.png"], "out") == ["out/Photo.png", "out/photo_x3.png"]


def test_a_link_to_another_input_is_a_picture_of_its_own():
    touch("photo.png")
    Path("link.png").symlink_to("photo.png")
    assert outputs(["photo.png", "link.png"]) == ["photo_x3.png", "link_x3.png"]


def test_an_input_named_twice_is_done_once():
    touch("set/1.png")
    assert outputs(["set/1.png", "set", "set/../set/1.png"], "out") == ["out/1.png"]


def test_a_name_that_is_no_picture_becomes_png():
    touch("scan", "scan.data")
    assert outputs(["scan", "scan.data"]) == ["scan_x3.png", "scan_x3-2.png"]


def test_a_folder_without_pictures_is_one_failure():
    touch("empty/notes.txt", "photo.png")
    jobs = plan([Path("empty"), Path("photo.png")], None, "x3")
    assert isinstance(jobs[0].error, InputError)
    assert (
        str(jobs[0].error)
        == "empty has no pictures (.png .apng .jpg .jpeg .webp .tif .tiff .bmp .gif .avif) and no videos in it"
    )
    assert str(jobs[1].output) == "photo_x3.png"


def test_a_file_for_several_pictures_is_refused():
    touch("a.png", "b.png", "set/c.png")
    for inputs in (["a.png", "b.png"], ["set"]):
        with pytest.raises(UsageError, match=r"-o out\.png is one file, but there may be several"):
            outputs(inputs, "out.png")
    with pytest.raises(UsageError, match=r"out\.ppm: pictures are written as PNG, .* not as \.ppm"):
        outputs(["a.png"], "out.ppm")


# Tiles.


@given(st.integers(1, 200), st.integers(1, 60), st.integers(0, 25))
def test_tiles_cover_an_axis_once_and_keep_their_distance(length, window, halo):
    if length > window <= 2 * halo:
        with pytest.raises(ValueError, match=f"`window` .={window}. must be more than twice `halo` .={halo}."):
            along(length, window, halo)
        return
    tiles = along(length, window, halo)
    assert [tiles[0].first, *(tile.last for tile in tiles)] == [*(tile.first for tile in tiles), length]
    assert tiles[0].first == 0
    for tile in tiles:
        assert tile.stop - tile.start == min(window, length)
        assert 0 <= tile.start <= tile.first < tile.last <= tile.stop <= length
        assert tile.start == 0 or tile.first - tile.start >= halo
        assert tile.stop == length or tile.stop - tile.last >= halo


@given(st.integers(1, 300), st.integers(21, 60), st.integers(0, 10))
def test_balanced_windows_need_no_more_tiles_and_hardly_overlap(length, largest, halo):
    window = balanced(length, largest, halo)
    assert window <= largest or window == length
    count = len(along(length, largest, halo))
    assert len(along(length, window, halo)) == count
    if count > 1:
        assert count * (window - 2 * halo) + 2 * halo - length < count


def test_folders_that_cannot_be_looked_into_are_named(monkeypatch):
    import os

    touch("set/1.png", "set/closed/2.png")
    real = os.scandir

    def scandir(path="."):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    jobs = plan([Path("set")], Path("out"), "x3")
    assert [(str(job.input), job.error and str(job.error)) for job in jobs] == [
        (str(Path("set/closed")), f"{Path('set/closed')} cannot be read: Permission denied"),
        (str(Path("set/1.png")), None),
    ]
