import pytest

from gitopslab.resources import EXTRACTED, resource_of_kind, split_api_version


@pytest.mark.parametrize("known", EXTRACTED, ids=str)
def test_the_plural_of_every_kind_that_is_typed_follows_the_rule(known):
    assert resource_of_kind(known.kind) == known.resource


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Endpoints", "endpoints"),
        ("Pod", "pods"),
    ],
)
def test_the_plural_of_other_kinds_too(kind, plural):
    assert resource_of_kind(kind) == plural


def test_the_core_group_has_no_name():
    assert split_api_version("v1") == ("", "v1")
    assert split_api_version("kueue.x-k8s.io/v1beta2") == ("kueue.x-k8s.io", "v1beta2")
