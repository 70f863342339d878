"""YAML: what becomes JSON, what is refused, and how little one document does to the next."""

import io
import json
import time

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitopslab.extract.pages import Limits
from gitopslab.extract.yaml_stream import Converted, Problem, documents


def converted(text, **limits):
    found = list(documents(io.BytesIO(text if isinstance(text, bytes) else text.encode()), Limits(**limits)))
    assert all(isinstance(part, Converted) for part in found), found
    return [msgspec.json.decode(part.text) for part in found]


def problem(text, **limits):
    found = list(documents(io.BytesIO(text if isinstance(text, bytes) else text.encode()), Limits(**limits)))
    assert [type(part) for part in found] == [Problem]
    return found[0]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("yes", "yes"),
        ("Off", "Off"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("0123", "0123"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", "18446744073709551616"),
        ("9" * 5000, "9" * 5000),
        ("1e999", "1e999"),
        ('"1"', "1"),
        ("'true'", "true"),
        ("!!str 1", "1"),
        ("! 1", "1"),
        ('!!int "5"', 5),
        ("!!float 5", 5),
        ("!!null ''", None),
    ],
)
def test_scalars_are_those_of_the_core_schema(scalar, value):
    assert converted(f"a: {scalar}\n") == [{"a": value}]


def test_keys_that_are_numbers_or_booleans_become_strings():
    assert converted("1: a\ntrue: b\n") == [{"1": "a", "true": "b"}]


def test_block_scalars_keep_their_lines():
    assert converted("a: |\n  one\n  --- two\n") == [{"a": "one\n--- two\n"}]


def test_empty_documents_and_comments_are_nothing():
    assert converted("") == []
    assert converted("# nothing\n") == []
    assert converted("---\n---\n# nothing\n...\n---\n~\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n---\nb: 2\n",
        "---\na: 1\n---\nb: 2\n...\n",
        "# first\n---\na: 1\n...\n# second\n---\nb: 2\n",
        "%YAML 1.2\n---\na: 1\n...\n%YAML 1.2\n# second\n---\nb: 2",
        "--- {a: 1}\n--- {b: 2}\n",
        "a: 1\r\n---\r\nb: 2\r\n",
    ],
)
def test_documents_are_told_apart(text):
    assert converted(text) == [{"a": 1}, {"b": 2}]


def test_a_marker_may_come_in_two_reads():
    class Slow(io.BytesIO):
        def read(self, _size=-1):
            return super().read(1)

    found = list(documents(Slow(b"a: x\n---\nb: y\n--- \nc: z---\n"), Limits()))
    assert [part.text for part in found] == [b'{"a":"x"}', b'{"b":"y"}', b'{"c":"z---"}']
    assert [part.line for part in found] == [1, 3, 5]


def test_a_broken_document_does_not_hurt_the_next():
    found = list(documents(io.BytesIO(b"a: 1\n---\nb: [\n---\nc: 3\n"), Limits()))
    assert [type(part) for part in found] == [Converted, Problem, Converted]
    assert [part.line for part in found] == [1, 3, 5]
    assert found[1].reason == "invalid_yaml"
    assert found[1].text == b"---\nb: [\n"


def test_the_entries_of_a_list_come_one_by_one_with_their_lines():
    text = b"apiVersion: v1\nkind: PodList\nitems:\n- metadata:\n    name: a\n- metadata:\n    name: b\n"
    assert list(documents(io.BytesIO(text), Limits())) == [
        Converted(b'{"metadata":{"name":"a"}}', 4, ("v1", "PodList")),
        Converted(b'{"metadata":{"name":"b"}}', 6, ("v1", "PodList")),
    ]


def test_a_kind_behind_the_items_counts_too():
    text = b"apiVersion: v1\nitems:\n- metadata: {name: a}\nkind: PodList\n"
    assert [part.list_kind for part in documents(io.BytesIO(text), Limits())] == [("v1", "PodList")]


def test_the_entries_before_a_broken_one_are_read():
    text = b"kind: List\nitems:\n- {kind: A}\n- {kind: B}\n- {kind: C\n"
    found = list(documents(io.BytesIO(text), Limits()))
    assert [part.text for part in found[:2]] == [b'{"kind":"A"}', b'{"kind":"B"}']
    assert [(type(part), part.line) for part in found[2:]] == [(Problem, 5)]


def test_items_of_a_named_object_are_its_own():
    assert converted("metadata: {name: a}\nitems: [1]\n") == [{"metadata": {"name": "a"}, "items": [1]}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "invalid_yaml"),
        ("{{ .Values.name }}: 1", "invalid_yaml"),
        ("a: {{ .Values.name }}", "invalid_yaml"),
        ("a: 1\na: 2", "invalid_yaml"),
        ("? [a]\n: 1", "invalid_yaml"),
        ("1.5: a", "invalid_yaml"),
        ("a: .inf", "invalid_yaml"),
        ("a: .nan", "invalid_yaml"),
        ("x: &x {a: 1}\ny: {<<: *x}", "invalid_yaml"),
        ("a: *x", "invalid_yaml"),
        ("&x [*x]", "invalid_yaml"),
        ('a: "\\ud800"', "invalid_yaml"),
        ("a: \x07", "invalid_yaml"),
        ("{a: 1} {b: 2}", "invalid_yaml"),
        (b"a: \xff", "invalid_encoding"),
        (b"a: \xc3", "invalid_encoding"),
        ("a: !!python/object/apply:os.system [ls]", "hostile_yaml"),
        ("a: !Ref b", "hostile_yaml"),
        ("a: !!int x", "hostile_yaml"),
        ("a: !!binary aGk=", "hostile_yaml"),
        ("a: !!set {b: null}", "hostile_yaml"),
        ("[" * 300, "too_deep"),
        ("[" * 100_000, "too_deep"),
    ],
)
def test_what_is_not_json_is_refused(text, reason):
    assert problem(text).reason == reason


def test_messages_are_one_line_and_quote_nothing():
    found = problem("password: [hunter2\nx: y")
    assert "hunter2" not in found.message
    assert "\n" not in found.message
    assert found.message.startswith("line 2, column 2: ")


def test_a_quoted_merge_key_is_a_key():
    assert converted("'<<': 1\n") == [{"<<": 1}]


def test_aliases_are_copies():
    assert converted("a: &x [1, 2]\nb: *x\n") == [{"a": [1, 2], "b": [1, 2]}]


def test_a_billion_laughs_end_at_once():
    laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    started = time.perf_counter()
    assert problem(laughs).reason == "hostile_yaml"
    assert time.perf_counter() - started < 1


def test_an_alias_of_long_text_counts_as_many():
    assert (
        problem("a: &a " + "x" * 100_000 + "\nb: [" + ", ".join(["*a"] * 20) + "]\n").reason == "hostile_yaml"
    )


def test_a_document_may_be_too_large_and_the_next_is_not():
    found = list(documents(io.BytesIO(b"a: " + b"x" * 100 + b"\n---\nb: 1\n"), Limits(max_document_bytes=50)))
    assert [getattr(part, "reason", part.text) for part in found] == ["too_large", b'{"b":1}']


def test_a_list_may_be_larger_than_a_document():
    entries = "".join(f"- {{kind: Pod, n: {n}}}\n" for n in range(100))
    assert len(converted("kind: List\nitems:\n" + entries, max_document_bytes=50)) == 100


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(st.text(max_size=10).filter(lambda key: key != "items"), JSON, min_size=1, max_size=4))
def test_json_survives_yaml(value):
    assert converted(yaml.safe_dump(value, default_style='"')) == [json.loads(json.dumps(value))]


@given(st.text() | st.lists(st.sampled_from(list("-.:{}[]&*!|>'\"#%@ \nab1?,<"))).map("".join) | st.binary())
def test_any_text_gives_documents_or_problems(text):
    for part in documents(io.BytesIO(text if isinstance(text, bytes) else text.encode()), Limits()):
        if isinstance(part, Converted):
            msgspec.json.decode(part.text)
        else:
            assert "\n" not in part.message
