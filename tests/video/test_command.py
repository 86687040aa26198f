"""`subpixel upscale` with videos: names, pipes, JSON, progress, and what is bad usage."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from subpixel.media.video.naming import find_videos, name_outputs
from video import clips


def run(
    *arguments: str | Path, stdin: bytes | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "subpixel", *map(str, arguments)], input=stdin, capture_output=True, cwd=cwd,
        check=False, env=os.environ,
    )  # fmt: skip


def test_one_clip_by_default_lies_beside_itself(tmp_path: Path) -> None:
    clips.make(tmp_path / "clip.mp4", 5, audio="aac")
    done = run("upscale", "clip.mp4", "--stats", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rb"clip_x3\.mp4  192\xc3\x97144, 5 frames, [\d.]+ frames/s\n", done.stdout)
    stages = [line.split()[0] for line in done.stderr.decode().splitlines()]
    assert stages == ["stage", "decode", "network", "chroma", "encode", "write", "all"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip_x3.mp4"]


def test_pictures_and_videos_together_and_json(tmp_path: Path, photo: Path) -> None:
    clip = clips.make(tmp_path / "clip.mkv", 4)
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    out = tmp_path / "large"
    done = run("upscale", photo, clip, tmp_path / "broken.mp4", "-o", out, "--model", "bicubic", "--scale", 2, "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert {Path(each["output"]).name for each in document["outputs"]} == {photo.name, "clip.mkv"}
    (video,) = [each for each in document["outputs"] if "frames" in each]
    assert video["input"] == str(clip)
    assert (video["width"], video["height"], video["frames"], video["resumed"]) == (128, 96, 4, 0)
    assert video["frames_per_second"] > 0
    assert video["ms_total"] > 0
    assert set(video["stages"]) == {"decode", "network", "chroma", "encode", "write"}
    (failure,) = document["failures"]
    assert failure["input"].endswith("broken.mp4")
    assert sorted(path.name for path in out.iterdir()) == sorted(["clip.mkv", photo.name])


def test_y4m_through_pipes_is_what_files_give(tmp_path: Path) -> None:
    raw = clips.make(tmp_path / "in.y4m", 6, codec="wrapped_avframe")
    piped = run("upscale", "-", "-o", "-", "--model", "bicubic", "--scale", 2, stdin=raw.read_bytes())
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout.startswith(b"YUV4MPEG2 W128 H96 F25:1")
    assert b"6 frames" in piped.stderr
    filed = run("upscale", raw, "-o", tmp_path / "out.y4m", "--model", "bicubic", "--scale", 2)
    assert filed.returncode == 0, filed.stderr
    assert (tmp_path / "out.y4m").read_bytes() == piped.stdout
    coded = run(
        "upscale",
        "-",
        "-o",
        tmp_path / "out.mkv",
        "--codec",
        "ffv1",
        "--model",
        "bicubic",
        "--scale",
        2,
        stdin=raw.read_bytes(),
    )
    assert coded.returncode == 0, coded.stderr
    for one, other in zip(clips.frames_of(tmp_path / "out.mkv"), clips.frames_of(tmp_path / "out.y4m"), strict=True):
        assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_json_with_frames_on_stdout_goes_to_stderr(tmp_path: Path) -> None:
    raw = clips.make(tmp_path / "in.y4m", 2, codec="wrapped_avframe")
    done = run("upscale", raw, "-o", "-", "--model", "bicubic", "--json")
    assert done.stdout.startswith(b"YUV4MPEG2")
    assert json.loads(done.stderr)["outputs"][0]["frames"] == 2


def test_what_is_no_y4m_on_stdin(tmp_path: Path) -> None:
    done = run("upscale", "-", "-o", tmp_path / "out.mkv", stdin=b"GIF89a")
    assert done.returncode == 1
    assert done.stderr.decode().startswith("subpixel: standard input is no y4m: pipe it in by `ffmpeg -i FILE")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_stops_is_one_sentence(tmp_path: Path) -> None:
    raw = clips.make(tmp_path / "in.y4m", 60, codec="wrapped_avframe", size=(320, 240))
    with subprocess.Popen(
        [sys.executable, "-m", "subpixel", "upscale", str(raw), "-o", "-", "--model", "bicubic"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        words = process.stderr.read().decode()
    assert process.returncode == 1
    assert "Traceback" not in words
    assert "whoever reads standard output has stopped reading" in words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["PHOTO", "--crf", "20"], "--crf is for videos, and none of the inputs is one"),
        (["CLIP", "--quality", "80"], "--quality is for pictures, and none of the inputs is one"),
        (["CLIP", "--format", "png"], "--format is for pictures, and none of the inputs is one"),
        (["CLIP", "--memory", "1G"], "--memory is for pictures, and none of the inputs is one"),
        (["CLIP", "PHOTO", "--memory", "1G"], "--memory bounds pictures, and there are videos among the inputs"),
        (["CLIP", "-o", "CLIP"], "is the input itself: name another file"),
        (["CLIP", "PHOTO", "-o", "out.mp4"], "is one file, but there"),
        (["CLIP", "--start", "soon"], "'soon' is no time: give seconds, or minutes:seconds such as 1:30.5"),
        (["CLIP", "-o", "out.wmv"], "videos are written as"),
        (["CLIP", "-o", "-", "--crf", "20"], "y4m is raw frames and takes no crf: leave --crf out"),
        (["CLIP", "-o", "-", "--resume"], "y4m is raw frames and takes no resume: leave --resume out"),
        (["CLIP", "--codec", "vp8"], "'vp8' is not one of"),
    ],
)
def test_bad_usage(tmp_path: Path, photo: Path, arguments: list[str], message: str) -> None:
    clip = clips.make(tmp_path / "clip.mp4", 2)
    names = {"PHOTO": str(photo), "CLIP": str(clip)}
    done = run("upscale", *[names.get(word, word) for word in arguments], cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.decode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", photo.name]


def test_moments(tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "clip.mp4", 50, options={"g": "10"})
    done = run("upscale", clip, "--start", "0:00:01", "--end", "0:1.5", "--model", "bicubic", "--json")
    assert json.loads(done.stdout)["outputs"][0]["frames"] == 13


def test_notices_go_to_stderr_and_into_json(tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "clip.h264", 3)
    done = run("upscale", clip, "--model", "bicubic", "--json", "-o", tmp_path / "out.mkv")
    assert done.stderr.decode().startswith("subpixel: note: ")
    assert "timestamp" in json.loads(done.stdout)["outputs"][0]["notices"][0]


def test_names(tmp_path: Path) -> None:
    def names(*inputs: str, out: str | None = None, alone: bool = False) -> list[str]:
        videos = find_videos([Path(name) for name in inputs])
        return [path.as_posix() for _, path in name_outputs(videos, Path(out) if out else None, "x3", alone=alone)]

    assert names("a/clip.mp4") == ["a/clip_x3.mp4"]
    assert names("a/clip.wmv") == ["a/clip_x3.mkv"]
    assert names("-") == ["video_x3.mkv"]
    assert names("a.mp4", "b/a.mp4", out="large") == ["large/a.mp4", "large/a_x3.mp4"]
    assert names("a.mp4", out="b.mkv", alone=True) == ["b.mkv"]
    assert names("large/a.mp4", out="large") == ["large/a_x3.mp4"]
    assert names("a.mp4", "a_x3.mp4") == ["a_x3-2.mp4", "a_x3_x3.mp4"]


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_folders_of_videos_and_pictures(tmp_path: Path, photo: Path) -> None:
    folder = tmp_path / "set"
    (folder / "deep").mkdir(parents=True)
    clips.make(folder / "one.mp4", 3)
    clips.make(folder / "deep" / "two.mkv", 2)
    clips.make(folder / "deep" / "old.flv", 2, codec="flv1")
    (folder / "deep" / "code.ts").write_text("export const x = 1;\n")
    (folder / ".hidden.mp4").write_bytes(b"")
    shutil.copy(photo, folder / "deep" / photo.name)
    options = ["--model", "bicubic", "--scale", "2"]
    done = run("upscale", folder, *options)
    assert done.returncode == 0, done.stderr
    names = ["deep/old.mkv", "deep/two.mkv", f"deep/{photo.name}", "one.mp4"]
    assert tree(tmp_path / "set_x2") == sorted(names)
    shutil.rmtree(tmp_path / "set_x2")
    (folder / "deep" / photo.name).unlink()
    (folder / "broken.mp4").write_bytes(b"nothing")
    done = run("upscale", folder, "-o", folder / "large", *options)  # within itself: never its own input
    assert done.returncode == 1
    assert b"subpixel: 1 of 4 failed" in done.stderr
    assert tree(folder / "large") == ["deep/old.mkv", "deep/two.mkv", "one.mp4"]
    assert b"is one file" in run("upscale", folder, "-o", tmp_path / "out.mp4", *options).stderr


def test_resume_leaves_out_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBPIXEL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        clips.make(folder / name, 3)
    options = ["--model", "bicubic", "--scale", "2", "--resume", "--json"]
    first = json.loads(run("upscale", folder, *options).stdout)
    assert (first["skipped"], len(first["outputs"])) == (0, 2)
    (tmp_path / "set_x2" / "b.mp4").unlink()
    again = json.loads(run("upscale", folder, *options).stdout)
    assert (again["skipped"], [Path(each["output"]).name for each in again["outputs"]]) == (1, ["b.mp4"])
    other = json.loads(run("upscale", folder, *options, "--crf", "30").stdout)
    assert (other["skipped"], len(other["outputs"])) == (0, 2)


def test_ffmpeg_takes_and_gives_the_pipe(tmp_path: Path) -> None:
    from shutil import which

    if not which("ffmpeg"):
        pytest.skip("ffmpeg is not on this system")
    source = clips.make(tmp_path / "in.mp4", 10)
    decode: Any = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-i", source, "-f", "yuv4mpegpipe", "-"], stdout=subprocess.PIPE
    )
    ours: Any = subprocess.Popen(
        [sys.executable, "-m", "subpixel", "upscale", "-", "-o", "-", "--model", "bicubic", "--scale", "2"],
        stdin=decode.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    encode = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "-", "-c:v", "ffv1", tmp_path / "out.mkv"], stdin=ours.stdout, check=False
    )
    decode.stdout.close()
    ours.stdout.close()
    assert (decode.wait(), ours.wait(), encode.returncode) == (0, 0, 0)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(128, 96)] * 10
