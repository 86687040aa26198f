"""Progress: silent when quick, lines where stderr is no terminal."""

import io
from time import sleep

import pytest

from subpixel import progress
from subpixel.progress import Progress, clock, track


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def time(monkeypatch):
    fake = Clock()
    monkeypatch.setattr(progress, "time", fake)
    return fake


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65, "1:05"), (3599.6, "1:00:00"), (3700, "1:01:40")])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_quick_work_says_nothing(time, capsys):
    for _ in track(range(100), "reading"):
        time.now += 0.019
    assert capsys.readouterr() == ("", "")


def test_a_line_every_ten_seconds_with_the_time_left(time):
    stream = io.StringIO()
    with Progress("training", 100, unit="steps", stream=stream) as bar:
        for _ in range(100):
            time.now += 0.5
            bar.advance(note="loss 0.1")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "training: 20/100 steps (20%), 0:10 spent, 0:40 left, loss 0.1"
    assert len(lines) == 5


def test_a_resumed_run_counts_only_its_own_steps(time):
    stream = io.StringIO()
    with Progress("training", 100, start=60, stream=stream) as bar:
        for _ in range(20):
            time.now += 1
            bar.advance()
    assert stream.getvalue().splitlines()[0] == "training: 70/100 (70%), 0:10 spent, 0:30 left"


def test_without_a_total(time):
    stream = io.StringIO()
    with Progress("decoding", None, unit="frames", stream=stream) as bar:
        time.now += 12
        bar.advance(300)
    assert stream.getvalue() == "decoding: 300 frames, 0:12 spent\n"


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(progress, "QUIET_FOR", 0.0)
    stream = Terminal()
    with Progress("training", 3, unit="steps", stream=stream) as bar:
        for _ in range(3):
            sleep(0.12)  # tqdm draws ten times a second at most
            bar.advance(note="loss 0.1")
        bar.say("a line")
    assert "training" in stream.getvalue()
    assert "3/3" in stream.getvalue()
    assert "a line\n" in stream.getvalue()


def test_track_knows_the_length_and_passes_pieces_through():
    assert list(track("abc", "spelling")) == ["a", "b", "c"]
    assert list(track(iter("abc"), "spelling")) == ["a", "b", "c"]
