"""The example platform: six weeks of two services on their way into two environments, as a watcher saw them.

`python -m gitopslab.world.example FOLDER` writes one file of watch events a cluster, with a
gitopslab.toml that fits. The same seed writes the same bytes.
"""

import argparse
import gzip
import hashlib
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Object = dict[str, Any]

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
DAYS = 42
SERVICES = ("workflow-builder", "session-host")
BRANCHES = {"dev": "environments/dev", "staging": "environments/staging"}
AUTHORS = (
    "Ada Byron <ada@example.com>",
    "Grace Murray <grace@example.com>",
    "renovate[bot] <bot@example.com>",
)
SUBJECTS = (
    "fix: retry on a closed stream",
    "feat: page of runs",
    "chore: bump base image",
    "fix: <b>escape</b> names",
)

SETTINGS = """\
[[clusters]]
name = "hub"
role = "hub"

[[clusters]]
name = "dev"

[[clusters]]
name = "staging"

[[lanes]]
name = "promoted"
stages = ["commit", "build", "pin", "hydrate", "promote", "sync", "healthy", "live"]

[[environments]]
name = "dev"
lane = "promoted"
cluster = "dev"
branch = "environments/dev"

[[environments]]
name = "staging"
lane = "promoted"
cluster = "staging"
branch = "environments/staging"
"""


@dataclass
class Watcher:
    """What was seen of one cluster: an event each time an object was written."""

    events: list[tuple[datetime, Object]] = field(default_factory=list)

    def see(self, at: datetime, item: Object, event_type: str = "MODIFIED") -> None:
        """Note that `item` was written at `at`, as it is now."""
        self.events.append((at, json.loads(json.dumps({"type": event_type, "object": item}))))

    def write(self, file: Path) -> None:
        """Write the events in order of time, numbered as the API server numbers versions."""
        with gzip.GzipFile(file, "wb", mtime=0) as stream:
            for number, (at, event) in enumerate(sorted(self.events, key=lambda seen: seen[0]), 1):
                event["object"]["metadata"]["resourceVersion"] = str(100_000 + number)
                line = {
                    "type": event["type"],
                    "observedAt": stamp(at, fraction=True),
                    "object": event["object"],
                }
                stream.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")


class Platform:
    """Two services, built on the hub, promoted to dev and from there to staging."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - numbers for a story, not for a secret
        self.clusters = {name: Watcher() for name in ("hub", *BRANCHES)}
        self.applications = {
            (env, service): self._application(env, service) for env in BRANCHES for service in SERVICES
        }
        self.history: dict[str, list[Object]] = {env: [] for env in BRANCHES}
        self.pull_requests = 0

    def run(self) -> None:
        """Let the six weeks pass."""
        for name, watcher in self.clusters.items():
            watcher.see(
                START, _object("v1", "Namespace", "", "kube-system", _uid("kube-system", name)), "ADDED"
            )
        moment = START
        while moment < START + timedelta(days=DAYS):
            working = moment.weekday() < 5 and 6 <= moment.hour < 18  # noqa: PLR2004 - Friday, and working hours
            moment += timedelta(minutes=self.random.expovariate(1 / (70 if working else 900)))
            self._change(moment, self.random.choice(SERVICES))

    def _change(self, committed_at: datetime, service: str) -> None:
        author, subject = self.random.choice(AUTHORS), self.random.choice(SUBJECTS)
        source_sha = _sha(committed_at, service)
        built_at, is_built = self._build(committed_at, service, source_sha)
        if not is_built:
            return
        dry_sha = _sha(built_at, "dry")
        dry = {
            "sha": dry_sha,
            "commitTime": stamp(built_at),
            "repoURL": "https://github.com/example/stacks",
            "author": author,
            "subject": f"pin {service} to {source_sha[:12]}",
            "body": "",
            "references": [
                {
                    "commit": {
                        "sha": source_sha,
                        "author": author,
                        "subject": subject,
                        "date": stamp(committed_at),
                    }
                }
            ],
        }
        at = built_at
        for env in BRANCHES:
            at = self._promote(env, at + timedelta(seconds=self.random.uniform(30, 200)), dry)
            at, is_healthy = self._sync(env, service, at, self.history[env][0]["active"]["hydrated"]["sha"])
            if not is_healthy:
                return
            at += timedelta(minutes=self.random.uniform(20, 40))

    def _build(self, at: datetime, service: str, sha: str) -> tuple[datetime, bool]:
        hub = self.clusters["hub"]
        run = _object(
            "tekton.dev/v1",
            "PipelineRun",
            "tekton-pipelines",
            f"outer-loop-{service}-{sha[:5]}",
            _uid(sha, "run"),
        )
        created = at + timedelta(seconds=self.random.uniform(2, 9))
        run["metadata"]["creationTimestamp"] = stamp(created)
        run["metadata"]["labels"] = {
            "tekton.dev/pipeline": f"outer-loop-{service}",
            "triggers.tekton.dev/triggers-eventid": _uid(sha, "event"),
        }
        run["spec"] = {
            "pipelineRef": {"name": f"outer-loop-{service}"},
            "params": [{"name": "revision", "value": sha}],
        }
        hub.see(created, run, "ADDED")
        started = created + timedelta(seconds=self.random.uniform(0, 4))
        run["status"] = {
            "startTime": stamp(started),
            "conditions": [_condition("Succeeded", "Unknown", "Running", started)],
        }
        hub.see(started, run)
        ended = started + timedelta(seconds=self.random.gammavariate(6, 30))
        is_built = self.random.random() > 0.06  # noqa: PLR2004 - about one build in sixteen fails
        reason = "Succeeded" if is_built else "Failed"
        run["status"]["completionTime"] = stamp(ended)
        run["status"]["conditions"] = [_condition("Succeeded", str(is_built), reason, ended)]
        if is_built:
            run["status"]["results"] = [
                {"name": "IMAGE_URL", "value": f"ghcr.io/example/{service}:{sha[:12]}"},
                {"name": "IMAGE_DIGEST", "value": f"sha256:{hashlib.sha256(sha.encode()).hexdigest()}"},
            ]
        hub.see(ended, run)
        return ended + timedelta(seconds=self.random.uniform(3, 15)), is_built

    def _promote(self, env: str, at: datetime, dry: Object) -> datetime:
        hub, branch = self.clusters["hub"], BRANCHES[env]
        self.pull_requests += 1
        number = str(self.pull_requests)
        hydrated = {
            "sha": _sha(at, env),
            "commitTime": stamp(at),
            "author": "Argo CD",
            "subject": f"hydrate {dry['sha']}",
            "body": "",
        }
        opened = at + timedelta(seconds=self.random.uniform(5, 40))
        gate = timedelta(seconds=20) if env == "dev" else timedelta(minutes=self.random.gammavariate(2, 25))
        merged = opened + gate + timedelta(seconds=self.random.uniform(5, 60))
        request = _object(
            "promoter.argoproj.io/v1alpha1",
            "PullRequest",
            "promoter",
            f"stacks-{env}-next-{env}",
            _uid(number, "pr"),
        )
        request["spec"] = {
            "title": f"Promote {dry['sha'][:5]} to `{branch}`",
            "sourceBranch": f"{branch}-next",
            "targetBranch": branch,
            "state": "open",
            "mergeSha": hydrated["sha"],
            "gitRepositoryRef": {"name": "stacks"},
        }
        url = f"https://github.com/example/stacks/pull/{number}"
        request["status"] = {"id": number, "state": "open", "prCreationTime": stamp(opened), "url": url}
        hub.see(opened, request, "ADDED")
        request["spec"]["state"] = "merged"
        hub.see(merged, request)
        request["status"]["state"] = "merged"
        request["metadata"]["deletionTimestamp"] = stamp(merged)
        hub.see(merged + timedelta(seconds=1), request)
        hub.see(merged + timedelta(seconds=2), request, "DELETED")
        active = {
            "dry": dry,
            "hydrated": hydrated
            | {"sha": _sha(merged, env), "commitTime": stamp(merged), "subject": f"Promote {dry['sha'][:5]}"},
            "commitStatuses": [{"key": "argocd-health", "phase": "success", "url": "", "description": ""}],
        }
        entry = {
            "active": active,
            "proposed": {"hydrated": hydrated, "commitStatuses": []},
            "pullRequest": {
                "id": number,
                "url": url,
                "prCreationTime": stamp(opened),
                "prMergeTime": stamp(merged),
            },
        }
        self.history[env] = [entry, *self.history[env]][:5]
        hub.see(merged + timedelta(seconds=3), self._strategy(merged))
        return merged

    def _strategy(self, at: datetime) -> Object:
        strategy = _object(
            "promoter.argoproj.io/v1alpha1",
            "PromotionStrategy",
            "promoter",
            "stacks",
            _uid("stacks", "strategy"),
        )
        strategy["spec"] = {
            "gitRepositoryRef": {"name": "stacks"},
            "environments": [{"branch": branch, "autoMerge": True} for branch in BRANCHES.values()],
        }
        strategy["status"] = {
            "conditions": [_condition("Ready", "True", "ReconciliationSuccess", at)],
            "environments": [
                {
                    "branch": branch,
                    "active": self.history[env][0]["active"],
                    "proposed": self.history[env][0]["active"],
                    "history": self.history[env],
                }
                for env, branch in BRANCHES.items()
                if self.history[env]
            ],
        }
        return strategy

    def _application(self, env: str, service: str) -> Object:
        application = _object("argoproj.io/v1alpha1", "Application", "argocd", service, _uid(env, service))
        application["metadata"]["creationTimestamp"] = stamp(START)
        application["spec"] = {
            "project": "default",
            "destination": {"name": "in-cluster", "namespace": service},
            "sourceHydrator": {
                "drySource": {
                    "repoURL": "https://github.com/example/stacks",
                    "path": service,
                    "targetRevision": "main",
                },
                "syncSource": {"targetBranch": BRANCHES[env], "path": service},
            },
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        }
        application["status"] = {
            "history": [],
            "health": {"status": "Healthy", "lastTransitionTime": stamp(START)},
        }
        return application

    def _sync(self, env: str, service: str, merged_at: datetime, revision: str) -> tuple[datetime, bool]:
        watcher, application = self.clusters[env], self.applications[env, service]
        status = application["status"]
        started = merged_at + timedelta(seconds=self.random.uniform(2, 120))
        operation = {
            "initiatedBy": {"automated": True},
            "retry": {"limit": 5},
            "sync": {"revision": revision},
        }
        status["sync"] = {"status": "OutOfSync", "revision": revision}
        status["operationState"] = {"phase": "Running", "startedAt": stamp(started), "operation": operation}
        watcher.see(started, application)
        retries = 0 if self.random.random() < 0.9 else self.random.randint(1, 5)  # noqa: PLR2004 - one sync in ten retries
        ended = started + timedelta(seconds=self.random.gammavariate(2, 4) + 35 * retries)
        is_synced = retries < 5  # noqa: PLR2004 - the limit above
        status["operationState"] |= {
            "phase": "Succeeded" if is_synced else "Failed",
            "finishedAt": stamp(ended),
            "retryCount": retries,
            "message": "successfully synced (all tasks run)"
            if is_synced
            else "one or more synchronization tasks failed",
            "syncResult": {"revision": revision, "resources": []},
        }
        if not is_synced:
            watcher.see(ended, application)
            return ended, False
        number = status["history"][-1]["id"] + 1 if status["history"] else 0
        entry = {
            "id": number,
            "revision": revision,
            "deployStartedAt": stamp(started),
            "deployedAt": stamp(ended),
            "initiatedBy": {"automated": True},
            "source": {
                "repoURL": "https://github.com/example/stacks",
                "path": service,
                "targetRevision": BRANCHES[env],
            },
        }
        status["history"] = [*status["history"], entry][-10:]
        status["sync"]["status"] = "Synced"
        status["health"] = {"status": "Progressing", "lastTransitionTime": stamp(ended)}
        status["summary"] = {"images": [f"ghcr.io/example/{service}:{revision[:12]}"]}
        watcher.see(ended, application)
        healthy = ended + timedelta(seconds=self.random.gammavariate(4, 12))
        status["health"] = {"status": "Healthy", "lastTransitionTime": stamp(healthy)}
        watcher.see(healthy, application)
        return healthy, True


def stamp(at: datetime, *, fraction: bool = False) -> str:
    """Return `at` as the API server writes times: whole seconds, unless a watcher's own clock is meant."""
    return at.isoformat(timespec="milliseconds" if fraction else "seconds").replace("+00:00", "Z")


def write(folder: Path, seed: int) -> list[Path]:
    """Write the example platform into `folder` and return the files with its objects."""
    platform = Platform(seed)
    platform.run()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gitopslab.toml").write_text(SETTINGS, encoding="utf-8")
    files = []
    for name, watcher in platform.clusters.items():
        files.append(folder / f"{name}.ndjson.gz")
        watcher.write(files[-1])
    return files


def _object(api_version: str, kind: str, namespace: str, name: str, uid: str) -> Object:
    metadata = {"name": name, "namespace": namespace, "uid": uid} if namespace else {"name": name, "uid": uid}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _condition(condition_type: str, status: str, reason: str, at: datetime) -> Object:
    return {
        "type": condition_type,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": stamp(at),
    }


def _sha(at: datetime, what: str) -> str:
    return hashlib.sha1(f"{at} {what}".encode(), usedforsecurity=False).hexdigest()


def _uid(*parts: str) -> str:
    text = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    write(arguments.folder, arguments.seed)
