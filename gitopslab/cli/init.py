"""`gitopslab init`: the settings file, with every key there is and what it means."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitopslab.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel

_OPENING = """\
# Settings of gitopslab. Every key there is stands here; a key behind `#` shows its default or an example.
# Relative paths count from this file's folder. An environment variable overrides a key:
# GITOPSLAB_LAKE__PATH=s3://bucket/lake for `path` under [lake]; lists are given as JSON.
"""

# The worked example: a hub that builds and promotes, and two spokes that run what it made.
_EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "clusters": [
        {"name": "hub", "context": "hub", "role": "hub", "uid": ""},
        {"name": "dev", "context": "dev", "role": "spoke", "uid": ""},
        {"name": "ryzen", "context": "ryzen", "role": "spoke", "uid": ""},
    ],
    "lanes": [
        {
            "name": "promoted",
            "stages": ["commit", "build", "pin", "hydrate", "promote", "sync", "healthy", "live"],
        },
        {"name": "direct", "stages": ["commit", "build", "pin", "sync", "healthy", "live"]},
        {"name": "manual", "stages": ["commit", "promote", "sync", "healthy"]},
    ],
    "environments": [
        {
            "name": "dev",
            "lane": "promoted",
            "cluster": "dev",
            "branch": "environments/dev",
            "applications": ["*"],
            "pins": ["*/release-pins/images.yaml"],
        },
        {
            "name": "ryzen",
            "lane": "direct",
            "cluster": "ryzen",
            "branch": "",
            "applications": ["*"],
            "pins": ["*/release-pins/images-ryzen.yaml"],
        },
        {
            "name": "hub",
            "lane": "manual",
            "cluster": "hub",
            "branch": "environments/hub",
            "applications": ["*"],
        },
    ],
    "services": [
        {
            "name": "workflow-builder",
            "repository": "workflow-builder",
            "applications": ["workflow-builder", "workflow-builder-*"],
            "pipelines": ["outer-loop-workflow-builder"],
            "images": ["ghcr.io/*/workflow-builder"],
            "paths": ["services/workflow-builder/*"],
        }
    ],
    "repositories": [
        {
            "name": "workflow-builder",
            "url": "https://github.com/example/workflow-builder.git",
            "role": "source",
            "path": "",
            "branches": ["main"],
            "since": "2026-01-01",
            "pins": [],
            "token_variable": "GITHUB_TOKEN",
            "web_url": "https://github.com/example/workflow-builder",
        },
        {
            "name": "stacks",
            "role": "config",
            "path": "../stacks",
            "pins": ["*/release-pins/*.yaml", "helm_values:charts/*.yaml"],
        },
    ],
    "databases": [
        {
            "name": "benchmark",
            "cluster": "dev",
            "dsn_variable": "BENCHMARK_DATABASE_URL",
            "session_events": False,
            "overlap_seconds": 900,
        }
    ],
    "inventories": [
        {
            "name": "hub",
            "url": "https://inventory.example/inventory.json",
            "token_variable": "INVENTORY_TOKEN",
        }
    ],
    "prometheus": [
        {
            "name": "dev",
            "cluster": "dev",
            "url": "https://prometheus.example",
            "token_variable": "PROMETHEUS_TOKEN",
            "step_seconds": 60,
            "selectors": [],
        }
    ],
    "tekton_results": [
        {
            "cluster": "hub",
            "url": "https://tekton-results.example",
            "parent": "-",
            "token_variable": "TEKTON_RESULTS_TOKEN",
        }
    ],
}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        epilog="Examples: `gitopslab init`, `gitopslab init --example`, `gitopslab init --print | less`."
    )(init)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write gitopslab.toml.")] = Path(),
    example: Annotated[
        bool,
        typer.Option(
            "--example", help="Configure the worked example, a hub and two spokes, and not just show it."
        ),
    ] = False,
    to_stdout: Annotated[bool, typer.Option("--print", help="Print the file and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a gitopslab.toml that is there.")] = False,
) -> None:
    """Write a gitopslab.toml that shows every setting there is."""
    from gitopslab import settings

    text = documented(example=example)
    if to_stdout:
        typer.echo(text, nl=False)
        return
    path = folder / settings.FILE
    if path.exists() and not force:
        raise UsageError(f"{path} is there already; --force replaces it")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    typer.echo(f"{path} written; `gitopslab doctor` says what it leads to")


def documented(*, example: bool = False) -> str:
    """Return the settings file: every key with its meaning; the worked example in force, or behind `#`."""
    from gitopslab.settings import Settings

    parts = [_OPENING]
    for name, field in Settings.model_fields.items():
        if name in _EXAMPLES:
            parts.append(_list(name, _item_type(field.annotation), behind="" if example else "# "))
        else:
            parts.append(_section(name, field.default))
    return "\n".join(parts)


def _item_type(annotation: Any) -> "type[BaseModel]":
    item: type[BaseModel] = annotation.__args__[0]
    return item


def _section(name: str, defaults: "BaseModel") -> str:
    lines = [*_comment(type(defaults).__doc__ or ""), f"[{name}]"]
    for key, field in type(defaults).model_fields.items():
        lines += [*_comment(field.description or ""), f"{key} = {_value(getattr(defaults, key))}"]
    return "\n".join(lines) + "\n"


def _list(name: str, item: "type[BaseModel]", *, behind: str) -> str:
    lines = _comment(f"{item.__doc__ or ''} One [[{name}]] each.")
    width = max(map(len, item.model_fields))
    lines += [f"#   {key:<{width}}  {field.description}" for key, field in item.model_fields.items()]
    for example in _EXAMPLES[name]:
        lines += [
            f"{behind}[[{name}]]",
            *(f"{behind}{key} = {_value(value)}" for key, value in example.items()),
            "",
        ]
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    return [f"# {line.strip()}" for line in text.splitlines() if line.strip()]


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, int):
        return str(value).lower()
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
