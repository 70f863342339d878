"""What files pin: three formats, found by their content, and read as kustomize and Helm read them."""

import pytest

from gitopslab.errors import SettingsError
from gitopslab.extract.git.pins import Pin, PinPaths, Unreadable, parse

SHA = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "a" * 64


def pins(text: str, path: str = "pins.yaml", form=None) -> list[Pin]:
    return list(parse(text.encode(), path, form).pins.values())


def test_release_pins_gather_what_their_maps_say_of_a_service():
    text = f"""
images:
  api: git-{SHA}
imageRefs:
  api: ghcr.io/example/api:git-{SHA}@{DIGEST}
digests:
  api: {DIGEST}
sourceShas:
  api: "{SHA}"
pipelineRuns:
  api: outer-loop-api-x1
updatedAts:
  api: 2026-03-02T06:00:00Z
"""
    assert parse(text.encode(), "pins.yaml").format == "release_pins"
    assert pins(text) == [
        Pin(
            "api",
            "ghcr.io/example/api",
            f"git-{SHA}",
            DIGEST,
            SHA,
            "outer-loop-api-x1",
            "2026-03-02T06:00:00Z",
        )
    ]


def test_release_pins_with_fewer_maps_say_less():
    assert pins("images:\n  api: git-0123456\n  web: v1\n") == [
        Pin("api", None, "git-0123456", None, "0123456"),
        Pin("web", None, "v1"),
    ]


def test_an_image_of_release_pins_may_be_a_whole_reference():
    assert pins("images:\n  api: ghcr.io:5000/x/api:v1\n") == [Pin("api", "ghcr.io:5000/x/api", "v1")]


def test_a_kustomization_pins_under_the_image_it_replaces():
    text = f"""
kind: Kustomization
images:
- name: api
  newName: ghcr.io/example/api
  newTag: v1
- name: ghcr.io/example/web
  digest: {DIGEST}
- newTag: v1
"""
    assert pins(text) == [
        Pin("api", "ghcr.io/example/api", "v1"),
        Pin("ghcr.io/example/web", "ghcr.io/example/web", None, DIGEST),
    ]


def test_helm_values_pin_by_their_place():
    text = """
web:
  image:
    registry: ghcr.io
    repository: example/web
    tag: v2
sidecars:
- image: ghcr.io/example/proxy:v3
- image: ghcr.io/example/untagged
image:
  repository: example/api
replicas: 2
"""
    assert pins(text, "values.yaml") == [
        Pin("web.image", "ghcr.io/example/web", "v2"),
        Pin("sidecars.0.image", "ghcr.io/example/proxy", "v3"),
    ]


def test_a_format_that_settings_name_holds_whatever_the_content_shows():
    text = "images:\n  image: x/api:v1\n"

    assert pins(text) == [Pin("image", "x/api", "v1")]
    assert pins(text, form="helm_values") == [Pin("images.image", "x/api", "v1")]


def test_values_below_images_are_of_helm():
    text = "images:\n  api:\n    repository: x/api\n    tag: v1\n"

    assert pins(text) == [Pin("images.api", "x/api", "v1")]


def test_a_manifest_pins_nothing():
    assert pins("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: x/api:v1\n") == []


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- 1\n", "text\n", "images: 3\n", "images:\n- 1\n- name: [x]\n"]
)
def test_what_has_another_shape_pins_nothing(text):
    assert pins(text, "kustomization.yaml") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("images: {api: [", "invalid_yaml"),
        ("images:\n  api: v1\n  api: v2\n", "invalid_yaml"),
        ("images: !!python/object:x {}\n", "hostile_yaml"),
        ("a: " + "[" * 100 + "]" * 100, "too_deep"),
    ],
)
def test_yaml_that_cannot_be_read_says_why(text, reason):
    found = parse(text.encode(), "pins.yaml")

    assert isinstance(found, Unreadable)
    assert found.reason == reason


def test_globs_may_name_a_format():
    paths = PinPaths("stacks", ("*release-pins/*", "helm_values:charts/*.yaml"))

    assert "a/release-pins/b/c.yaml" in paths
    assert "a/other.yaml" not in paths
    assert paths.format("charts/x/any.yaml") == "helm_values"
    assert paths.format("a/release-pins/c.yaml") is None


def test_a_glob_of_an_unknown_format_is_refused():
    with pytest.raises(
        SettingsError, match=r"stacks: pins: 'helm:x': no format 'helm'; there are: release_pins"
    ):
        PinPaths("stacks", ("helm:x",))
