from pathlib import Path

import pytest

from gitopslab.checks.crds import schemas_from_directory, schemas_from_objects
from gitopslab.checks.differences import Judge
from gitopslab.errors import UsageError
from gitopslab.extract import documents

SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "crds"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the CRDs beside the repository")

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org, resourceVersion: "7"}
spec:
  group: example.org
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1beta1
  - name: v1
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object}}}}
"""


def landed(path: Path) -> list[bytes]:
    pages = documents.read(path, documents.Limits())
    return [body for page in pages if isinstance(page, documents.Page) for body in page.bodies]


def test_every_version_of_a_crd_is_read(tmp_path):
    (tmp_path / "crd.yaml").write_text(CRD)
    schemas = schemas_from_directory(tmp_path)

    assert [(crd.group, crd.kind, crd.plural, crd.version, crd.has_schema) for crd in schemas] == [
        ("example.org", "Widget", "widgets", "v1beta1", False),
        ("example.org", "Widget", "widgets", "v1", True),
    ]
    assert {crd.source for crd in schemas} == {f"{tmp_path}/crd.yaml, line 1"}


def test_landed_crds_are_read_as_files_are(tmp_path):
    (tmp_path / "crd.yaml").write_text(CRD)
    objects = schemas_from_objects(landed(tmp_path / "crd.yaml"))

    assert [crd.schema for crd in objects] == [crd.schema for crd in schemas_from_directory(tmp_path)]
    assert {crd.source for crd in objects} == {"widgets.example.org@7"}


def test_landed_objects_that_define_nothing_are_passed_over():
    bodies = [b"{", b"[]", b'{"kind": "\xff"}', b'{"kind": "Pod"}', b'{"kind": "CustomResourceDefinition"}']

    assert schemas_from_objects(bodies) == []


def test_a_directory_may_hold_more_than_crds(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization\nresources: [crds.yaml]\n")
    (tmp_path / "notes.txt").write_text("{")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "crds.yaml").write_text(f"{CRD}---\n{CRD}")

    assert len(schemas_from_directory(tmp_path)) == 4


def test_a_directory_without_crds_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no CustomResourceDefinition"):
        schemas_from_directory(tmp_path)


@pytest.mark.parametrize("broken", ["a: [\n", CRD.replace("{kind: Widget, plural: widgets}", "{}")])
def test_a_crd_that_cannot_be_read_is_an_error_with_its_line(tmp_path, broken):
    (tmp_path / "crds.yaml").write_text(f"{CRD}---\n{broken}")

    with pytest.raises(UsageError, match=r"crds\.yaml, line 12: "):
        schemas_from_directory(tmp_path)


@needs_shared
@pytest.mark.parametrize("system", ["argocd", "gitops-promoter", "kueue", "tekton-pipeline"])
def test_every_rule_of_the_crds_in_use_can_be_checked(system):
    judges = [Judge([crd]) for crd in schemas_from_directory(SHARED / system)]

    assert all(judge.has_schema and not judge.unchecked for judge in judges)


@needs_shared
def test_the_crds_of_tekton_triggers_have_no_schema():
    assert not any(crd.has_schema for crd in schemas_from_directory(SHARED / "tekton-triggers"))
