"""How many instances of a run go at once: the least of all layers, which bind, and what comes next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor

from gitopslab.capacity.layers import Layer
from gitopslab.capacity.pressure import Pressure
from gitopslab.errors import UsageError

_REQUESTED = "requested"
_NO_PRESSURE = Pressure()


@dataclass(frozen=True)
class Envelope:
    """What a run gets, and why no more.

    Attributes:
        layers: Every layer that is known, applied or not.
        deterministic: The least of the applied ones.
        pressure_adjusted: What pressure leaves of it.
        effective: Instances at once; 0 is legal, and lets no run start.
        pressure: What was known of pressure.
        limiters: Reasons in the application's words, as it would list them; it may list a layer that it did
            not apply, if its value is the same.
    """

    layers: tuple[Layer, ...]
    deterministic: int
    pressure_adjusted: int
    effective: int
    pressure: Pressure
    limiters: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self._got(), *self._beyond(), *self._pressed()))

    @property
    def requested(self) -> int:
        """Instances at once that were asked for."""
        return next(layer.value for layer in self.layers if layer.name == _REQUESTED)

    @property
    def reason(self) -> str | None:
        """The limiters in one word, as the application stores them; None where there is none."""
        return "+".join(self.limiters) or None

    @property
    def binding(self) -> tuple[Layer, ...]:
        """The layers whose value is the one that was got; several are a tie, and their order says nothing."""
        return tuple(
            layer for layer in self.layers if layer.is_applied and max(0, layer.value) == self.deterministic
        )

    @property
    def following(self) -> tuple[Layer, ...]:
        """The layers that would bind if those that do were lifted; empty where nothing else is known."""
        above = [layer for layer in self.layers if layer.is_applied and layer.value > self.deterministic]
        least = min((layer.value for layer in above), default=0)
        return tuple(layer for layer in above if layer.value == least)

    def _got(self) -> str:
        if any(layer.name == _REQUESTED for layer in self.binding):
            return f"All {self.requested} that were asked for fit."
        alike = " alike" if len(self.binding) > 1 else ""
        sources = " and ".join(str(layer) for layer in self.binding)
        return f"{self.deterministic} of the {self.requested} asked for fit, bound{alike} by {sources}."

    def _beyond(self) -> list[str]:
        if not self.following:
            return ["Nothing else that is known would bind."]
        names = " and ".join(layer.name for layer in self.following)
        return [f"Without that, {names} would allow {self.following[0].value}."]

    def _pressed(self) -> list[str]:
        if self.effective == self.deterministic:
            return []
        return [f"Pressure ({', '.join(self.pressure.reasons)}) leaves {self.effective}."]


def evaluate(layers: Sequence[Layer], pressure: Pressure = _NO_PRESSURE) -> Envelope:
    """Return what a run gets.

    Raises:
        UsageError: No layer says what was requested.
    """
    requested = next((layer.value for layer in layers if layer.name == _REQUESTED), None)
    if requested is None:
        raise UsageError("capacity layers: none says what was requested; give a reading called 'requested'")
    deterministic = max(0, min(layer.value for layer in layers if layer.is_applied))
    adjusted = 0 if pressure.is_hard else max(1, floor(deterministic * pressure.factor))
    limiters = [
        layer.label
        for layer in layers
        if layer.label and requested > layer.value and deterministic == max(0, layer.value)
    ]
    return Envelope(
        layers=tuple(layers),
        deterministic=deterministic,
        pressure_adjusted=adjusted,
        effective=min(deterministic, adjusted),
        pressure=pressure,
        limiters=tuple(dict.fromkeys((*limiters, *pressure.reasons))),
    )


@dataclass(frozen=True)
class _Pair:
    """A layer of the platform, the one that it stands for, and why the two may differ."""

    platform: str
    real: str
    subject: str
    why_more: str
    why_less: str


_PAIRS = (
    _Pair(
        "queue_quota",
        "kueue_available",
        "the queue",
        "it counts what is not to be had, as amounts of several flavors added up or a stopped queue's quota,"
        " or reckons with a smaller bundle than what is admitted",
        "it does not count what can be borrowed, or reckons with a larger bundle than what is admitted",
    ),
    _Pair(
        "live_nodes",
        "node_fit",
        "the nodes",
        "it adds up room of all nodes, and a pod does not lie across them",
        "it reckons with a larger bundle than what is admitted",
    ),
)


def explain_difference(platform: Envelope, real: Envelope) -> tuple[str, ...]:
    """Return sentences on why the platform's concurrency is not what is really possible; none where it is."""
    sentences = [
        sentence for pair in _PAIRS if (sentence := _compare(pair, platform.layers, real.layers)) is not None
    ]
    applied = {layer.name for layer in real.layers if layer.is_applied}
    sentences += [
        f"The platform is bound by {layer.name} ({layer.value}), which holds back no run in truth."
        for layer in platform.binding
        if layer.name not in applied and not any(pair.platform == layer.name for pair in _PAIRS)
    ]
    known = {layer.name for layer in platform.layers if layer.is_applied}
    stood_for = {pair.real for pair in _PAIRS if pair.platform in known}
    sentences += [
        f"The platform does not look at {layer.name}, which really binds at {layer.value}."
        for layer in real.binding
        if layer.name not in known | stood_for
    ]
    if platform.effective != platform.deterministic:
        sentences.append(f"Pressure cuts the platform's {platform.deterministic} to {platform.effective}.")
    return tuple(sentences)


def _compare(pair: _Pair, platform: Iterable[Layer], real: Iterable[Layer]) -> str | None:
    reckoned = next((layer.value for layer in platform if layer.name == pair.platform), None)
    truly = next((layer.value for layer in real if layer.name == pair.real), None)
    if reckoned is None or truly is None or reckoned == truly:
        return None
    why = pair.why_more if reckoned > truly else pair.why_less
    return f"The platform sees room for {reckoned} in {pair.subject}, and there is room for {truly}: {why}."
