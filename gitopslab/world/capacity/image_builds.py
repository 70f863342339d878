"""Builds of environments' images as the application keeps them: those there are, and one a run waits for."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gitopslab.world.capacity.models import Task, base_commit
from gitopslab.world.capacity.runs import nanoid
from gitopslab.world.clock import DAY
from gitopslab.world.emit.rows import ImageBuild, ImageBuildEvent
from gitopslab.world.random import hexadecimal

_STEPS = (
    ("build_queued", 0.0),
    ("pipelinerun_created", 0.02),
    ("task_started", 0.05),
    ("task_succeeded", 0.82),
    ("image_pushed", 0.85),
    ("digest_captured", 0.86),
    ("validation_started", 0.87),
    ("validation_succeeded", 0.98),
    ("build_succeeded", 1.0),
)
"""Events of a build that succeeds, and when, as shares of its time."""


_BUILD_SECONDS = 1500.0


def image_build_rows(
    run_id: str, task: Task, started_at: float, ended_at: float
) -> Iterator[ImageBuild | ImageBuildEvent]:
    """Yield a finished build of the environment of `task`, and its events."""
    key = _environment_key(task)
    build = _build(task, hexadecimal(64, "environment", run_id, key), started_at, ended_at)
    yield build
    for event_type, share in _STEPS:
        at = started_at + share * (ended_at - started_at)
        yield ImageBuildEvent(
            id=nanoid("build-event", build.id, event_type),
            build_id=build.id,
            environment_key=key,
            event_key=event_type,
            event_type=event_type,
            pipeline_run_name=build.pipeline_run_name,
            pipeline_run_namespace="tekton-pipelines",
            event_timestamp=at,
            created_at=at,
            updated_at=at,
        )


def ready_image_rows(tasks: Iterable[Task], now: float) -> Iterator[ImageBuild]:
    """Yield a validated build for the very commit of each task, which was over a day before `now`."""
    for task in tasks:
        commit = base_commit(task)
        ended_at = now - DAY
        build = _build(task, hexadecimal(64, "environment", commit), ended_at - _BUILD_SECONDS, ended_at)
        yield replace(build, base_commit=commit)


def _environment_key(task: Task) -> str:
    return f"{task.repository.replace('/', '__')}-4.2"


def _build(task: Task, spec_hash: str, started_at: float, ended_at: float) -> ImageBuild:
    shares = dict(_STEPS)
    return ImageBuild(
        id=nanoid("build", spec_hash),
        dataset="princeton-nlp/SWE-bench_Verified",
        suite="SWE-bench_Verified",
        repo=task.repository,
        version="4.2",
        environment_setup_commit=hexadecimal(40, "setup", task.repository),
        environment_key=_environment_key(task),
        env_spec_hash=spec_hash,
        status="validated",
        sandbox_image=f"ghcr.io/example/swe-env:{spec_hash[:12]}",
        digest=f"sha256:{hexadecimal(64, 'image', spec_hash)}",
        image_name="ghcr.io/example/swe-env",
        image_tag=spec_hash[:12],
        validation_status="succeeded",
        pipeline_run_name=f"swe-env-{spec_hash[:12]}",
        requested_at=started_at,
        started_at=started_at + shares["pipelinerun_created"] * (ended_at - started_at),
        completed_at=ended_at,
        built_at=started_at + shares["image_pushed"] * (ended_at - started_at),
        created_at=started_at,
        updated_at=ended_at,
    )
