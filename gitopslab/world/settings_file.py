"""The gitopslab.toml of a simulated fleet."""

import json
from collections.abc import Mapping, Sequence

from gitopslab.world.delivery.commits import CONFIG_URL, IMAGE_PREFIX, SOURCE_URL
from gitopslab.world.emit.pins import DIRECT, PROMOTED
from gitopslab.world.scale import CLUSTERS, COMPONENTS, ENVIRONMENTS, Scale

_STAGES = {
    "promoted": ("commit", "build", "pin", "hydrate", "promote", "sync", "healthy", "live"),
    "direct": ("commit", "build", "pin", "sync", "healthy", "live"),
    "manual": ("commit", "hydrate", "promote", "sync", "healthy", "live"),
}
_PINS = {
    "promoted": (f"*/release-pins/{PROMOTED.name}",),
    "direct": (f"*/release-pins/{DIRECT.name}",),
    "manual": (),
}


def settings_toml(scale: Scale) -> str:
    """Return settings that fit a world of `scale`."""
    tables: list[tuple[str, Mapping[str, str | Sequence[str]]]] = [
        *(("clusters", {"name": name, "role": "hub" if name == "hub" else "spoke"}) for name in CLUSTERS),
        *(("lanes", {"name": name, "stages": stages}) for name, stages in _STAGES.items()),
        *(
            (
                "environments",
                {
                    "name": each.name,
                    "lane": each.lane,
                    "cluster": each.cluster,
                    "branch": each.branch,
                    "applications": COMPONENTS if each.cluster == "hub" else ("*",),
                    "pins": _PINS[each.lane],
                },
            )
            for each in ENVIRONMENTS
        ),
        *(
            (
                "services",
                {
                    "name": each.name,
                    "repository": "workflow-builder",
                    "applications": (each.name,),
                    "pipelines": (f"outer-loop-{each.name}",),
                    "images": (f"{IMAGE_PREFIX}/{each.name}",),
                    "paths": (f"services/{each.name}/*",),
                },
            )
            for each in scale.services
        ),
        _repository("workflow-builder", SOURCE_URL, "source"),
        _repository("stacks", CONFIG_URL, "config"),
        ("databases", {"name": "benchmark", "cluster": "dev", "dsn_variable": "BENCHMARK_DATABASE_URL"}),
        ("inventories", {"name": "hub", "url": "http://inventory.hub.invalid/api/inventory"}),
        *(
            ("prometheus", {"name": name, "cluster": name, "url": f"http://prometheus.{name}.invalid"})
            for name in CLUSTERS
        ),
    ]
    return "\n".join(_table(name, values) for name, values in tables)


def _repository(name: str, url: str, role: str) -> tuple[str, dict[str, str | Sequence[str]]]:
    return "repositories", {"name": name, "url": url, "role": role, "path": f"git/{name}.git"}


def _table(name: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """Return one entry of a list of tables; a JSON string or list is also one of TOML."""
    lines = (f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    return f"[[{name}]]\n{''.join(lines)}"
