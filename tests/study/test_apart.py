"""What lines say of their pictures: which are computed, and that none is both learnt from and judged on."""

import shutil
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from subpixel.errors import InputError
from subpixel.study.drawn import write_drawn
from subpixel.study.initialisation import study_initialisation
from subpixel.study.settings import QUICK

TINY = replace(QUICK, maps=(1,), seeds=1, steps=2, batch=1, patch=8, points=1, held_out_side=24)


def test_lines_say_what_was_computed_and_pictures_of_both_sets_are_refused(tmp_path):
    learn, judge, held_out = write_drawn(tmp_path / "pictures")
    given = {"scales": (2,), "settings": TINY, "held_out": held_out}
    made = study_initialisation([learn], [judge], tmp_path / "a", drawn=["judging"], **given)
    assert all(line["drawn"] == ["judging"] and line["apart"] is True for line in made)
    shutil.copy(learn / "drawn03.png", judge / "another name.png")
    with pytest.raises(InputError, match=r"another name of the benchmark drawn is drawn03.* of the training pictures"):
        study_initialisation([learn], [judge], tmp_path / "b", **given)
