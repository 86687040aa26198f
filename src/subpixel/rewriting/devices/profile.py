"""`Profile`: a device's limits, read from a .toml file of this folder or of the user's."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from onnx import NodeProto

from subpixel.errors import InputError, UsageError
from subpixel.rewriting.devices.limits import LIMITS, Facts
from subpixel.rewriting.graph.view import View

_FOLDER = Path(__file__).parent
_ABOUT = ("device", "source", "highest_opset", "rank")


@dataclass(frozen=True)
class Profile:
    """What a device takes.

    Attributes:
        name: of the file, without its ending. device: in words. source: where the limits are stated.
        highest_opset: of the standard operators; None where it does not matter.
        rank: the most dimensions of any tensor; None where it does not matter.
        operators: limits by operator.
    """

    name: str
    device: str
    source: str
    highest_opset: int | None = None
    rank: int | None = None
    operators: dict[str, dict[str, Any]] = field(default_factory=dict)

    def fault(self, view: View, node: NodeProto) -> str | None:
        """What the device has against a node, or None."""
        if node.domain not in ("", "ai.onnx"):
            return None  # custom operators are a matter between the model and the device
        facts = Facts(view, node)
        limits = dict(self.operators.get(node.op_type, {}))
        if self.rank is not None:
            limits.setdefault("rank", self.rank)
        for name, value in limits.items():
            why = LIMITS[name](facts, value)
            if why is not None:
                return f"{self.name} {why}"
        return None


def profile_names() -> list[str]:
    """Profiles that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def read_profile(name: str | Path) -> Profile:
    """A profile of this folder by its name, or any .toml file.

    Raises:
        UsageError: no such profile. InputError: a file that is no profile; the message names what is wrong in it.
    """
    if not isinstance(name, str | Path):
        raise UsageError(f"{name!r} is no profile: give a name ({', '.join(profile_names())}) or a .toml file")
    path = _FOLDER / f"{name}.toml"
    if str(name) not in profile_names():
        path = Path(name)
        if path.suffix != ".toml":
            raise UsageError(
                f"unknown profile {name!r}: choose {', '.join(profile_names())}, or give a .toml file of your own"
            )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is no profile: {error}") from error
    return _checked(path, content)


def _checked(path: Path, content: dict[str, Any]) -> Profile:
    about = {key: content[key] for key in _ABOUT if key in content}
    for key, kind in (("device", str), ("source", str), ("highest_opset", int), ("rank", int)):
        if key in about and (not isinstance(about[key], kind) or isinstance(about[key], bool)):
            raise InputError(f"{path}: {key!r} must be {'text' if kind is str else 'a whole number'}")
    if "device" not in about:
        raise InputError(f"{path}: 'device' is missing: say in words what the limits are those of")
    operators = {key: value for key, value in content.items() if key not in _ABOUT}
    for op, limits in operators.items():
        if not isinstance(limits, dict):
            raise InputError(
                f"{path}: {op!r} is neither one of {', '.join(_ABOUT)} nor a table of an operator's limits"
            )
        if not onnx.defs.has(op):
            raise InputError(f"{path}: [{op}] is no operator of ONNX: names are those of its documentation")
        unknown = sorted(set(limits) - set(LIMITS))
        if unknown:
            raise InputError(f"{path}: [{op}] states {unknown[0]!r}, which is no limit: choose {', '.join(LIMITS)}")
        for key, value in limits.items():
            _check_kind(path, op, key, value)
    return Profile(path.stem, source=about.pop("source", ""), operators=operators, **about)


_FLAGS = ("supported", "equal_strides", "output_padding", "output_shape", "stated_inputs", "stated_shape")
_NUMBERS = ("rank", "largest_stride", "largest_dilation")


def _check_kind(path: Path, op: str, key: str, value: Any) -> None:
    where = f"{path}: [{op}] {key}"
    if key in _FLAGS and not isinstance(value, bool):
        raise InputError(f"{where} must be true or false")
    if key in _NUMBERS and (not isinstance(value, int) or isinstance(value, bool)):
        raise InputError(f"{where} must be a whole number")
    if key == "factors" and value not in ("powers of two", "equal powers of two"):
        raise InputError(f"{where} must be 'powers of two' or 'equal powers of two'")
    if key in _FLAGS or key in _NUMBERS or key == "factors":
        return
    if not isinstance(value, list):
        raise InputError(f"{where} must be a list")
    if key in ("kernels", "strides"):
        if not all(isinstance(v, list) and all(isinstance(n, int) for n in v) for v in value):
            raise InputError(f"{where} must be a list of sizes, such as [[2, 2], [3, 3]]")
    elif key == "axes":
        if not all(isinstance(v, int) for v in value):
            raise InputError(f"{where} must be a list of whole numbers")
    elif not all(isinstance(v, str) for v in value):
        raise InputError(f"{where} must be a list of texts")
    elif key == "groups" and (not value or not set(value) <= {"one", "maps"}):
        raise InputError(f"{where} must be a list of 'one', 'maps', or both")
