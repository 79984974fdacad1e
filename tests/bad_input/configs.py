"""Faults of a config: unknown keys, wrong types, numbers of all sizes, imports that fail, and tricks of YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bad_input.cases import Case

_MODEL = "model: {use: sklearn.linear_model.LogisticRegression}"
_FEATURES = "features: {use: members.forensics.LogDCT, cell: 16}"
_MEMBER = f"{{name: a, {_FEATURES}, {_MODEL}}}"
_NUMBERS = (
    "-1",
    "0",
    "0.5",
    "1e400",
    "-1e400",
    ".nan",
    ".inf",
    "1e3",
    "9999999999999999999",
    "'3'",
    "three",
    "null",
    "[3]",
    "{}",
    "true",
)
_PLACES = {  # place of a number -> the text before and after it
    "folds.n_folds": ("folds: {n_folds: ", "}"),
    "folds.seed": ("folds: {seed: ", "}"),
    "folds.repeats": ("folds: {repeats: ", "}"),
    "folds.near_duplicate_distance": ("folds: {near_duplicate_distance: ", "}"),
    "blend.rounds": ("blend: {rounds: ", "}"),
    "blend.trials": ("blend: {trials: ", "}"),
    "members.0.seed": (f"members: [{{name: a, {_MODEL}, seed: ", "}]"),
    "members.0.resources.num_cpus": (f"members: [{{name: a, {_MODEL}, resources: {{num_cpus: ", "}}]"),
    "members.0.value": (f"members: [{{name: a, {_MODEL}, value: ", "}]"),
}
_VALID = {  # numbers that are in order there
    "folds.n_folds": ("'3'",),
    "folds.seed": ("0", "1e3", "'3'"),
    "folds.repeats": ("'3'",),
    "folds.near_duplicate_distance": ("0", "'3'"),
    "blend.rounds": ("'3'",),
    "blend.trials": ("1e3", "'3'"),
    "members.0.seed": ("0", "1e3", "'3'"),
    "members.0.resources.num_cpus": ("1e3", "9999999999999999999", "'3'"),
    "members.0.value": ("0.5", "1e3", "9999999999999999999", "'3'"),
}
_NEXT = {"folds": "no members to train", "blend": "no members to train", "members": "reads tables, not photographs"}
_KEYS = {
    "an unknown key": ("foldz: {n_folds: 3}", "did you mean folds?"),
    "an unknown key of folds": ("folds: {n_fold: 3}", "did you mean n_folds?"),
    "an unknown key of data": ("data: {nam_column: x}", "did you mean name_column?"),
    "an unknown key of blend": ("blend: {trails: 3}", "did you mean trials?"),
    "an unknown key of a member": (f"members: [{{name: a, {_MODEL}, sed: 1}}]", "did you mean seed?"),
    "an unknown key of resources": (
        f"members: [{{name: a, {_MODEL}, resources: {{num_cpu: 1}}}}]",
        "did you mean num_cpus?",
    ),
    "a key in upper case": ("Folds: {n_folds: 3}", "did you mean folds?"),
    "a key that is a number": ("1: {}", "the name of a setting must be a text"),
    "a key that is nothing": ("null: 1", "the name of a setting must be a text"),
    "a key twice": ("folds: {}\nfolds: {}", "stands twice"),
    "folds is a list": ("folds: [3]", "folds"),
    "folds is a text": ("folds: three", "folds"),
    "members is a mapping": ("members: {a: 1}", "members"),
    "members is a text": ("members: a", "members"),
    "a member is a text": ("members: [a]", "members.0"),
    "a member is nothing": ("members: [null]", "members.0"),
    "a member without a name": (f"members: [{{{_MODEL}}}]", "members.0.name"),
    "a member without a model": ("members: [{name: a}]", "members.0.model"),
    "two members of one name": (f"members: [{_MEMBER}, {_MEMBER}]", "two members are called a"),
    "a member called blend": (f"members: [{{name: blend, {_MODEL}}}]", "no member may be called blend"),
    "an unknown blender": ("blend: {methods: [voting]}", "blend.methods"),
    **{
        f"columns for blenders: {columns}": (f"blend: {{columns: {columns}}}\nmembers: [{_MEMBER}]", said)
        for columns, said in {
            "{use: leaves.Model}": "cannot import leaves.Model",
            "{use: broken.Model}": "cannot import broken.Model",
            "{use: picky.Model}": "cannot build picky.Model",
            "{use: members.forensics.LogDCT, cell: {import: 5}}": "is not an import path",
            "{use: members.forensics.LogDCT, cell: {use: 5}}": "is not an import path",
        }.items()
    },
    "less of a resource than Ray knows": (
        f"members: [{{name: a, {_MODEL}, resources: {{custom: {{disk: 0.00001}}}}}}]",
        "resources.custom.disk",
    ),
    "less of a GPU than Ray knows": (f"members: [{{name: a, {_MODEL}, resources: {{num_gpus: 0.00001}}}}]", "num_gpus"),
    "no blenders": ("blend: {methods: []}", "blend.methods"),
    "a blender that is not offered": ("blend: {methods: [lightgbm]}", "blend.methods"),
}
_NAMES = (
    "''",
    "a/b",
    "../a",
    "a b",
    "'.'",
    "'..'",
    "ä",
    "'-a'",
    "'a\\0b'",
    "null",
    "1",
    "[a]",
    "x" * 300,
    "'~'",
)
_IMPORTS = {
    "no module": ("nowhere.Model", "no module 'nowhere'"),
    "no such name": ("sklearn.linear_model.Nothing", "has no Nothing"),
    "no path": ("Model", "is not an import path"),
    "an empty path": ("''", "is not an import path"),
    "a path of dots": ("'...'", "is not an import path"),
    "a path to a module": ("sklearn.linear_model", ""),
    "a path to a function": ("sklearn.metrics.accuracy_score", ""),
    "a path to a number": ("math.pi", ""),
    "a path with a call": ("'os.system(1)'", ""),
    "a file": ("members/cnn.py", ""),
    "os.system": ("os.system", ""),
    "a module that fails": ("broken.Model", ""),
    "a module with a fault of syntax": ("unfinished.Model", ""),
    "a module that ends Python": ("leaves.Model", ""),
    "a class that cannot be built": ("picky.Model", ""),
    "a transformer": ("sklearn.preprocessing.StandardScaler", "gives no probabilities"),
    "a regressor": ("sklearn.linear_model.LinearRegression", "gives no probabilities"),
    "a path that is a list": ("[a]", ""),
    "a path that is nothing": ("null", ""),
}
_PARAMETERS = {
    "C: -1": "'C' parameter",
    "C: .nan": "",
    "C: text": "'C' parameter",
    "c: 1": "",
    "max_iter: 1.5": "",
    "'0': 1": "",
    "C: {use: nowhere.X}": "no module 'nowhere'",
    "C: {import: nowhere.X}": "no module 'nowhere'",
    "C: {tuple: 3}": "",
    "solver: newton": "",
}


def _bomb() -> str:
    """Return lists of nine times the list before, ten levels deep."""
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join(["name: x", "l0: &l0 [1, 1]", *levels])


_WHOLE = {
    "empty": ("", "config c.yaml"),
    "a comment": ("# nothing", "config c.yaml"),
    "a list": ("- a", "config c.yaml"),
    "a text": ("hello", "config c.yaml"),
    "a number": ("3", "config c.yaml"),
    "two documents": ("name: a\n---\nname: b", "is not valid YAML"),
    "an open bracket": ("name: [", "is not valid YAML"),
    "a tab": ("name: x\n\tfolds: {}", "is not valid YAML"),
    "a python object": ("name: !!python/object/apply:os.system ['true']", "is not valid YAML"),
    "no number": ("name: !!int ''", "is not valid YAML"),
    "no truth": ("name: !!bool maybe", "is not valid YAML"),
    "no time": ("name: !!timestamp x", "is not valid YAML"),
    "no mapping": ("name: !!map [1]", "is not valid YAML"),
    "a dot and a line": ("name: ._", "cannot be a name"),
    "a number of 5,000 digits": ("name: " + "1" * 5_000, "is not valid YAML"),
    "a python name": ("name: !!python/name:os.system", "is not valid YAML"),
    "an unknown tag": ("name: !x y", "is not valid YAML"),
    "an alias to nothing": ("name: *a", "is not valid YAML"),
    "an alias to itself": ("name: x\nfolds: &a {n_folds: *a}", ""),
    "a bomb of aliases": (_bomb(), ""),
    "a thousand brackets": ("[" * 1_000, "is not valid YAML"),
    "100,000 brackets": ("[" * 100_000, "is not valid YAML"),
    "JSON": ('{"name": "x"}', "no members to train"),
    "a date": ("name: 2026-01-01", ""),
    "yes": ("name: yes", ""),
    "a zero byte": ("name: 'a\0b'", ""),
    "no name": ("folds: {n_folds: 3}", "name"),
    "UTF-8 with a mark": ("\ufeffname: x", "no members to train"),
    "Windows line ends": ("name: x\r\nfolds: {n_folds: 3}\r\n", "no members to train"),
    "half a surrogate": ("name: '\\ud800'", ""),
}  # fmt: skip
_MODULES = {
    "broken.py": "raise RuntimeError('not today')",
    "unfinished.py": "class Model(:",
    "leaves.py": "import sys; sys.exit(3)",
    "picky.py": "class Model:\n    fit = predict_proba = None\n    def __init__(self):\n        raise ValueError('no')",
}


def _written(text: str) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        (folder / "c.yaml").write_text(text, newline="")
        for name, code in _MODULES.items():
            (folder / name).write_text(code)

    return apply


def cases() -> Iterator[Case]:
    """Yield all cases."""

    def case(name: str, text: str, said: str) -> Case:
        return Case(f"config: {name}", _written(text), SAID.get(name, said))

    for place, (before, after) in _PLACES.items():
        for number in _NUMBERS:
            said = _NEXT[place.partition(".")[0]] if number in _VALID[place] else place
            yield case(f"{place}: {number}", f"name: small\n{before}{number}{after}\n", said)
    for name, (text, said) in _KEYS.items():
        yield case(name, f"name: small\n{text}\n", said)
    for text in _NAMES:
        yield case(f"an experiment called {text[:20]}", f"name: {text}\n", "name")
        yield case(
            f"a member called {text[:20]}", f"name: small\nmembers: [{{name: {text}, {_MODEL}}}]\n", "members.0.name"
        )
    for name, (path, said) in _IMPORTS.items():
        text = f"name: small\nfolds: {{n_folds: 3}}\nmembers: [{{name: a, {_FEATURES}, model: {{use: {path}}}}}]\n"
        yield case(name, text, said or "member")
    for parameter, said in _PARAMETERS.items():
        model = f"model: {{use: sklearn.linear_model.LogisticRegression, {parameter}}}"
        yield case(
            f"a parameter {parameter}", f"name: small\nmembers: [{{name: a, {_FEATURES}, {model}}}]\n", said or "member"
        )
    for name, (text, said) in _WHOLE.items():
        yield case(name, text, said or "config c.yaml")


SAID: dict[str, str] = {}
