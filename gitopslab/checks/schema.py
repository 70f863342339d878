"""Schema drift: where landed objects differ from their CRD, as a report and never as a gate.

The useful finding is the unknown field: after an upgrade it is what queries do not read yet. A missing
field is often only age, since an object may have been written before the CRD required the field.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import msgspec

from gitopslab.checks.crds import UNDECODABLE, CrdSchema
from gitopslab.checks.differences import Difference, Judge, Problem, one_line

# Names in objects are anybody's: beyond this many different ones, memory and report stay as they are.
_MOST_FINDINGS = 10_000
_MOST_KINDS = 1_000

_Versions = Mapping[str, Sequence[CrdSchema]]


class ObjectKey(NamedTuple):
    """What a finding shows of an object that has it; any tuple of the same three strings will do."""

    namespace: str
    name: str
    resource_version: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return one_line(f"{place}{self.name}@{self.resource_version}")


class ObjectKind(NamedTuple):
    """Group, kind and version that an object says it is of; the group of a Pod is empty."""

    group: str
    kind: str
    version: str

    def __str__(self) -> str:
        return f"{self.kind} {self.version}"


_OTHER_KINDS = ObjectKind("*", "*", "*")


@dataclass(frozen=True)
class Finding:
    """One way in which objects of one version differ from its CRD.

    Attributes:
        group: API group.
        kind: Kind.
        version: API version.
        path: The field, `[]` for any item of a list and `*` for any key of a map:
            `status.history[].revision`. Empty where the finding is about whole objects.
        problem: What is wrong, in one word that can be counted by.
        message: What is wrong, in one line, which never holds the value.
        object_count: Objects with it; an object with it in three list items counts once.
        example: The first of them, `namespace/name@resourceVersion`.
    """

    group: str
    kind: str
    version: str
    path: str
    problem: Problem
    message: str
    object_count: int
    example: str


@dataclass(frozen=True)
class DriftReport:
    """How many objects were held to their CRDs, and how they differ.

    Attributes:
        findings: The one that most objects have first.
        objects_examined: Objects validated, those without a finding included.
        objects_differing: Objects validated that have at least one finding.
        objects_without_crd: Objects of kinds for which no CRD was given; Kubernetes' own kinds have none.
        objects_unreadable: Objects that are no JSON object with `apiVersion` and `kind`, or too deep.
        unchecked: What the CRDs of objects examined ask for and cannot be checked, one line each.
    """

    findings: tuple[Finding, ...]
    objects_examined: Mapping[ObjectKind, int]
    objects_differing: int
    objects_without_crd: Mapping[ObjectKind, int]
    objects_unreadable: int
    unchecked: tuple[str, ...]

    def rows(self) -> list[dict[str, str | int]]:
        """Return the findings as rows of a table, its columns the fields of `Finding`."""
        return [asdict(finding) for finding in self.findings]

    def __str__(self) -> str:
        sentences = (self._examined(), self._not_examined(), self._not_checked())
        return " ".join(sentence for sentence in sentences if sentence)

    def _examined(self) -> str:
        examined = sum(self.objects_examined.values())
        if not examined:
            return "No object was held to a schema."
        if not self.objects_differing:
            return f"None of {_count(examined, 'object')} differs from its CRD."
        ways = Counter(finding.problem for finding in self.findings if finding.path)
        listed = ", ".join(f"{count:,} {problem}" for problem, count in ways.most_common())
        return f"{self.objects_differing:,} of {_count(examined, 'object')} differ from the CRD: {listed}."

    def _not_examined(self) -> str:
        unknown = {
            "with no schema in the CRD": self._objects_with("no_schema"),
            "of a version that is not in the CRD": self._objects_with("version_not_in_crd"),
            "without a CRD": sum(self.objects_without_crd.values()),
            "that cannot be read": self.objects_unreadable,
        }
        listed = ", ".join(f"{_count(count, 'object')} {why}" for why, count in unknown.items() if count)
        return f"Not examined: {listed}." if listed else ""

    def _not_checked(self) -> str:
        return f"Not checked: {_count(len(self.unchecked), 'rule')} of the CRDs." if self.unchecked else ""

    def _objects_with(self, problem: Problem) -> int:
        return sum(finding.object_count for finding in self.findings if finding.problem == problem)


def drift(objects: Iterable[tuple[tuple[str, str, str], bytes]], schemas: Sequence[CrdSchema]) -> DriftReport:
    """Return how `objects` differ from the CRDs of their group, kind and version.

    Where `schemas` hold several CRDs of one version (of several clusters or releases), an object is held to
    the one it fits best: it has drifted only when none of them allows it. Objects are read once, one after
    the other; memory does not grow with their number.

    Args:
        objects: The key (namespace, name, resourceVersion) and the JSON of each object.
        schemas: Of CRDs, as `gitopslab.checks.crds` reads them.
    """
    resources = _resources(schemas)
    tally = _Tally()
    for key, body in objects:
        document = _document(body)
        if document is None:
            tally.objects_unreadable += 1
            continue
        kind = _object_kind(document)
        versions = resources.get((kind.group, kind.kind))
        if versions is None:
            tally.count_without_crd(kind)
        else:
            tally.count(kind, versions, document, key)
    return tally.report()


class _Tally:
    """What is counted while objects pass; its size has limits that the number of objects does not move."""

    def __init__(self) -> None:
        self.objects_unreadable = 0
        self._objects_differing = 0
        self._examined: Counter[ObjectKind] = Counter()
        self._without_crd: Counter[ObjectKind] = Counter()
        self._judges: dict[ObjectKind, Judge] = {}
        self._object_counts: Counter[tuple[ObjectKind, Difference]] = Counter()
        self._examples: dict[tuple[ObjectKind, Difference], str] = {}

    def count(
        self, kind: ObjectKind, versions: _Versions, document: dict[str, Any], key: tuple[str, str, str]
    ) -> None:
        if kind.version not in versions:
            self._add(kind, {_version_not_in_crd(versions)}, key)
            return
        judge = self._judges.get(kind) or self._judges.setdefault(kind, Judge(versions[kind.version]))
        if not judge.has_schema:
            self._add(kind, {_no_schema(judge)}, key)
            return
        try:
            differences = judge.differences(document)
        except ValueError:
            self.objects_unreadable += 1
            return
        self._examined[kind] += 1
        self._objects_differing += bool(differences)
        self._add(kind, differences, key)

    def count_without_crd(self, kind: ObjectKind) -> None:
        has_room = kind in self._without_crd or len(self._without_crd) < _MOST_KINDS
        self._without_crd[kind if has_room else _OTHER_KINDS] += 1

    def report(self) -> DriftReport:
        unchecked = [(kind, rule) for kind in self._examined for rule in self._judges[kind].unchecked]
        return DriftReport(
            findings=tuple(sorted(self._findings(), key=_most_objects_first)),
            objects_examined=dict(self._examined),
            objects_differing=self._objects_differing,
            objects_without_crd=dict(self._without_crd),
            objects_unreadable=self.objects_unreadable,
            unchecked=tuple(one_line(f"{kind}, {rule}") for kind, rule in unchecked),
        )

    def _findings(self) -> list[Finding]:
        return [
            Finding(*kind, *difference, object_count=count, example=self._examples[kind, difference])
            for (kind, difference), count in self._object_counts.items()
        ]

    def _add(self, kind: ObjectKind, differences: set[Difference], key: tuple[str, str, str]) -> None:
        for slot in {self._slot(kind, difference) for difference in differences}:
            self._object_counts[slot] += 1
            if slot not in self._examples:
                self._examples[slot] = str(ObjectKey(*key))

    def _slot(self, kind: ObjectKind, difference: Difference) -> tuple[ObjectKind, Difference]:
        slot = (kind, difference)
        if slot in self._object_counts or len(self._object_counts) < _MOST_FINDINGS:
            return slot
        message = f"differs in more than the {_MOST_FINDINGS:,} ways that are listed"
        return kind._replace(version="*"), Difference("*", difference.problem, message)


def _resources(schemas: Sequence[CrdSchema]) -> dict[tuple[str, str], _Versions]:
    resources: dict[tuple[str, str], dict[str, list[CrdSchema]]] = defaultdict(lambda: defaultdict(list))
    for schema in schemas:
        resources[schema.group, schema.kind][schema.version].append(schema)
    return {resource: dict(versions) for resource, versions in resources.items()}


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        document = msgspec.json.decode(body)
    except UNDECODABLE:
        return None
    if not isinstance(document, dict):
        return None
    is_named = isinstance(document.get("apiVersion"), str) and isinstance(document.get("kind"), str)
    return document if is_named else None


def _object_kind(document: dict[str, Any]) -> ObjectKind:
    group, _, version = document["apiVersion"].rpartition("/")
    return ObjectKind(one_line(group), one_line(document["kind"]), one_line(version))


def _version_not_in_crd(versions: Iterable[str]) -> Difference:
    message = f"the CRD has no such version; it has {', '.join(sorted(versions))}"
    return Difference("", "version_not_in_crd", one_line(message))


def _no_schema(judge: Judge) -> Difference:
    why = "; ".join(judge.unchecked) or "it names no field of this version"
    return Difference("", "no_schema", one_line(f"the CRD leaves nothing to check: {why}"))


def _most_objects_first(finding: Finding) -> tuple[int, str, str, str, str, str]:
    return (
        -finding.object_count,
        finding.kind,
        finding.version,
        finding.path,
        finding.problem,
        finding.message,
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
