"""The first answer: three forms of one layer, the split and the shuffle."""

from __future__ import annotations

from importlib.resources import files

from subpixel.study.report.figures import convolutions, kernels
from subpixel.study.report.markup import figure, paragraphs


def first_answer() -> str:
    """What a deconvolution layer is, in the note's own figures."""
    return (
        '<h2 id="first">First answer: a deconvolution is a convolution in LR space</h2>'
        + paragraphs(
            "A convolution with stride 2 lays a filter on every second sample and so halves the resolution. A "
            "deconvolution layer is the same thing transposed: each sample, times the filter, is added to the output,"
            " two samples further each time, which doubles the resolution."
        )
        + '<div class="figures">'
        + figure(convolutions.strided())
        + figure(convolutions.transposed())
        + "</div>"
        + paragraphs(
            "The same output comes from an ordinary convolution over samples with zeros between them, if the filter "
            "is reversed. Most of that work multiplies zeros. For every output only one of two sets of weights meets "
            "a sample, and which one depends on the output's place alone. So the filter may be taken apart into these"
            " sets: two small filters that run over the LR samples and give two maps, whose samples are then taken in"
            " turns."
        )
        + '<div class="figures">'
        + figure(convolutions.subpixel())
        + figure(convolutions.shuffled())
        + "</div>"
        + paragraphs(
            "In two dimensions a kernel of 4×4 falls into four kernels of 2×2, and four LR maps are shuffled into one"
            " HR map. In general a deconvolution with kernels of kr×kr taps and stride r equals an LR convolution of "
            "k×k taps with r² times the maps, followed by the shuffle. No weight changes and none is lost, so it goes"
            " both ways."
        )
        + '<div class="figures">'
        + figure(kernels.split())
        + figure(kernels.shuffle())
        + "</div>"
    )


def try_it() -> str:
    """The interactive part: markup; its scripts are `scripts`."""
    return (
        '<h2 id="try">Try it</h2>'
        + paragraphs(
            "Three programs below compute the layer in three ways: by adding up, by inserting zeros, and by small "
            "filters and a shuffle. Change the kernel, the stride and the padding (it crops the output at both ends) "
            "and see whether they agree. Kernels need not be a multiple of the stride, and a stride may be larger "
            "than the kernel."
        )
        + _part("part.html")
    )


def scripts() -> str:
    """The JavaScript of `try_it`."""
    return "\n".join(_part(name) for name in ("forms.js", "drawing.js", "controls.js"))


def _part(name: str) -> str:
    return files("subpixel.study.report.interactive").joinpath(name).read_text(encoding="utf-8")
