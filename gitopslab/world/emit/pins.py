"""Release pins: which image of each service a lane is to run, as files of the configuration repository."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitopslab.world.clock import stamp
from gitopslab.world.emit.fast_import import Identity
from gitopslab.world.emit.hydration import Reference

_FOLDER = "packages/components/hub-spoke-appsets/release-pins"


@dataclass(frozen=True)
class PinFile:
    """A file of release pins, and the kustomizations that repeat its images.

    Attributes:
        name: File name.
        lane: Named in commit subjects; empty for the lane that builds write to.
        kustomizations: Paths of kustomization files.
        is_full: Whether it also says which build made an image, and when it was pinned.
    """

    name: str
    lane: str = ""
    kustomizations: tuple[str, ...] = ()
    is_full: bool = True


PROMOTED = PinFile(
    "workflow-builder-images.yaml",
    kustomizations=("packages/components/workflow-builder-system-overlays/dev/kustomization.yaml",),
)
DIRECT = PinFile(
    "workflow-builder-images-ryzen.yaml",
    lane="ryzen",
    kustomizations=("packages/components/workflow-builder-ryzen-image/kustomization.yaml",),
    is_full=False,
)


@dataclass(frozen=True)
class Pin:
    """One service's image.

    Attributes:
        service: Name of the service.
        image: Image without tag or digest, such as ghcr.io/example/session-host.
        source_sha: Source commit that the image was built from; its tag is made of it.
        digest: `sha256:…`.
        pipeline_run: PipelineRun that built it.
    """

    service: str
    image: str
    source_sha: str
    digest: str
    pipeline_run: str = ""

    @property
    def tag(self) -> str:
        """The image's tag."""
        return f"git-{self.source_sha}"


@dataclass(frozen=True)
class PinCommit:
    """Pins that are written together: those of one build, or of several that waited for each other.

    Attributes:
        at: When, seconds since the epoch.
        author: Who writes them: the build's robot, or a person.
        pins: At least one.
        file: Where they are written.
        reference: The source commit, told to the hydrator in trailers; it takes one.
        title: First line of the message; empty: the one that builds write.
    """

    at: float
    author: Identity
    pins: tuple[Pin, ...]
    file: PinFile = PROMOTED
    reference: Reference | None = None
    title: str = ""

    @property
    def subject(self) -> str:
        """First line of the message."""
        if self.title:
            return self.title
        services = ", ".join(pin.service for pin in self.pins)
        what = f"{self.file.lane} image" if self.file.lane else "image"
        return f"chore({services}): pin {what} to {self.pins[-1].tag}"

    @property
    def body(self) -> str:
        """The trailers."""
        return self.reference.trailers if self.reference else ""


class Pins:
    """What every pin file says now."""

    def __init__(self) -> None:
        self._pins: dict[str, dict[str, tuple[Pin, float]]] = defaultdict(dict)

    def write(self, change: PinCommit) -> dict[str, bytes | None]:
        """Take over the pins of a commit, and return the files that it writes."""
        pinned = self._pins[change.file.name]
        pinned.update((pin.service, (pin, change.at)) for pin in change.pins)
        current = [pinned[service] for service in sorted(pinned)]
        files: dict[str, bytes | None] = {
            f"{_FOLDER}/{change.file.name}": _pin_file(current, is_full=change.file.is_full)
        }
        kustomization = _kustomization(pin for pin, _ in current)
        return files | dict.fromkeys(change.file.kustomizations, kustomization)


def _pin_file(pinned: Iterable[tuple[Pin, float]], *, is_full: bool) -> bytes:
    maps: dict[str, dict[str, str]] = defaultdict(dict)
    for pin, at in pinned:
        maps["images"][pin.service] = pin.tag
        maps["imageRefs"][pin.service] = f"{pin.image}:{pin.tag}@{pin.digest}"
        maps["digests"][pin.service] = pin.digest
        maps["sourceShas"][pin.service] = pin.source_sha
        if is_full:
            maps["pipelineRuns"][pin.service] = pin.pipeline_run
            maps["updatedAts"][pin.service] = stamp(at)
    return "".join(_yaml_map(name, values) for name, values in maps.items()).encode()


def _yaml_map(name: str, values: Mapping[str, str]) -> str:
    # quoted, since a sha of digits alone, or with one e among them, is a number to YAML
    return f"{name}:\n" + "".join(f'  {key}: "{value}"\n' for key, value in values.items())


def _kustomization(pins: Iterable[Pin]) -> bytes:
    images = "".join(
        f'  - name: {pin.image}\n    newTag: "{pin.tag}"\n    digest: {pin.digest}\n' for pin in pins
    )
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ../base\n"
    return f"{head}images:\n{images}".encode()
