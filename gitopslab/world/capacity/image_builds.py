"""The build of an environment's image that a benchmark run waits for, as the application keeps it."""

from collections.abc import Iterator

from gitopslab.world.capacity.models import Task
from gitopslab.world.capacity.runs import nanoid
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


def image_build_rows(
    run_id: str, task: Task, started_at: float, ended_at: float
) -> Iterator[ImageBuild | ImageBuildEvent]:
    """Yield a finished build of the environment of `task`, and its events."""
    key = f"{task.repository.replace('/', '__')}-4.2"
    spec_hash = hexadecimal(64, "environment", run_id, key)
    build_id = nanoid("build", spec_hash)
    pipeline_run = f"swe-env-{spec_hash[:12]}"
    times = [started_at + share * (ended_at - started_at) for _, share in _STEPS]
    yield ImageBuild(
        id=build_id,
        dataset="princeton-nlp/SWE-bench_Verified",
        suite="SWE-bench_Verified",
        repo=task.repository,
        version="4.2",
        environment_setup_commit=hexadecimal(40, "setup", task.repository),
        environment_key=key,
        env_spec_hash=spec_hash,
        status="validated",
        sandbox_image=f"ghcr.io/example/swe-env:{spec_hash[:12]}",
        digest=f"sha256:{hexadecimal(64, 'image', spec_hash)}",
        image_name="ghcr.io/example/swe-env",
        image_tag=spec_hash[:12],
        validation_status="succeeded",
        pipeline_run_name=pipeline_run,
        requested_at=started_at,
        started_at=times[1],
        completed_at=ended_at,
        built_at=times[4],
        created_at=started_at,
        updated_at=ended_at,
    )
    for (event_type, _), at in zip(_STEPS, times, strict=True):
        yield ImageBuildEvent(
            id=nanoid("build-event", build_id, event_type),
            build_id=build_id,
            environment_key=key,
            event_key=event_type,
            event_type=event_type,
            pipeline_run_name=pipeline_run,
            pipeline_run_namespace="tekton-pipelines",
            event_timestamp=at,
            created_at=at,
            updated_at=at,
        )
