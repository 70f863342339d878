"""Settings: one gitopslab.toml, each key of which an environment variable can override.

`GITOPSLAB_LAKE__PATH=s3://bucket/lake` overrides `path` under `[lake]`; lists are given as JSON.
Nothing is read when this module is imported; `load()` reads.
"""

import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gitopslab.errors import SettingsError

FILE = "gitopslab.toml"

ENVIRONMENT_NAMES = (
    "AGENT_RUNTIME_*",
    "AGENT_WORKFLOW_HOST_*",
    "BENCHMARK_*",
    "DAPR_WORKFLOW_*",
    "SANDBOX_EXECUTION_CLASSES_JSON",
    "SWEBENCH_*",
)
"""Environment variables whose values land by default: a benchmark plane finds its concurrency by them."""


_PASSWORD = re.compile(r"://[^/\s]*?:(?!\d*(?:[/?#]|\Z))[^@\s]*@")


def _has_no_credential(url: str) -> str:
    """Refuse what would be printed, would stand in the warehouse, and on the command line of git."""
    address = urlsplit(url)
    if address.scheme in {"http", "https"} and "@" in address.netloc:
        raise ValueError("take the user out of the URL, and name the token's variable in token_variable")
    if _PASSWORD.search(url):
        raise ValueError("take the password out of the URL")
    return url


def _is_web_address(url: str) -> str:
    """Refuse what a page must not link to, or would show a credential by."""
    address = urlsplit(url)
    is_bare = not (address.query or address.fragment or "@" in address.netloc) and url.isprintable()
    if url and not (address.scheme in {"http", "https"} and address.hostname and is_bare and " " not in url):
        raise ValueError("give an http or https URL without user, query and fragment")
    return url


Url = Annotated[str, AfterValidator(_has_no_credential)]
WebUrl = Annotated[str, AfterValidator(_is_web_address)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LakeSettings(_Table):
    """Where landed objects are kept, for good."""

    path: Url = Field("data/lake", description="Folder, or any fsspec URL such as s3://bucket/lake.")


class WarehouseSettings(_Table):
    """The DuckDB file that `gitopslab build` makes from the lake."""

    path: Path = Field(
        Path("data/gitopslab.duckdb"), description="The file readers open; it is replaced whole."
    )
    memory_limit: str = Field("3GB", description="What a build may use before it spills to disk.")


class ReportSettings(_Table):
    """Where report pages go."""

    path: Path = Field(Path("reports"), description="One folder a report, one folder a run in it.")


class GitSettings(_Table):
    """Where mirrors of repositories are kept."""

    path: Path = Field(Path("data/git"), description="One bare mirror a repository; git itself reads it too.")


class PrivacySettings(_Table):
    """How personal data is hidden when objects are landed."""

    email_salt: str = Field("", description="Mixed into the hashes that stand in for e-mail addresses.")
    environment_names: tuple[str, ...] = Field(
        ENVIRONMENT_NAMES,
        description="Globs of environment variables of Deployments that keep their values; others are cut.",
    )


class WatchSettings(_Table):
    """What `gitopslab extract kubernetes` and `gitopslab watch` read of each cluster."""

    resources: tuple[str, ...] = Field(
        (), description="Kinds to read besides those that have tables, such as gateways.networking.istio.io."
    )


class Cluster(_Table):
    """A Kubernetes cluster that objects come from."""

    name: str = Field(description="What reports call it; also the lake's partition.")
    context: str = Field("", description="Kubeconfig context, or in-cluster; empty: files only.")
    role: Literal["hub", "spoke"] = Field("spoke", description="A hub mirrors the spokes' Applications.")
    uid: str = Field(
        "", description="uid of its kube-system namespace; empty: taken from the cluster or from files."
    )


class Lane(_Table):
    """A way that changes take into an environment: its stages, in order."""

    name: str = Field(description="Referred to by environments.")
    stages: tuple[Literal["commit", "build", "pin", "hydrate", "promote", "sync", "healthy", "live"], ...] = (
        Field(description="Stages a change passes in this lane.")
    )


class Environment(_Table):
    """A place that changes arrive in."""

    name: str = Field(description="What reports call it.")
    lane: str = Field("promoted", description="Name of a lane.")
    cluster: str = Field("", description="The cluster whose Argo CD Applications run it.")
    branch: str = Field("", description="Its active branch, as GitOps Promoter names it.")
    applications: tuple[str, ...] = Field(("*",), description="Globs of Application names that belong to it.")
    pins: tuple[str, ...] = Field(
        (), description="Globs of files whose pins it runs; empty: those below its Applications' folders."
    )


class Service(_Table):
    """Something that is built from one source repository and deployed as an image."""

    name: str = Field(description="What reports call it.")
    repository: str = Field("", description="Name of its source repository.")
    applications: tuple[str, ...] = Field((), description="Globs of Argo CD Application names that run it.")
    pipelines: tuple[str, ...] = Field((), description="Globs of Tekton Pipeline names that build it.")
    images: tuple[str, ...] = Field((), description="Globs of image names, without tag or digest.")
    paths: tuple[str, ...] = Field(
        (), description="Globs of files in its repository that it is built from; empty: all of them."
    )


class Repository(_Table):
    """A git repository: a clone or bare mirror that is there, or a URL of which a mirror is kept."""

    name: str = Field(description="Referred to by services.")
    url: Url = Field("", description="Clone URL without credentials; read unless `path` is given.")
    role: Literal["source", "config"] = Field(
        "source", description="Code, or the desired state of environments."
    )
    path: str = Field("", description="A clone or bare mirror; it is read in place, never changed.")
    branches: tuple[str, ...] = Field(
        (), description="Globs of branches to follow; empty: the default one, and those of environments."
    )
    since: date | None = Field(None, description="Day, UTC, before which history is not landed.")
    pins: tuple[str, ...] = Field(
        ("*release-pins/*", "*kustomization.y*ml", "*values*.y*ml"),
        description="Globs of files that pin images; `helm_values:GLOB`, `kustomize:GLOB` or"
        " `release_pins:GLOB` where the format does not show.",
    )
    token_variable: str = Field("", description="Environment variable that holds a token for its https URL.")
    web_url: WebUrl = Field("", description="Its web page; reports link commits to /commit/SHA below it.")


class Database(_Table):
    """A Postgres database with the tables of a benchmark plane, or with activity events."""

    name: str = Field(description="What reports call it.")
    cluster: str = Field("", description="The cluster whose runs it tells of.")
    dsn_variable: str = Field(description="Environment variable that holds its connection string.")
    session_events: bool = Field(
        default=False, description="Whether to read session_events, which is far larger than everything else."
    )
    overlap_seconds: int = Field(
        900, ge=0, description="How far before the end of the last run logs are read again."
    )


class Inventory(_Table):
    """A deployment inventory over HTTP: what each environment runs, as the hub sees it."""

    name: str = Field(description="What reports call it.")
    url: Url = Field(description="URL of its JSON, without credentials.")
    token_variable: str = Field("", description="Environment variable that holds its bearer token.")


class Prometheus(_Table):
    """A Prometheus server, or what speaks its API."""

    name: str = Field(description="What reports call it.")
    cluster: str = Field("", description="The cluster whose metrics it holds.")
    url: Url = Field(description="URL below which /api/v1/query_range is, without credentials.")
    token_variable: str = Field("", description="Environment variable that holds its bearer token.")
    step_seconds: int = Field(60, ge=1, description="Distance of samples.")
    selectors: tuple[str, ...] = Field(
        (),
        description="PromQL selectors of the series to land; none: Kueue, Argo CD, Tekton, Promoter, nodes.",
    )


class TektonResults(_Table):
    """A Tekton Results API: runs that the cluster itself has pruned."""

    cluster: str = Field(description="The cluster whose runs it keeps.")
    url: Url = Field(description="URL below which /apis/results.tekton.dev is, without credentials.")
    parent: str = Field("-", description="Namespace whose results are read; `-` for all.")
    token_variable: str = Field("", description="Environment variable that holds its bearer token.")


class Settings(BaseSettings):
    """Everything that is configured; relative paths count from the folder of gitopslab.toml."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="GITOPSLAB_", env_nested_delimiter="__"
    )

    lake: LakeSettings = LakeSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    reports: ReportSettings = ReportSettings()
    git: GitSettings = GitSettings()
    privacy: PrivacySettings = PrivacySettings()
    watch: WatchSettings = WatchSettings()
    clusters: tuple[Cluster, ...] = ()
    lanes: tuple[Lane, ...] = ()
    environments: tuple[Environment, ...] = ()
    services: tuple[Service, ...] = ()
    repositories: tuple[Repository, ...] = ()
    databases: tuple[Database, ...] = ()
    inventories: tuple[Inventory, ...] = ()
    prometheus: tuple[Prometheus, ...] = ()
    tekton_results: tuple[TektonResults, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let environment variables win over the file's values: no `.env`, no secrets folder."""
        return env_settings, init_settings

    def cluster(self, name: str) -> Cluster:
        """Return the cluster called `name`; one that is not configured has a name only."""
        return next((c for c in self.clusters if c.name == name), Cluster(name=name))


def find(folder: Path | None = None) -> Path | None:
    """Return the file that GITOPSLAB_CONFIG names, or gitopslab.toml in `folder` or nearest above, if any.

    Args:
        folder: Where to look, whatever GITOPSLAB_CONFIG says; by default here.
    """
    if folder is None and (named := os.environ.get("GITOPSLAB_CONFIG")):
        return Path(named)
    start = (folder or Path.cwd()).resolve()
    return next((p / FILE for p in (start, *start.parents) if (p / FILE).is_file()), None)


def load(path: Path | None = None) -> Settings:
    """Return the settings of the file at `path`, or of the one `find()` finds, or the defaults.

    Relative paths in it are made absolute, so that they mean the same wherever a notebook runs.

    Raises:
        SettingsError: The file is not TOML, a key is unknown, or a value does not fit.
    """
    file = path or find()
    if file is not None and not file.is_file():
        raise SettingsError(f"{file}: no such file; `gitopslab init` writes one")
    values = _toml(file) if file else {}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(f"{file or 'environment'}: {_first_problem(error)}") from error
    _check_references(settings, file)
    return _absolute(settings, file.parent.resolve() if file else Path.cwd())


def _toml(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not TOML: {error}") from error


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {key}; `gitopslab init --print` shows every key there is"
    return f"{key}: {first['msg']}"


_NAMED = (
    "clusters",
    "lanes",
    "environments",
    "services",
    "repositories",
    "databases",
    "inventories",
    "prometheus",
)


def _check_references(settings: Settings, file: Path | None) -> None:
    lanes = {lane.name for lane in settings.lanes}
    clusters = {cluster.name for cluster in settings.clusters}
    for kind in _NAMED:
        names = [item.name for item in getattr(settings, kind)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SettingsError(f"{file}: {kind}: {', '.join(twice)} given twice")
    for environment in settings.environments:
        if lanes and environment.lane not in lanes:
            known = ", ".join(sorted(lanes))
            raise SettingsError(
                f"{file}: environment {environment.name}: no lane {environment.lane!r}; there are: {known}"
            )
        if environment.cluster and environment.cluster not in clusters:
            known = ", ".join(sorted(clusters)) or "none"
            what = f"environment {environment.name}: no cluster {environment.cluster!r}"
            raise SettingsError(f"{file}: {what}; there are: {known}")


def _absolute(settings: Settings, folder: Path) -> Settings:
    lake = settings.lake
    if "://" not in lake.path:
        lake = lake.model_copy(update={"path": str(folder / lake.path)})
    warehouse = settings.warehouse.model_copy(update={"path": folder / settings.warehouse.path})
    reports = settings.reports.model_copy(update={"path": folder / settings.reports.path})
    git = settings.git.model_copy(update={"path": folder / settings.git.path})
    repositories = tuple(
        each.model_copy(update={"path": str(folder / each.path)}) if each.path else each
        for each in settings.repositories
    )
    places = {"lake": lake, "warehouse": warehouse, "reports": reports, "git": git}
    return settings.model_copy(update=places | {"repositories": repositories})
