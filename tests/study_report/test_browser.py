"""The page in a real browser: it draws, computes what the algebra computes, and fits a phone and a keyboard."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study_report.conftest import DESKTOP, PHONE
from subpixel.algebra import apply, lift, transposed_convolution

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"phone": PHONE, "desktop": DESKTOP}


@pytest.fixture(params=SIZES)
def size(request):
    return SIZES[request.param]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_fetched_and_nothing_complains(browser, page, size, dark):
    browser.open(page, size, dark=dark)
    assert browser.complaints() == []
    assert browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []


def test_a_complaint_would_be_seen(browser, tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text("<!doctype html><title>x</title><script>nothing.here()</script>")
    browser.open(broken)
    assert any("nothing is not defined" in message for message in browser.complaints())


# --- the interactive part --------------------------------------------------------------------------------------------

SET = """
for (const [id, value] of Object.entries(arguments[0])) {
  const control = document.getElementById(`try-${id}`);
  control.value = value;
  control.dispatchEvent(new Event("input", {bubbles: true}));
}
const text = (id) => document.getElementById(`try-${id}`).textContent;
return {verdict: text("verdict"), hidden: document.getElementById("try-results").hidden, filters: text("filters"),
  y: ["transposed", "subpixel", "lr"].map((form) => text(`y-${form}`)),
  split: document.querySelector("#try-split-text")?.textContent,
  drawn: ["transposed", "subpixel", "lr"].map((form) => text(`draw-${form}`)),
  k: text("k-value"), s: text("s-value"), p: text("p-value"), most: document.getElementById("try-p").max};
"""


def settings(count):
    """Random (x, f, stride, padding) that leave an output; every fourth stride exceeds the kernel, some p = K - 1."""
    rng = np.random.default_rng(20160925)
    found = []
    while len(found) < count:
        x, f = (rng.integers(1, 60, rng.integers(1, 9)) * rng.choice([-1, 1]) for _ in range(2))
        s = int(rng.integers(1, 7))
        if len(found) % 4 == 0:
            f = f[: max(1, s - 1)]
        p = len(f) - 1 if len(found) % 3 == 0 else int(rng.integers(0, len(f)))
        if s * (len(x) - 1) + len(f) - 2 * p >= 1:
            found.append((x, f, s, p))
    return found


def test_it_computes_what_the_algebra_computes(browser, page):
    browser.open(page)
    cases = settings(20)
    assert any(s > len(f) for _, f, s, _ in cases)
    assert any(p == len(f) - 1 > 0 for _, f, _, p in cases)
    assert any(len(f) % s for _, f, s, _ in cases)
    for x, f, s, p in cases:
        op = lift(transposed_convolution(f[None, None], stride=s, padding=p))
        y = apply(op, x[None, None])[0, 0]
        shown = browser.run(SET, {"x": join(x), "f": join(f), "s": s, "p": p})
        assert shown["y"] == [join(y)] * 3, (x, f, s, p)
        assert shown["verdict"].startswith(f"All three agree, in each of {len(y)} samples."), shown["verdict"]
        assert (shown["k"], shown["s"], shown["p"]) == (str(len(f)), str(s), str(p))
        filters = [[int(w) for w in op.kernel[0, phase, 0] if w] for phase in range(s)]
        said = [f"map {i}: {join(weights) if weights else 'no weight, so zeros'}" for i, weights in enumerate(filters)]
        assert shown["filters"] == "; ".join(said)
        assert all(str(int(value)) in drawn for drawn in shown["drawn"] for value in y)
        assert shown["split"] == split_said(len(f), s, p)
    assert browser.complaints() == []


def split_said(K, s, p):
    """The split in two dimensions, of a sub-pixel kernel with the weights 1, 2, …"""
    weight = np.arange(1, K * K + 1).reshape(1, 1, K, K)
    kernel = lift(transposed_convolution(weight[..., ::-1, ::-1], stride=s, padding=p)).kernel[0, :, :, 0]
    said = []
    for dy in range(s):
        for dx in range(s):
            rows = [[int(w) for w in row if w] for row in kernel[dy, dx]]
            rows = [row for row in rows if row]
            said.append(f"phase {dy}, {dx}: {' / '.join(map(join, rows)) if rows else 'none'}")
    return f"{'; '.join(said)}."


def join(values):
    return " ".join(str(int(value)) for value in values)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"x": "1 2.5"}, "“2.5” is no whole number"),
        ({"f": "1 two"}, "“two” is no whole number"),
        ({"x": "1000"}, "no whole number from −999 to 999"),
        ({"x": ""}, "The signal takes 1 to 8 numbers; these are 0"),
        ({"f": "1 2 3 4 5 6 7 8 9"}, "The kernel takes 1 to 8 numbers; these are 9"),
        ({"x": "1", "f": "1 2 3 4", "p": "3"}, "A padding of 3 crops everything"),
    ],
)
def test_what_cannot_be_computed_is_said(browser, page, wrong, says):
    browser.open(page)
    shown = browser.run(SET, wrong)
    assert says in shown["verdict"]
    assert shown["hidden"]
    again = browser.run(SET, {"x": "1 2 3 4 5", "f": "1 2 3 4", "s": 2, "p": 2})
    assert again["verdict"] == "All three agree, in each of 8 samples."
    assert not again["hidden"]


def test_a_longer_kernel_goes_on_counting_and_padding_stays_below_it(browser, page):
    browser.open(page)
    assert browser.run(SET, {"k": 6})["most"] == "5"
    assert browser.run("return document.getElementById('try-f').value") == "1 2 3 4 5 6"
    shown = browser.run(SET, {"p": 5, "k": 2})
    assert (shown["k"], shown["p"], shown["most"]) == ("2", "1", "1")


@pytest.mark.parametrize("form", ["transposedForm", "subpixelForm", "lrForm"])
def test_a_form_that_is_wrong_is_noticed(browser, page, form):
    browser.open(page)
    browser.run(f"const right = {form}; {form} = (...a) => {{ const r = right(...a); r.y[0] += 1; return r; }};")
    shown = browser.run(SET, {"s": 3})
    assert shown["verdict"] == "The three differ: this is a bug of the page."


def test_the_buttons(browser, page):
    browser.open(page)
    for _ in range(10):
        browser.run("document.getElementById('try-random').click()")
        assert browser.run("return document.getElementById('try-verdict').className") == "verdict right"
    browser.run("document.getElementById('try-note').click()")
    assert browser.run("return document.getElementById('try-y-lr').textContent") == "5 8 9 14 13 20 17 26"


def test_the_keyboard_reaches_and_moves_the_controls(browser, page):
    from selenium.webdriver import ActionChains, Keys

    browser.open(page)
    seen = []
    for _ in range(60):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        seen.append(browser.run("return document.activeElement.id"))
        if seen[-1] == "try-s":
            ActionChains(browser.driver).send_keys(Keys.ARROW_RIGHT).perform()
            break
    assert seen[-1] == "try-s"
    assert {"try-x", "try-f", "try-k"} <= set(seen)
    assert browser.run("return document.getElementById('try-s-value').textContent") == "3"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"


# --- how it looks ----------------------------------------------------------------------------------------------------


def test_it_fits_the_window(browser, page, size):
    """The body never scrolls sideways, at the largest setting too; what does can have the keyboard's focus."""
    browser.open(page, size)
    browser.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    for values in ({}, {"x": "999 -999 999 -999 999 -999 999 -999", "f": "1 2 3 4 5 6 7 8", "s": 6, "p": 0}):
        browser.run(SET, values)
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    wide = browser.run(
        "return [...document.querySelectorAll('body *')].filter((e) => !e.closest('svg,input') && e.clientWidth"
        " && e.scrollWidth > e.clientWidth + 1 && !(e.classList.contains('scroll') && e.tabIndex === 0))"
        ".map((e) => `${e.tagName} ${e.id} ${e.className}`)"
    )
    assert wide == []


def test_every_figure_is_drawn_and_says_what_it_shows(browser, page, size):
    browser.open(page, size)
    figures = browser.run(
        "return [...document.querySelectorAll('svg[role=img]')].filter((s) => s.checkVisibility()).map((s) => {"
        "  const box = s.getBoundingClientRect(), view = s.viewBox.baseVal, texts = [...s.querySelectorAll('text')];"
        "  const out = texts.filter((t) => { const b = t.getBBox(); return b.x < view.x - .5 || b.y < view.y - .5 ||"
        "    b.x + b.width > view.x + view.width + .5 || b.y + b.height > view.y + view.height + .5; });"
        "  return {title: s.querySelector('title').textContent, text: s.querySelector('desc').textContent,"
        "    name: s.getAttribute('aria-labelledby').split(' ').map((id) => document.getElementById(id)?.textContent),"
        "    area: box.width * box.height, clipped: out.map((t) => t.textContent),"
        "    scale: box.width / view.width, shapes: s.querySelectorAll('rect,path,circle').length}; })"
    )
    assert len(figures) >= 10
    for figure in figures:
        assert figure["area"] > 10_000, figure
        assert figure["shapes"] >= 3, figure
        assert figure["clipped"] == [], figure
        assert figure["name"] == [figure["title"], figure["text"]]
        assert figure["scale"] * 11 >= 9, figure  # the smallest text, in pixels


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_screenshots_show_figures_and_no_blank_page(browser, page, size, dark):
    """Pixels, not structure: every figure's part of the picture has ink on its ground, in several colours."""
    browser.open(page, size, dark=dark)
    height = browser.run("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": size[0], "height": height, "scale": 1}
    shot = browser.driver.execute_cdp_cmd(
        "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip}
    )
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")).astype(int)
    assert picture.shape == (height, size[0], 3)
    ground = picture[2, 2]
    assert (ground.mean() < 60) == dark
    boxes = browser.run(
        "return [...document.querySelectorAll('figure svg[role=img]')].filter((s) => s.checkVisibility()).map((s) => {"
        "  const b = s.getBoundingClientRect(), f = s.closest('figure').getBoundingClientRect();"
        "  return [Math.max(b.x, f.x), b.y + scrollY, Math.min(b.right, f.right), b.bottom + scrollY]; })"
    )
    for left, top, right, bottom in boxes:
        part = picture[int(top) : int(bottom), int(left) : int(right)]
        inked = np.abs(part - ground).max(axis=2) > 40
        assert 0.01 < inked.mean() < 0.9, (left, top)
        assert len(np.unique(part[inked] // 32, axis=0)) >= 4, (left, top)


def test_it_prints(browser, page):
    browser.open(page)
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False, "preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.run("return getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_page_of_the_results_in_the_repository(browser, tmp_path, size):
    """docs/study, as far as the study has come."""
    from subpixel.study.report import write_report

    path = tmp_path / "study.html"
    write_report(ROOT / "docs" / "study", path)
    browser.open(path, size)
    assert browser.complaints() == []
    browser.run("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    assert browser.run("return document.querySelectorAll('svg[role=img]').length") >= 11
