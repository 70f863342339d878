"""deploy/ and the Containerfile: they may only read, and name only what there is."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from kubernetes.client import models
from pydantic import ValidationError
from typer.testing import CliRunner

from gitopslab import cli, settings
from gitopslab.resources import EXTRACTED

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
KUSTOMIZATIONS = sorted(path.parent for path in DEPLOY.rglob("kustomization.yaml"))
MANIFESTS = [
    path
    for folder in ("access", "base")
    for path in sorted((DEPLOY / folder).glob("*.yaml"))
    if path.name != "kustomization.yaml"
]
needs_kubectl = pytest.mark.skipif(
    not shutil.which("kubectl"), reason="no kubectl on PATH to render kustomizations"
)


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def load(path: Path) -> dict[str, Any]:
    [document] = documents(path.read_text())
    return document


@cache
def rendered(folder: Path) -> list[dict[str, Any]]:
    command = ["kubectl", "kustomize", str(folder)]
    return documents(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def named(folder: Path, kind: str, name: str) -> dict[str, Any]:
    [found] = [d for d in rendered(folder) if (d["kind"], d["metadata"]["name"]) == (kind, name)]
    return found


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    spec = workload["spec"]
    return (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]["spec"]


WORKLOADS = [load(DEPLOY / "base" / f"{name}.yaml") for name in ("watcher", "build", "reports")]
PODS = [pytest.param(pod(workload), id=workload["metadata"]["name"]) for workload in WORKLOADS]


# What it may read.


def test_the_cluster_role_reads_the_kinds_that_are_extracted_and_nothing_else():
    rules = load(DEPLOY / "access" / "cluster-role.yaml")["rules"]
    granted = {
        (group, resource, verb, *rule.get("resourceNames", ()))
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    extracted = {(r.api_group, r.resource, verb) for r in EXTRACTED for verb in ("get", "list", "watch")}

    assert granted == extracted | {("", "namespaces", "get", "kube-system")}


def test_no_rule_anywhere_has_another_verb_than_those_that_read():
    verbs = {
        verb
        for path in DEPLOY.rglob("*.yaml")
        for document in documents(path.read_text())
        for rule in (document.get("rules", ()) if isinstance(document, dict) else ())
        for verb in rule["verbs"]
    }

    assert verbs == {"get", "list", "watch"}


def test_only_the_watcher_has_a_token():
    has_token = {each["metadata"]["name"]: pod(each)["automountServiceAccountToken"] for each in WORKLOADS}

    assert has_token == {"gitopslab-watcher": True, "gitopslab-build": False, "gitopslab-reports": False}


@pytest.mark.parametrize("spec", PODS)
def test_a_pod_keeps_to_the_restricted_standard(spec):
    context = spec["securityContext"]

    assert context["runAsNonRoot"]
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} <= container["resources"].keys()


# That everything it names is there.


class Reference(NamedTuple):
    """A file or folder that a kustomization names."""

    source: Path
    target: Path


def references() -> Iterator[Reference]:
    for folder in KUSTOMIZATIONS:
        kustomization = load(folder / "kustomization.yaml")
        generated = [
            file for each in kustomization.get("configMapGenerator", ()) for file in each.get("files", ())
        ]
        patches = [patch["path"] for patch in kustomization.get("patches", ())]
        for name in (*kustomization["resources"], *generated, *patches):
            yield Reference(folder, (folder / name).resolve())


def test_a_kustomization_names_only_what_is_there_and_every_file_is_named():
    targets = {reference.target for reference in references()}
    files = {path for path in DEPLOY.rglob("*") if path.is_file() and path.name != "kustomization.yaml"}

    assert all(target.is_file() or (target / "kustomization.yaml").is_file() for target in targets)
    assert files - targets == {DEPLOY / "README.md"}


@pytest.mark.parametrize("spec", PODS)
def test_a_pod_mounts_only_volumes_it_has_and_all_of_them(spec):
    volumes = {volume["name"] for volume in spec["volumes"]}

    assert {m["name"] for container in spec["containers"] for m in container["volumeMounts"]} == volumes


@pytest.mark.parametrize(
    "arguments",
    [container["args"] for each in WORKLOADS for container in pod(each)["containers"]],
    ids=" ".join,
)
def test_a_container_runs_a_command_that_there_is(arguments):
    command, *rest = arguments
    help_text = CliRunner().invoke(cli.app, [command, "--help"], terminal_width=200)

    assert help_text.exit_code == 0
    assert all(option in help_text.output for option in rest if option.startswith("-"))
    if command == "report":
        assert (ROOT / "notebooks" / f"{rest[0]}.ipynb").is_file()


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("gitopslab.toml")), ids=lambda file: file.parent.name)
def test_settings_are_right_and_their_paths_lie_on_volumes(file):
    configured = settings.load(file)
    mounted = {
        m["mountPath"] for each in PODS for c in each.values[0]["containers"] for m in c["volumeMounts"]
    }

    assert configured.cluster("hub").context == "in-cluster"
    assert configured.lake.path in mounted
    assert {str(configured.warehouse.path.parent), str(configured.reports.path.parent)} <= mounted


# That Kubernetes knows its fields.


def model_of(document: dict[str, Any]) -> str:
    version = document["apiVersion"].rpartition("/")[2]
    return f"{version[0].upper()}{version[1:]}{document['kind']}"


def validate(document: dict[str, Any]) -> None:
    """Hold `document` to the client's model of its kind, made from the OpenAPI document of Kubernetes."""
    getattr(models, model_of(document)).model_validate(document)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_has_the_fields_that_kubernetes_knows(path):
    validate(load(path))


@needs_kubectl
@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_what_a_kustomization_renders_has_the_fields_that_kubernetes_knows(folder):
    for document in rendered(folder):
        validate(document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": {"jobTemplate": {}}}, "spec.schedule\n  Field required"),
        (
            {"spec": {"schedule": "@daily", "jobTemplate": {}, "concurrency": "Forbid"}},
            "spec.concurrency\n  Extra inputs are not permitted",
        ),
        (
            {"spec": {"schedule": "@daily", "jobTemplate": {}, "suspend": "no"}},
            "spec.suspend\n  Input should be a valid boolean",
        ),
    ],
)
def test_a_field_that_is_unknown_missing_or_of_another_type_is_found(change, said):
    with pytest.raises(ValidationError, match=re.escape(said)):
        validate({"apiVersion": "batch/v1", "kind": "CronJob", **change})


# What overlays change.


@needs_kubectl
def test_in_object_storage_there_is_no_volume_for_the_lake_and_both_that_use_it_are_told_where_it_is():
    folder = DEPLOY / "overlays" / "object-storage"
    claims = {d["metadata"]["name"] for d in rendered(folder) if d["kind"] == "PersistentVolumeClaim"}
    [told] = [d for d in rendered(folder) if d["kind"] == "ConfigMap" and "GITOPSLAB_LAKE__PATH" in d["data"]]

    assert claims == {"gitopslab-warehouse"}
    assert told["data"]["GITOPSLAB_LAKE__PATH"].startswith("s3://")
    for kind, name in (("Deployment", "gitopslab-watcher"), ("CronJob", "gitopslab-build")):
        spec = pod(named(folder, kind, name))
        [container] = spec["containers"]
        assert container["envFrom"][0] == {"configMapRef": {"name": told["metadata"]["name"]}}
        assert "lake" not in {volume["name"] for volume in spec["volumes"]}
        assert "/var/lib/gitopslab/lake" not in {m["mountPath"] for m in container["volumeMounts"]}
        assert "affinity" not in spec


@needs_kubectl
def test_the_example_names_its_image_everywhere_and_reads_its_spokes_by_a_kubeconfig():
    folder = DEPLOY / "overlays" / "example"
    workloads = [d for d in rendered(folder) if d["kind"] in {"Deployment", "CronJob"}]
    watcher = pod(named(folder, "Deployment", "gitopslab-watcher"))

    assert {c["image"] for each in workloads for c in pod(each)["containers"]} == {
        "registry.example.com/platform/gitopslab:0.1.0"
    }
    assert {"name": "KUBECONFIG", "value": "/etc/gitopslab-kubeconfig/config"} in watcher["containers"][0][
        "env"
    ]


# The image.


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (ROOT / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def test_the_image_is_built_in_one_stage_and_runs_without_root_in_another():
    kinds = [kind for kind, _ in instructions()]
    last = instructions()[len(kinds) - 1 - kinds[::-1].index("FROM") :]

    assert kinds.count("FROM") == 2
    assert ("USER", "10001:10001") in last
    assert ("ENTRYPOINT", '["gitopslab"]') in last
    assert not [text for kind, text in last if "pip" in text]
    assert {each.values[0]["securityContext"]["runAsUser"] for each in PODS} == {10001}


def test_the_image_copies_what_is_there_and_is_let_through():
    let_through = {
        line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {
        source
        for kind, text in instructions()
        if kind == "COPY" and "--from" not in text
        for source in text.split()[:-1]
    }

    assert copied == let_through
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_names_no_index_of_packages():
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", (ROOT / "Containerfile").read_text())
