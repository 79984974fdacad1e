from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.core.yaml import dump_yaml, load_yaml


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 1e-3), ("5E-2", 0.05), ("1e4", 1e4), ("'1e4'", "1e4"), ("e4", "e4")]
)
def test_numbers_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = load_yaml(f"x: {text}")["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    ["a: 1\nb: 2\na: 3\n", "x: {a: 1, a: 2}\n", "x:\n  - {b: 1}\n  - b: 1\n    c: 2\n    b: 3\n", "1: a\n1: b\n"],
)
def test_a_key_that_stands_twice_names_its_lines(text: str) -> None:
    with pytest.raises(ValueError, match=r"the key \w stands twice, in lines \d+ and \d+"):
        load_yaml(text)


def test_anchors_and_merge_keys_still_work() -> None:
    text = "base: &b {a: 1, c: 2}\none:\n  <<: *b\n  a: 3\n"
    assert load_yaml(text)["one"] == {"a": 3, "c": 2}


texts = st.text(st.characters(min_codepoint=32, max_codepoint=126))  # PyYAML loses control characters
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.sampled_from(["1e3", "1e-5"]),
    lambda inner: st.lists(inner) | st.dictionaries(texts | st.integers(), inner),
    max_leaves=8,
)


@given(values)
def test_what_is_written_reads_the_same(value: object) -> None:
    assert load_yaml(dump_yaml(value)) == value
