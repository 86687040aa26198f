"""With which settings the lines of a file were made, as they say; runs of different ones are not compared."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

from subpixel.study.findings.sentence import Sentence
from subpixel.study.glossary import EQUAL_TIME, MIXED
from subpixel.study.lines import Line
from subpixel.study.settings import QUICK, BudgetSettings

PICTURES = {"data": "training pictures", "judging": "benchmark or held-out pictures"}


def with_those_of(lines: Sequence[Line], scales: Sequence[int]) -> list[int]:
    """Scales, and those that lines are of: the page shows these, so the findings say what is missing of them."""
    return list(dict.fromkeys([*scales, *(line["scale"] for line in lines)]))


def settings_of(lines: Sequence[Line], scale: int) -> BudgetSettings:
    """Those that the runs of a scale were made with, or, where it has none, the runs of the others; else the full
    study's. Budgets and seeds, which no line records, are those of the preset with that recipe, or the full study's."""
    recipes = [line["recipe"] for line in lines if line["scale"] == scale] or [line["recipe"] for line in lines]
    full = BudgetSettings()
    if not recipes:
        return full
    preset = next((one for one in (full, QUICK) if one.recipe() == recipes[0]), None)
    shared = {field.name: recipes[0][field.name] for field in fields(full) if field.name in recipes[0]}
    return preset or replace(full, **{**shared, "rates": tuple(shared["rates"])})


def about_mixing(lines: Sequence[Line], scale: int, part: str) -> Sentence | None:
    """A sentence if the runs of a scale cannot be compared: the file holds some of other settings or pictures."""
    mine = [line for line in lines if line["scale"] == scale]
    recipes = [line.get("recipe") or {} for line in mine]
    found = [_differing(recipes, key) for key in dict.fromkeys(key for recipe in recipes for key in recipe)]
    found.append(_differing(mine, "threads"))
    found += [f"{words} that are not the same" for key, words in PICTURES.items() if len(set(_values(mine, key))) > 1]
    said = ", ".join(filter(None, found))
    if not said:
        return None
    text = f"×{scale}: A comparison: missing, {part}.jsonl holds runs of different settings ({said})."
    return Sentence(part, scale, MIXED, None, "missing", text)


def about_times(times: Sequence[Line], scale: int) -> Sentence | None:
    """A sentence if the times of a scale cannot be compared: they are of two processors, sizes or threads."""
    mine = [line for line in times if line["scale"] == scale]
    said = ", ".join(filter(None, (_differing(mine, key) for key in ("processor", "size", "threads"))))
    if not said:
        return None
    text = (
        f"×{scale}: A comparison at equal time: missing, equal_time.jsonl holds times of different settings ({said})."
    )
    return Sentence("budget", scale, EQUAL_TIME, None, "missing", text)


def _differing(records: Sequence[Line], key: str) -> str:
    values = list(dict.fromkeys(_values(records, key)))
    return f"{key} {' and '.join(values)}" if len(values) > 1 else ""


def _values(records: Sequence[Line], key: str) -> Iterator[str]:
    """As text; old lines that do not record it are not compared by it."""
    return (json.dumps(record[key]) for record in records if record.get(key) is not None)
