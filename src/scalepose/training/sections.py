"""Plain values of a yaml file, checked against dataclasses: every field must be there, and nothing else.

It goes by the annotations alone and knows no recipe.
"""

import dataclasses
import difflib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from scalepose.errors import ScaleposeError

MAX_FILE_BYTES = 1 << 20

Kind = TypeVar("Kind")


def read_file(kind: type[Kind], path: str | Path, overrides: Mapping[str, str] | None = None) -> Kind:
    """Read the yaml file `path` as a dataclass; `overrides` maps dotted keys such as "data.train.0.images" to yaml text
    that replaces what the file says there. Raises ScaleposeError naming the file and the key.
    """
    content = read_keys(path)
    for key, text in (overrides or {}).items():
        override(content, key, text)
    try:
        return read(kind, content)
    except ScaleposeError as error:
        raise ScaleposeError(f"{path}: {error}") from error


def read_keys(path: str | Path) -> dict[Any, Any]:
    """The plain values of a yaml file that holds keys. Raises ScaleposeError naming it when it is none."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ScaleposeError(f"{path}: a recipe is small; this file has over {MAX_FILE_BYTES} bytes")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ScaleposeError(f"{path}: is no yaml text ({error})") from error
    if not isinstance(content, dict):
        raise ScaleposeError(f"{path}: must hold the keys of a recipe, such as 'model' and 'data'")
    return content


def override(content: Any, key: str, text: str) -> None:
    """Replace the value at a dotted key such as "data.train.0.images" inside `content`, which changes, by what the yaml
    `text` says. Raises ScaleposeError when there is no such key.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScaleposeError(f"--{key}: {text!r} is no yaml value") from error
    *parents, last = key.split(".")
    place = content
    for done, part in enumerate([*parents, last]):
        where = ".".join(parents[:done])
        if isinstance(place, list) and part.isdecimal() and int(part) < len(place):
            step: Any = int(part)
        elif isinstance(place, dict) and part in place:
            step = part
        elif isinstance(place, dict):
            raise ScaleposeError(f"--{key}: {_unknown(part, place, where)}")
        elif isinstance(place, list):
            raise ScaleposeError(f"--{key}: {where} has the entries 0 to {len(place) - 1}, not {part!r}")
        else:
            raise ScaleposeError(f"--{key}: {where} is {place!r} and has no parts; give the whole of --{where}")
        if done < len(parents):
            place = place[step]
        else:
            place[step] = value


def read(kind: Any, value: Any, key: str = "") -> Any:
    """`value`, as yaml gave it, checked and made into what the annotation `kind` says: a dataclass, a tuple, a literal,
    a section of free keys, a number, a text, a truth value, one of these or None, or one of several dataclasses. `key`
    is its dotted name, for errors.

    Raises ScaleposeError naming the key that is unknown, missing or of another kind.
    """
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):  # something or None, or one of several sections
        if value is None and type(None) in args:
            return None
        kinds = [arg for arg in args if arg is not type(None)]
        return read(kinds[0] if len(kinds) == 1 else _nearest(kinds, value), value, key)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _read_section(kind, value, key)
    if origin is dict:  # free keys
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise _wrong(key, "a section of keys", value)
        return value
    if origin is Literal:
        if value in args:
            return value
        raise _wrong(key, f"one of {', '.join(map(str, args))}", value)
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise _wrong(key, "a list", value)
        if args[-1] is not Ellipsis and len(value) != len(args):
            raise _wrong(key, f"a list of {len(args)}", value)
        return tuple(read(args[0], item, f"{key}.{i}") for i, item in enumerate(value))
    if kind is float:
        return _read_float(value, key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        name = {int: "a whole number", str: "a text", bool: "true or false"}[kind]
        raise _wrong(key, name, value)
    return value


def _read_float(value: Any, key: str) -> float:
    if not isinstance(value, bool):
        try:
            number = float(value)  # yaml 1.1 takes 1e-3, without a point, for a text
        except (TypeError, ValueError, OverflowError):
            pass
        else:
            if number == number and abs(number) != float("inf"):
                return number
    raise _wrong(key, "a number", value)


def _read_section(kind: Any, value: Any, key: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(key or "the recipe", "a section of keys", value)
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    for name in value:
        if name not in names:
            raise ScaleposeError(_unknown(name, names, key))
    for name in names:
        if name not in value:
            raise ScaleposeError(f"the key {_join(key, name)} is missing; a recipe states every key")
    content = {name: read(hints[name], value[name], _join(key, name)) for name in names}
    try:
        return kind(**content)
    except ScaleposeError as error:
        raise ScaleposeError(f"{key}: {error}" if key else str(error)) from error


def _nearest(kinds: Sequence[Any], value: Any) -> Any:
    """The section that has most of the keys that are there, so that errors are about what was meant."""
    there = set(value) if isinstance(value, Mapping) else set()
    return max(kinds, key=lambda kind: len(there & {field.name for field in dataclasses.fields(kind)}))


def _join(key: str, name: Any) -> str:
    return f"{key}.{name}" if key else str(name)


def _wrong(key: str, expected: str, value: Any) -> ScaleposeError:
    return ScaleposeError(f"{key} must be {expected}, not {value!r}")


def _unknown(name: Any, names: Any, key: str) -> str:
    near = difflib.get_close_matches(str(name), [str(n) for n in names], n=1, cutoff=0.5)
    hint = f"did you mean {_join(key, near[0])}?" if near else f"there are: {', '.join(map(str, names))}"
    return f"there is no key {_join(key, name)}; {hint}"


def plain(value: Any) -> Any:
    """Tuples as lists, all the way down: what yaml can write."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value
