"""Label and field selectors, as far as an API server takes them for custom resources."""

import re
from collections.abc import Callable
from typing import NamedTuple

from tests.apiserver.store import Version

Test = Callable[[Version], bool]

_TERM = re.compile(
    r"(?P<not>!)?(?P<key>[\w./-]+)\s*"
    r"(?:(?P<sign>==|=|!=)\s*(?P<value>[\w.-]*)|(?P<in>in|notin)\s*\((?P<values>[^)]*)\))?\s*"
)
_FIELDS = {"metadata.name": "name", "metadata.namespace": "namespace"}


class BadSelectorError(ValueError):
    """A selector that cannot be read, or a field that cannot be selected by."""


class Selector(NamedTuple):
    """What a request wants to see; `is_everything` saves asking."""

    tests: tuple[Test, ...]

    @property
    def is_everything(self) -> bool:
        return not self.tests

    def takes(self, version: Version | None) -> bool:
        return version is not None and all(test(version) for test in self.tests)


def selector(namespace: str, labels: str, fields: str) -> Selector:
    """Return what takes objects of `namespace` (empty: all) that match both selectors.

    Raises:
        BadSelectorError: One of them cannot be read.
    """
    tests: list[Test] = [lambda version: version.namespace == namespace] if namespace else []
    tests += [_label_test(term) for term in _terms(labels)]
    tests += [_field_test(term) for term in _terms(fields)]
    return Selector(tuple(tests))


def _terms(text: str) -> list[re.Match[str]]:
    found: list[re.Match[str]] = []
    at = 0
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None or text[term.end() : term.end() + 1] not in {"", ","}:
            raise BadSelectorError(f"unable to parse requirement: {text[at:]!r}")
        found.append(term)
        at = term.end() + 1
    return found


def _label_test(term: re.Match[str]) -> Test:
    key = term["key"]
    if not term["sign"] and not term["in"]:
        return lambda version: (key in version.labels) != bool(term["not"])
    values = {value.strip() for value in (term["value"] or term["values"] or "").split(",")}
    # Kubernetes: != and notin take objects that lack the label, too.
    if term["sign"] == "!=" or term["in"] == "notin":
        return lambda version: version.labels.get(key) not in values
    return lambda version: version.labels.get(key) in values


def _field_test(term: re.Match[str]) -> Test:
    field = _FIELDS.get(term["key"])
    if field is None or not term["sign"]:
        raise BadSelectorError(f"field label not supported: {term['key']}")
    return lambda version: (getattr(version, field) == term["value"]) != (term["sign"] == "!=")
