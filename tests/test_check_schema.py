import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitopslab.checks.crds import CrdSchema, schemas_from_directory
from gitopslab.checks.schema import DriftReport, Finding, ObjectKey, ObjectKind, drift
from gitopslab.extract import documents

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="captures and CRDs lie beside the repository only"
)

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org, resourceVersion: "7"}
spec:
  group: example.org
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          apiVersion: {type: string}
          kind: {type: string}
          metadata: {type: object}
          spec: %s
"""
KEY = ObjectKey("team", "w", "12")


def crds(directory: Path, *texts: str) -> list[CrdSchema]:
    for number, text in enumerate(texts):
        (directory / f"{number}.yaml").write_text(text)
    return schemas_from_directory(directory)


def widget(spec: Any = None, **fields: Any) -> tuple[ObjectKey, bytes]:
    body = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec or {}}
    return KEY, msgspec.json.encode(body | fields)


@pytest.fixture
def report(tmp_path: Path):
    """Drift of one Widget with `spec` from a CRD in which spec is `schema`, written as YAML."""

    def report_(schema: str, spec: Any) -> DriftReport:
        return drift([widget(spec)], crds(tmp_path, CRD % schema))

    return report_


@pytest.fixture
def found(report):
    """Path and problem of each finding of one Widget."""

    def found_(schema: str, spec: Any) -> list[tuple[str, str]]:
        return [(finding.path, finding.problem) for finding in report(schema, spec).findings]

    return found_


# What differs


def test_an_object_as_the_crd_says_has_no_finding(report):
    result = report("{type: object, properties: {size: {type: integer}}}", {"size": 3})

    assert result.findings == ()
    assert result.objects_examined == {ObjectKind("example.org", "Widget", "v1"): 1}
    assert str(result) == "None of 1 object differs from its CRD."


def test_a_field_the_crd_does_not_name_is_unknown(report):
    assert report("{type: object, properties: {size: {type: integer}}}", {"colour": "red"}).findings == (
        Finding(
            group="example.org",
            kind="Widget",
            version="v1",
            path="spec.colour",
            problem="unknown_field",
            message="the CRD has no such field",
            object_count=1,
            example="team/w@12",
        ),
    )


def test_an_unknown_field_at_the_root_is_found(tmp_path):
    schemas = crds(tmp_path, CRD % "{type: object}")

    assert [finding.path for finding in drift([widget(status={})], schemas).findings] == ["status"]


def test_an_object_without_properties_keeps_no_field(found):
    assert found("{type: object}", {"size": 1}) == [("spec.size", "unknown_field")]


def test_a_crd_that_preserves_unknown_fields_as_a_whole_has_none(tmp_path):
    crd = (CRD % "{type: object}").replace("spec:\n  group", "spec:\n  preserveUnknownFields: true\n  group")

    assert drift([widget({"size": 1})], crds(tmp_path, crd)).findings == ()


def test_preserved_fields_are_not_looked_into(found):
    schema = "{type: object, properties: {any: {x-kubernetes-preserve-unknown-fields: true}}}"

    assert found(schema, {"any": {"size": {"cm": 1}}}) == []


def test_a_named_field_is_checked_although_unnamed_ones_are_preserved(found):
    schema = """{type: object, x-kubernetes-preserve-unknown-fields: true,
                 properties: {size: {type: object, properties: {cm: {type: integer}}}}}"""

    assert found(schema, {"any": 1, "size": {"inch": 1}}) == [("spec.size.inch", "unknown_field")]


def test_any_key_of_a_map_is_allowed_and_is_a_star_in_the_path(found):
    schema = "{type: object, additionalProperties: {type: integer}}"

    assert found(schema, {"a": 1, "b": "x", "c": "y"}) == [("spec.*", "wrong_type")]


def test_items_of_a_list_are_one_finding_and_one_object(report):
    schema = "{type: object, properties: {sizes: {type: array, items: {type: integer}}}}"
    (finding,) = report(schema, {"sizes": ["a", 1, "b"]}).findings

    assert (finding.path, finding.object_count) == ("spec.sizes[]", 1)


def test_a_required_field_that_is_not_there_is_missing(found):
    schema = "{type: object, required: [size], properties: {size: {type: integer}}}"

    assert found(schema, {}) == [("spec.size", "missing_field")]


def test_a_required_field_with_a_default_is_not_missing(found):
    schema = "{type: object, required: [size], properties: {size: {type: integer, default: 1}}}"

    assert found(schema, {}) == []


@pytest.mark.parametrize(
    ("schema", "value", "problem", "message"),
    [
        ("{type: integer}", "3", "wrong_type", "is string, the CRD wants integer"),
        ("{type: string}", None, "wrong_type", "is null, the CRD wants string"),
        ("{type: boolean, nullable: true}", 3, "wrong_type", "is integer, the CRD wants boolean or null"),
        ("{type: string, enum: [a, b]}", "c", "not_in_enum", 'is none of "a", "b"'),
        ("{type: integer, minimum: 2}", 1, "out_of_bounds", "is below 2"),
        ("{type: integer, minimum: 2, exclusiveMinimum: true}", 2, "out_of_bounds", "is not above 2"),
        ("{type: integer, maximum: 2}", 3, "out_of_bounds", "is above 2"),
        ("{type: integer, maximum: 2, exclusiveMaximum: true}", 2, "out_of_bounds", "is not below 2"),
        ("{type: integer, multipleOf: 2}", 3, "out_of_bounds", "is not a multiple of 2"),
        ("{type: string, maxLength: 2}", "abc", "out_of_bounds", "is longer than 2 characters"),
        ("{type: string, minLength: 2}", "a", "out_of_bounds", "is shorter than 2 characters"),
        ("{type: array, maxItems: 1, items: {}}", [1, 2], "out_of_bounds", "has more than 1 items"),
        ("{type: array, minItems: 1}", [], "out_of_bounds", "has fewer than 1 items"),
        ("{type: array, uniqueItems: true}", [1, 1], "out_of_bounds", "breaks the CRD's uniqueItems"),
        (
            "{type: object, additionalProperties: true, maxProperties: 0}",
            {"a": 1},
            "out_of_bounds",
            "has more than 0 keys",
        ),
        ("{type: integer, not: {enum: [3]}}", 3, "out_of_bounds", "breaks the CRD's not"),
        ("{type: string, format: date-time}", "2026-05-01", "bad_format", "is no date-time"),
        ("{type: string, format: date-time}", 5, "wrong_type", "is integer, the CRD wants string"),
        ("{type: string, pattern: '^(?i)[a-z]+$'}", "a1", "bad_format", "does not match ^(?i)[a-z]+$"),
    ],
)
def test_a_value_the_crd_does_not_allow_is_named_by_its_problem(report, schema, value, problem, message):
    result = report(f"{{type: object, properties: {{x: {schema}}}}}", {"x": value})

    assert [(finding.path, finding.problem, finding.message) for finding in result.findings] == [
        ("spec.x", problem, message)
    ]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("{x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}", 8),
        ("{x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}", "1500m"),
        ("{type: string, nullable: true, enum: [a]}", None),
        ("{type: string, format: date-time}", "2026-05-01T12:00:00Z"),
        ("{type: string, format: duration}", "1h30m"),
        ("{type: integer, format: int64}", 9_223_372_036_854_775_808),
        ("{type: string, pattern: '^(?i)[a-z]+$'}", "Mixed"),
        ("{type: object, x-kubernetes-embedded-resource: true}", {"kind": "Pod", "metadata": {"name": "p"}}),
        ("{type: object, properties: {a: {}}, anyOf: [{required: [a], properties: {a: {}}}]}", {"a": 1}),
    ],
)
def test_a_value_kubernetes_allows_has_no_finding(found, schema, value):
    assert found(f"{{type: object, properties: {{x: {schema}}}}}", {"x": value}) == []


@pytest.mark.parametrize("choice", ["not: {%s}", "oneOf: [{%s}, {type: string}]"])
@pytest.mark.parametrize("rule", ["pattern: '^[[:digit:]]+$'", "format: duration"])
def test_a_rule_that_cannot_be_read_is_not_turned_around(found, choice, rule):
    assert found(f"{{type: object, properties: {{x: {{type: string, {choice % rule}}}}}}}", {"x": "a"}) == []


def test_one_of_means_exactly_one(found):
    schema = """{type: object, properties: {a: {}, b: {}}, oneOf: [{required: [a]}, {required: [b]}]}"""

    assert found(schema, {"a": 1}) == []
    assert found(schema, {"a": 1, "b": 1}) == [("spec", "out_of_bounds")]


def test_a_float_is_neither_integer_nor_string(found):
    schema = "{type: object, properties: {cpu: {x-kubernetes-int-or-string: true}}}"

    assert found(schema, {"cpu": 1.5}) == [("spec.cpu", "wrong_type")]


def test_nothing_in_metadata_is_unknown(tmp_path):
    metadata = {"name": "w", "creationTimestamp": None, "newInKubernetes": {"a": 1}}

    assert drift([widget(metadata=metadata)], crds(tmp_path, CRD % "{type: object}")).findings == ()


# What cannot be checked


def test_a_crd_that_names_no_field_says_so_and_does_not_pass(tmp_path):
    crd = (CRD % "{}").partition("        type: object")[
        0
    ] + "        x-kubernetes-preserve-unknown-fields: true\n"
    result = drift([widget()], crds(tmp_path, crd))

    assert [(finding.path, finding.problem) for finding in result.findings] == [("", "no_schema")]
    assert result.objects_examined == {}
    assert str(result) == (
        "No object was held to a schema. Not examined: 1 object with no schema in the CRD."
    )


def test_a_crd_whose_spec_may_hold_anything_names_no_field(found):
    assert found("{type: object, x-kubernetes-preserve-unknown-fields: true}", {}) == [("", "no_schema")]


def test_a_schema_that_is_none_says_so_and_stops_nothing(found):
    assert found("{type: object, properties: {x: {maxLength: many}}}", {}) == [("", "no_schema")]
    assert found("{type: no-such-type}", {}) == [("", "no_schema")]


def test_a_version_that_is_not_in_the_crd_is_found(tmp_path):
    result = drift([widget(apiVersion="example.org/v2")], crds(tmp_path, CRD % "{type: object}"))

    assert [(finding.version, finding.problem, finding.message) for finding in result.findings] == [
        ("v2", "version_not_in_crd", "the CRD has no such version; it has v1")
    ]


def test_objects_without_a_crd_are_counted_by_kind(tmp_path):
    pod = (ObjectKey("team", "p", "3"), b'{"apiVersion": "v1", "kind": "Pod"}')
    result = drift([pod, pod], crds(tmp_path, CRD % "{type: object}"))

    assert result.objects_without_crd == {ObjectKind("", "Pod", "v1"): 2}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"apiVersion": "example.org/v1", "kind": 3}',
        b'"\xff"',
        b"[" * 9_000,
        b'{"apiVersion": "example.org/v1", "kind": "Widget", "spec": ' + b"[" * 400 + b"]" * 400 + b"}",
    ],
)
def test_an_object_that_cannot_be_read_is_counted(tmp_path, body):
    assert drift([(KEY, body)], crds(tmp_path, CRD % "{type: object}")).objects_unreadable == 1


@pytest.mark.parametrize("pattern", ["^[[:alpha:]]+$", "(unclosed", "a(?=b)"])
def test_a_pattern_that_cannot_be_read_is_said_and_finds_nothing(report, pattern):
    result = report(
        f"{{type: object, properties: {{x: {{type: string, pattern: '{pattern}'}}}}}}", {"x": "1"}
    )

    assert result.findings == ()
    assert result.unchecked == ("Widget v1, spec.x: the pattern cannot be read",)
    assert str(result) == "None of 1 object differs from its CRD. Not checked: 1 rule of the CRDs."


# What is told


def test_no_value_is_told(report):
    schema = """{type: object, properties: {
                 a: {type: integer}, b: {enum: [x]}, c: {type: string, pattern: '^z$'},
                 d: {type: string, maxLength: 1}, e: {type: string, format: date-time}}}"""
    result = report(schema, {**dict.fromkeys("abcde", "hunter2"), "f": {"password": "hunter2"}})

    assert len(result.findings) == 6
    assert "hunter2" not in f"{result} {result.rows()}"


def test_names_that_could_break_a_line_are_quoted_and_cut(report):
    result = report("{type: object}", {"a\nb": 1, "c.d": 2, "e" * 1_000: 3})

    assert [finding.path for finding in result.findings] == [
        'spec."a\\nb"',
        'spec."c.d"',
        f'spec."{"e" * 80}..."',
    ]


def test_the_example_is_the_first_object_in_one_line(tmp_path):
    objects = [(("", "bad\nname", "1"), widget({"x": 1})[1]), (KEY, widget({"x": 1})[1])]
    (finding,) = drift(objects, crds(tmp_path, CRD % "{type: object}")).findings

    assert (finding.example, finding.object_count) == ("bad?name@1", 2)


def test_the_finding_of_most_objects_comes_first(tmp_path):
    objects = [widget({"a": 1}), widget({"b": 1}), widget({"a": 1, "b": 1}), widget({"b": 1}), widget()]
    result = drift(objects, crds(tmp_path, CRD % "{type: object}"))

    assert [(row["path"], row["object_count"]) for row in result.rows()] == [("spec.b", 3), ("spec.a", 2)]
    assert str(result) == "4 of 5 objects differ from the CRD: 2 unknown_field."


def test_no_object_is_not_a_clean_bill():
    assert str(drift([], [])) == "No object was held to a schema."


def test_memory_does_not_grow_with_what_objects_call_their_fields(tmp_path):
    schemas = crds(tmp_path, CRD % "{type: object}")

    def hostile(count: int) -> Iterator[tuple[ObjectKey, bytes]]:
        for number in range(count):
            yield widget({f"field{number}": 1})
            yield widget(kind=f"Kind{number}")
            yield widget(apiVersion=f"example.org/v{number + 2}")

    tracemalloc.start()
    result = drift(hostile(11_000), schemas)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(result.findings) <= 10_002
    assert sum(finding.object_count for finding in result.findings) == 22_000
    assert result.objects_without_crd[ObjectKind("*", "*", "*")] == 10_000
    assert peak < 50_000_000


# Which CRD


def test_an_object_that_any_of_several_crds_allows_has_not_drifted(tmp_path):
    older = CRD % "{type: object, properties: {a: {type: integer}}}"
    newer = CRD % "{type: object, required: [b], properties: {a: {type: integer}, b: {type: integer}}}"

    assert drift([widget({"a": 1}), widget({"a": 1, "b": 2})], crds(tmp_path, older, newer)).findings == ()


def test_an_object_that_no_crd_allows_is_held_to_the_nearest(tmp_path):
    far, near = CRD % "{type: object}", CRD % "{type: object, properties: {a: {type: integer}}}"
    result = drift([widget({"a": 1, "c": 3})], crds(tmp_path, far, near))

    assert [finding.path for finding in result.findings] == ["spec.c"]


def test_a_schema_sends_nobody_to_the_network(found):
    assert found("{type: object, properties: {x: {$ref: 'http://127.0.0.1:9/x'}}}", {"x": 1}) == []


# What controllers really write


def shared_crds(system: str) -> list[CrdSchema]:
    return schemas_from_directory(SHARED / "crds" / system)


def tekton(file: str, kind: str) -> tuple[ObjectKey, bytes]:
    """A fixture that names neither apiVersion nor kind, with both."""
    body = msgspec.json.decode((SHARED / "samples" / "tekton" / file).read_bytes())
    return ObjectKey("", file, ""), msgspec.json.encode({"apiVersion": "tekton.dev/v1", "kind": kind, **body})


@needs_shared
def test_a_real_application_is_as_its_crd_says():
    pages = documents.read(SHARED / "samples/argocd/application-real-history.yaml", documents.Limits())
    (body,) = [body for page in pages if isinstance(page, documents.Page) for body in page.bodies]
    result = drift([(KEY, body)], shared_crds("argocd"))

    assert result.findings == ()
    assert result.objects_examined == {ObjectKind("argoproj.io", "Application", "v1alpha1"): 1}


@needs_shared
@pytest.mark.parametrize(
    ("file", "kind", "path"),
    [
        ("chains-pipelinerun1.json", "PipelineRun", "status.taskRuns"),
        ("chains-taskrun-remote-resolver.json", "TaskRun", "status.provenance.featureFlags.EnableAPIFields"),
    ],
)
def test_fields_of_older_tekton_are_unknown_to_v1(file, kind, path):
    result = drift([tekton(file, kind)], shared_crds("tekton-pipeline"))

    assert path in [finding.path for finding in result.findings if finding.problem == "unknown_field"]
