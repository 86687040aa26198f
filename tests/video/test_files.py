"""Video files: what goes in comes out, enlarged, and nothing else changes."""

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import subpixel
from subpixel.errors import InputError, OutputError, UsageError
from subpixel.media.video.hdr import hdr_of
from subpixel.upscaling.video import upscale_video
from subpixel.upscaling.video_job import VideoResult
from video import clips

EXACT: dict[str, Any] = {"model": "bicubic", "threads": 2}


def enlarge(source: Path, output: Path, **options: Any) -> VideoResult:
    return upscale_video(source, output, options.pop("scale", 2), **{**EXACT, **options})


def stream_of(path: Path) -> dict[str, Any]:
    """What the first video stream says of itself, and its first frame."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        context = stream.codec_context
        return {
            "codec": context.name,
            "size": (frame.width, frame.height),
            "format": frame.format.name,
            "colour": (int(frame.color_range), int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)),
            "aspect": stream.sample_aspect_ratio,
            "rotation": frame.rotation,
            "side": {data.type.name: bytes(data) for data in frame.side_data if data.type.name != "SEI_UNREGISTERED"},  # type: ignore[attr-defined]
        }


# --- frames and timestamps


def test_frames_are_what_enlarging_them_one_by_one_gives(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mkv", 9, codec="ffv1")
    result = enlarge(source, tmp_path / "out.mkv", codec="ffv1", model="espcn", scale=3, runtime="onnxruntime")
    upscaler = subpixel.open_upscaler("espcn", 3, runtime="onnxruntime", threads=1)
    assert (result.frames, result.width, result.height) == (9, 192, 144)
    before, after = clips.frames_of(source), clips.frames_of(tmp_path / "out.mkv")
    assert len(before) == len(after) == 9
    for small, large in zip(before, after, strict=True):
        wanted = np.clip(upscaler.upscale_luma(small[0].astype(np.float32)), 0, 255)
        assert np.abs(wanted - large[0]).max() <= 0.51
        assert [plane.shape for plane in large] == [(144, 192), (72, 96), (72, 96)]


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov", ".ts", ".nut"])
@pytest.mark.parametrize("kind", ["constant", "variable", "late"])
def test_every_timestamp_is_kept(tmp_path: Path, ending: str, kind: str) -> None:
    if kind == "variable":
        steps = [0, 1000, 1700, 5000, 5100, 9000, 9300, 9900, 15000, 15100, 15200, 21000]
        source = clips.make(tmp_path / f"in{ending}", pts=steps, time_base=Fraction(1, 12000), audio="aac")
    else:
        start = 40 if kind == "late" else 0
        source = clips.make(tmp_path / f"in{ending}", rate=Fraction(30000, 1001), audio="aac", start=start)
    enlarge(source, tmp_path / f"out{ending}")
    assert clips.moments(tmp_path / f"out{ending}") == clips.moments(source)
    sound = clips.packets(source, "audio")
    assert sound == clips.packets(tmp_path / f"out{ending}", "audio")
    assert len(sound) > 15


def test_segments_make_no_difference_to_timestamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Borders of segments where the frame rate changes abruptly: decoding timestamps have to grow all the same."""
    monkeypatch.setattr("subpixel.upscaling.video_job.FRAMES", 5)
    steps = np.cumsum([0, *[10] * 5, *[4000] * 6, *[7] * 6, 9000, 1, 1, 1, 20000, 5]).tolist()
    source = clips.make(tmp_path / "in.mp4", len(steps), pts=steps, time_base=Fraction(1, 12000))
    for ending in (".mp4", ".nut"):
        enlarge(source, tmp_path / f"out{ending}", preset="medium")
        assert clips.moments(tmp_path / f"out{ending}") == clips.moments(source)
        with av.open(str(tmp_path / f"out{ending}")) as container:
            stamps = [p.dts for p in container.demux(video=0) if p.size and p.dts is not None]
        assert all(a < b for a, b in pairwise(stamps))


def test_a_part_keeps_picture_and_sound_together(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mp4", 50, audio="aac", chapters=True, options={"g": "10"})
    result = enlarge(source, tmp_path / "out.mp4", start=0.5, end=1.5)
    assert result.frames == 25
    begin = Fraction(1, 2)
    assert clips.moments(tmp_path / "out.mp4") == [
        moment - begin for moment in clips.moments(source) if begin <= moment < begin + 1
    ]
    kept = [
        (at - begin, data) for at, data in clips.packets(source, "audio") if at is not None and begin <= at < begin + 1
    ]
    found = clips.packets(tmp_path / "out.mp4", "audio")
    assert [data for _, data in found] == [data for _, data in kept]
    assert all(abs(a - b) <= Fraction(1, 48000) for (a, _), (b, _) in zip(found, kept, strict=True))  # type: ignore[operator]


# --- everything else in the file


def test_all_other_streams_come_along(tmp_path: Path) -> None:
    source = clips.make(
        tmp_path / "in.mkv", audio="flac", subtitles="subrip", attachment=True, chapters=True,
        metadata={"title": "Fluß", "comment": "two\nlines"},
    )  # fmt: skip
    enlarge(source, tmp_path / "out.mkv")
    for kind in ("audio", "subtitle"):
        assert clips.packets(tmp_path / "out.mkv", kind) == clips.packets(source, kind) != []
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert [s.type for s in after.streams] == [s.type for s in before.streams]
        assert {k.lower(): v for k, v in after.metadata.items() if k.lower() != "encoder"} == {
            "title": "Fluß", "comment": "two\nlines",
        }  # fmt: skip
        for old, new in zip(before.streams, after.streams, strict=True):
            assert new.language == old.language
            assert new.disposition == old.disposition
            assert new.metadata.get("title") == old.metadata.get("title")
        assert after.streams[3].data == bytes(range(256)) * 4  # type: ignore[attr-defined]
        assert after.streams[3].metadata["filename"] == "font.ttf"
        chapters = [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]) for c in after.chapters()]  # type: ignore[operator]
        assert chapters == [
            (0, Fraction(1, 5), {"title": "One"}),
            (Fraction(1, 5), Fraction(12, 25), {"title": "Two"}),
        ]


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (2, 5, 5, 6), (1, 9, 9, 16)])
def test_colour_shape_and_rotation_are_kept(tmp_path: Path, ending: str, colour: tuple[int, int, int, int]) -> None:
    source = clips.make(
        tmp_path / f"in{ending}", 3, pixel_format="yuv420p10le", colour=colour, aspect=Fraction(4, 3), rotation=90
    )
    enlarge(source, tmp_path / f"out{ending}")
    old, new = stream_of(source), stream_of(tmp_path / f"out{ending}")
    assert new["size"] == (128, 96)
    for key in ("colour", "aspect", "rotation", "format"):
        assert new[key] == old[key], key
    assert new["colour"] == colour
    assert new["rotation"] == 90


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_light_levels_are_kept(tmp_path: Path, codec: str) -> None:
    parameters = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
    source = clips.make(
        tmp_path / "in.mp4", 3, codec="libx265", pixel_format="yuv420p10le", colour=(1, 9, 9, 16),
        options={"x265-params": f"log-level=error:hdr10=1:{parameters}"},
    )  # fmt: skip
    enlarge(source, tmp_path / "out.mp4", codec=codec)
    levels = light_levels(source)
    assert levels == (pytest.approx([0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329]), (0.005, 1000), (1000, 400))
    assert light_levels(tmp_path / "out.mp4") == (
        pytest.approx(levels[0], abs=1e-5), pytest.approx(levels[1], rel=2e-2), levels[2]
    )  # fmt: skip


def light_levels(path: Path) -> tuple[Any, Any, Any]:
    with av.open(str(path)) as container:
        hdr = hdr_of(next(container.decode(video=0)))
    assert hdr.primaries is not None
    assert hdr.luminance is not None
    return [float(value) for value in hdr.primaries], tuple(map(float, hdr.luminance)), hdr.light


@pytest.mark.parametrize(
    ("transfer", "bits", "codec", "ending", "expected"),
    [
        (16, "10le", "libx264", ".mp4", "hevc"),
        (18, "10le", "libx264", ".mkv", "hevc"),
        (1, "10le", "libx264", ".mp4", "h264"),
        (1, "10le", "libx265", ".mov", "hevc"),
        (1, "", "libx265", ".mp4", "h264"),
        (16, "10le", "libx264", ".webm", "libdav1d"),
        (1, "", "libx264", ".webm", "vp9"),
    ],
)
def test_the_codec_by_default(tmp_path: Path, transfer: int, bits: str, codec: str, ending: str, expected: str) -> None:
    options = {"x265-params": "log-level=error"} if codec == "libx265" else None
    source = clips.make(
        tmp_path / "in.mkv", 2, codec=codec, pixel_format=f"yuv420p{bits}", colour=(1, 9, 9, transfer), options=options
    )
    result = enlarge(source, tmp_path / f"out{ending}")
    made = stream_of(tmp_path / f"out{ending}")
    assert (made["codec"], made["format"], result.notices) == (expected, f"yuv420p{bits}", [])
    assert made["colour"] == (1, 9, 9, transfer)


def test_light_levels_that_a_codec_does_not_hold_are_said(tmp_path: Path) -> None:
    levels = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    source = clips.make(
        tmp_path / "in.mp4", 2, codec="libx265", pixel_format="yuv420p10le", colour=(1, 9, 9, 16),
        options={"x265-params": f"log-level=error:hdr10=1:{levels}"},
    )  # fmt: skip
    assert enlarge(source, tmp_path / "out.mkv", codec="ffv1").notices == [
        f"{source}: its light levels (HDR10) are left out, since ffv1 does not hold them"
    ]


@pytest.mark.parametrize(
    "name",
    ["gray", "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "gray10le", "yuv420p10le", "yuv422p10le", "yuv444p10le"],
)
def test_every_pixel_format_stays_what_it_is(tmp_path: Path, name: str) -> None:
    source = clips.make(tmp_path / "in.mkv", 2, pixel_format=name, codec="ffv1" if name != "yuvj420p" else "mjpeg")
    result = enlarge(source, tmp_path / "out.mkv")
    new = stream_of(tmp_path / "out.mkv")
    assert new["codec"] == "h264"
    # FFmpeg decodes h264 without chroma as 4:2:0 with grey chroma.
    assert new["format"] in (name, name.replace("yuvj", "yuv"), name.replace("gray", "yuv420p"))
    assert new["colour"][0] == stream_of(source)["colour"][0]
    assert result.notices == []


def test_a_format_that_the_codec_does_not_hold_goes_to_the_nearest(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mkv", 2, pixel_format="yuv422p12le", codec="ffv1")
    enlarge(source, tmp_path / "deep.mkv")
    assert stream_of(tmp_path / "deep.mkv") | {"side": {}} | {"rotation": 0} == {
        **stream_of(tmp_path / "deep.mkv"), "codec": "hevc", "format": "yuv422p12le", "side": {}, "rotation": 0,
    }  # fmt: skip
    result = enlarge(source, tmp_path / "flat.mkv", codec="h264")
    assert stream_of(tmp_path / "flat.mkv")["format"] == "yuv422p10le"
    assert result.notices == [f"{source}: yuv422p12le becomes yuv422p10le, the nearest that h264 holds"]


def test_another_pixel_format_on_request(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mkv", 2, codec="ffv1")
    enlarge(source, tmp_path / "deep.mkv", codec="ffv1", pixel_format="yuv444p10le")
    enlarge(source, tmp_path / "flat.mkv", codec="ffv1")
    (deep,), (flat,) = clips.frames_of(tmp_path / "deep.mkv")[:1], clips.frames_of(tmp_path / "flat.mkv")[:1]
    assert deep[1].shape == deep[0].shape == flat[0].shape
    assert np.abs(deep[0] / 4 - flat[0]).max() <= 0.63  # the same luma, finer


def test_colours_that_are_no_luma_and_chroma_are_brought_into_them(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "bgr0"
        red = np.zeros((24, 32, 3), np.uint8)
        red[..., 0] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(red, "rgb24").reformat(format="bgr0")))
        container.mux(stream.encode(None))
    result = enlarge(path, tmp_path / "out.mkv", codec="ffv1")
    (frame,) = clips.frames_of(tmp_path / "out.mkv")
    assert [int(np.median(plane)) for plane in frame] == [63, 102, 240]  # BT.709, studio range
    assert stream_of(tmp_path / "out.mkv")["colour"][:2] == (1, 1)
    assert result.notices == [f"{path}: bgr0 becomes yuv444p, BT.709"]


@pytest.mark.parametrize(
    ("codec", "ending", "name"),
    [("hevc", ".mp4", "hevc"), ("av1", ".mkv", "av1"), ("vp9", ".webm", "vp9"), ("ffv1", ".mkv", "ffv1")],
)
def test_every_codec_writes(tmp_path: Path, codec: str, ending: str, name: str) -> None:
    source = clips.make(tmp_path / "in.mp4", 3)
    enlarge(source, tmp_path / f"out{ending}", codec=codec)
    new = stream_of(tmp_path / f"out{ending}")
    assert new["codec"] in (name, f"lib{name}", "libdav1d")
    assert clips.moments(tmp_path / f"out{ending}") == clips.moments(source)


def test_odd_sizes_lose_a_column_only_where_they_must(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mkv", 2, codec="ffv1", size=(33, 27))
    result = enlarge(source, tmp_path / "a.mkv", scale=3)
    assert (result.width, result.height) == (98, 80)
    assert "99×81 is cut to 98×80" in result.notices[0]
    result = enlarge(source, tmp_path / "b.mkv", scale=3, codec="ffv1")
    assert (result.width, result.height) == (99, 81)
    a, b = clips.frames_of(tmp_path / "a.mkv")[0], clips.frames_of(tmp_path / "b.mkv")[0]
    assert np.abs(a[0].astype(int) - b[0][:80, :98]).mean() < 3


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_odd_frames_twice_as_large_are_whole(tmp_path: Path, codec: str) -> None:
    source = clips.make(tmp_path / "in.mkv", 3, codec="ffv1", size=(161, 91))
    result = enlarge(source, tmp_path / "out.mkv", codec=codec)
    assert (result.width, result.height, result.frames, result.notices) == (322, 182, 3, [])
    enlarge(source, tmp_path / "exact.mkv", codec="ffv1")
    for coded, exact in zip(
        clips.frames_of(tmp_path / "out.mkv"), clips.frames_of(tmp_path / "exact.mkv"), strict=True
    ):
        for plane, other in zip(coded, exact, strict=True):
            assert plane.shape == other.shape
            assert np.abs(plane.astype(int) - other).mean() < 4


@pytest.mark.parametrize(
    ("how", "size"),
    [
        ({"scale": 2.5}, (160, 120)),
        ({"scale": None, "size": "x100"}, (132, 100)),
        ({"scale": None, "size": (100, 96)}, (100, 96)),
    ],
)
def test_any_scale_and_any_size(tmp_path: Path, how: dict[str, Any], size: tuple[int, int]) -> None:
    source = clips.make(tmp_path / "in.mp4", 2)
    result = enlarge(source, tmp_path / "out.mp4", model="espcn", **how)
    assert (result.width, result.height) == size == stream_of(tmp_path / "out.mp4")["size"]


# --- interlaced


def test_interlaced_is_refused_or_made_whole(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mkv", 10, options={"x264-params": "tff=1", "flags": "+ildct+ilme"})
    with pytest.raises(InputError, match=r"is interlaced \(at 0:00\.00\): --deinterlace makes whole frames"):
        enlarge(source, tmp_path / "out.mkv")
    assert list(tmp_path.iterdir()) == [source]
    enlarge(source, tmp_path / "out.mkv", deinterlace=True)
    assert clips.moments(tmp_path / "out.mkv") == clips.moments(source)


# --- what cannot be


def test_a_stream_that_the_container_cannot_hold_is_named(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mkv", audio="flac", subtitles="subrip")
    with pytest.raises(InputError, match=r"stream 2, subtitle \(srt\) in fra, cannot be held by mp4; \.mkv does"):
        enlarge(source, tmp_path / "out.mp4")
    with pytest.raises(InputError, match=r"stream 1, audio \(flac\) in deu, cannot be held by webm; \.mkv does"):
        enlarge(source, tmp_path / "out.webm")
    with pytest.raises(OutputError, match=r"webm does not hold h264 video: name another --codec, or \.mkv"):
        enlarge(clips.make(tmp_path / "mute.mkv"), tmp_path / "out.webm", codec="h264")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "mute.mkv"]


def test_the_container_that_is_named_holds_everything(tmp_path: Path) -> None:
    """MP4's own subtitles go into no other kind, and its track of chapters into none at all."""
    source = clips.make(tmp_path / "in.mp4", audio="aac", subtitles="mov_text", chapters=True)
    for ending, named in ((".webm", r"\.mov|\.mp4"), (".mkv", r"\.mov")):
        with pytest.raises(InputError, match=rf"cannot be held by \w+; ({named}) does: name such a file with -o"):
            enlarge(source, tmp_path / f"out{ending}")
    assert enlarge(source, tmp_path / "out.mov").notices == []
    before, after = (
        [packet for packet in clips.packets(path, "subtitle") if packet[1] != b"\0\0"]  # between the lines
        for path in (source, tmp_path / "out.mov")
    )
    assert before == after != []
    assert enlarge(source, tmp_path / "out.mkv", subtitles=False).notices == []
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["One", "Two"]


def test_streams_that_no_container_holds_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subpixel.media.video.container._ALTERNATIVES", ("webm",))
    source = clips.make(tmp_path / "in.mkv", 3, audio="flac", subtitles="subrip")
    with pytest.raises(InputError, match=r"no container holds all its streams: --no-subtitles leaves such out"):
        enlarge(source, tmp_path / "out.mp4")
    assert enlarge(source, tmp_path / "out.mp4", subtitles=False).frames == 3
    with pytest.raises(InputError, match=r"no container holds all its streams: take this one out first"):
        enlarge(source, tmp_path / "out.webm", subtitles=False)


def test_transparency_beside_the_frames_is_left_out_and_said(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.webm", 3, codec="libvpx-vp9", stream_metadata={"alpha_mode": "1"})
    result = enlarge(source, tmp_path / "out.webm")
    assert result.notices == [f"{source}: its transparency is left out"]
    with av.open(str(tmp_path / "out.webm")) as container:
        assert "alpha_mode" not in {key.lower() for key in container.streams.video[0].metadata}
    assert enlarge(tmp_path / "out.webm", tmp_path / "again.webm").notices == []


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_a_subtitle_on_screen_at_a_cut_is_shortened(tmp_path: Path, ending: str) -> None:
    """Lines at 0 to 150 and 200 to 350 ms; the part is from 120 to 280 ms."""
    kind = "subrip" if ending == ".mkv" else "mov_text"
    source = clips.make(tmp_path / f"in{ending}", subtitles=kind)
    enlarge(source, tmp_path / f"out{ending}", start=0.12, end=0.28)
    with av.open(str(tmp_path / f"out{ending}")) as container:
        shown = [
            (float(p.pts * p.time_base), float(p.duration * p.time_base), bytes(p)[-6:])  # type: ignore[operator]
            for p in container.demux(subtitles=0)
            if p.size > 2 and p.pts is not None
        ]
    (first, second) = shown
    assert (first[2], second[2]) == (b"line 0", b"line 1")
    assert first[:2] == pytest.approx((0.0, 0.03), abs=2e-3)
    assert second[:2] == pytest.approx((0.08, 0.08), abs=2e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crf": 99}, "crf 99 is impossible for h264: 0 (best) to 51"),
        ({"preset": "quick"}, "preset quick is none of h264's: ultrafast, "),
        ({"preset": "fast", "codec": "av1"}, "preset fast is none of av1's: 0, 1"),
        ({"crf": 3, "codec": "ffv1"}, "ffv1 is lossless and has no crf: leave --crf out"),
        ({"pixel_format": "rgb24"}, "pixel format rgb24 is not written: choose"),
        ({"pixel_format": "yuv420p12le", "codec": "h264"}, "h264 does not hold yuv420p12le: it holds"),
        ({"start": 3.0, "end": 2.0}, "the end (2 s) must come after the start (3 s)"),
        ({"start": -1.0}, "the start (=-1) must not be negative"),
    ],
)
def test_settings_that_do_not_go_together(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    source = clips.make(tmp_path / "in.mp4", 2)
    with pytest.raises(UsageError) as error:
        enlarge(source, tmp_path / "out.mp4", **options)
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == [source]


def test_an_ending_that_is_not_written(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mp4", 2)
    with pytest.raises(UsageError, match=r"videos are written as \.mp4 .* not \.wmv"):
        enlarge(source, tmp_path / "out.wmv")


def test_results_are_limited(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "in.mp4", 2)
    with pytest.raises(InputError, match=r"becomes 4096×3072, more than the 5 megapixels"):
        enlarge(source, tmp_path / "out.mp4", scale=64, max_megapixels=5)
    with pytest.raises(InputError, match=r"frames of 64×48 pixels, more than the 0 megapixels"):
        enlarge(source, tmp_path / "out.mp4", max_megapixels=0.001)


def test_the_same_work_gives_the_same_bytes(tmp_path: Path) -> None:
    for ending in (".mkv", ".mp4"):
        source = clips.make(tmp_path / f"in{ending}", 8, audio="aac")
        for name in ("a", "b"):
            enlarge(source, tmp_path / f"{name}{ending}", threads=1 if name == "a" else None, model="espcn")
        if ending == ".mkv":  # x264 notes its number of threads
            a, b = (clips.frames_of(tmp_path / f"{name}{ending}") for name in ("a", "b"))
            assert len(a) == len(b)
        enlarge(source, tmp_path / f"c{ending}", model="espcn")
        assert (tmp_path / f"b{ending}").read_bytes() == (tmp_path / f"c{ending}").read_bytes()


def test_stages_are_counted(tmp_path: Path) -> None:
    result = enlarge(clips.make(tmp_path / "in.mp4", 4), tmp_path / "out.mp4", model="espcn", scale=3)
    assert list(result.stages) == ["decode", "network", "chroma", "encode", "write"]
    assert all(seconds > 0 for seconds in result.stages.values())
    json.dumps(result.stages)
