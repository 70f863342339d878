"""`gitopslab watch` and `gitopslab extract kubernetes` as people and Kubernetes run them: as processes."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gitopslab.datasets import CHECKPOINTS, COVERAGE, EXTRACT_RUNS, OBJECT_VERSIONS
from gitopslab.lake import Lake
from gitopslab.resources import EXTRACTED

from .apiserver import kubeconfig
from .apiserver.faults import Fault, Trouble
from .apiserver.server import ApiServer
from .apiserver.store import Store
from .apiserver.watches import Behaviour
from .test_reflector import APPLICATIONS, application, coverage, landed, rows, served, until

TOKEN = "t0ken-that-nobody-may-see"  # noqa: S105 - of a server that is gone after the test


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(Store(), behaviour=Behaviour(bookmark_seconds=0.1), token=TOKEN) as running:
        running.store.put(APPLICATIONS, application("app"))
        yield running


@pytest.fixture
def project(tmp_path, monkeypatch, server) -> Path:
    """A project with one live cluster, one that is down, and one of files only."""
    dead = ApiServer(Store()).start()
    kubeconfig.write(tmp_path / "kubeconfig", dev=server, down=dead)
    dead.stop()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    clusters = [("dev", "dev"), ("down", "down"), ("files", "")]
    (tmp_path / "gitopslab.toml").write_text(
        "".join(f'[[clusters]]\nname = "{name}"\ncontext = "{context}"\n' for name, context in clusters)
    )
    return tmp_path


@pytest.fixture
def lake(project) -> Lake:
    return Lake(str(project / "data" / "lake"))


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gitopslab", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(project: Path, *arguments: str) -> tuple[int, str, str]:
    process = start(project, *arguments)
    out, err = process.communicate(timeout=60)
    assert TOKEN not in out + err
    return process.returncode, out, err


def events(err: str) -> list[dict]:
    return [json.loads(line) for line in err.splitlines()]


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_one_list_of_everything_with_a_row_a_kind(project, server, lake):
    code, out, _ = run(project, "extract", "kubernetes", "--cluster", "dev")

    assert code == 0
    assert landed(lake) == served(server)
    assert coverage(lake) == {"list": len(EXTRACTED)}
    assert "cluster dev: 1 objects read, 1 object versions landed" in out


def test_a_dead_cluster_is_exit_code_3_after_the_others_have_landed(project, server, lake):
    code, _, err = run(project, "extract", "kubernetes")

    assert code == 3
    assert "down: no answer from the API server" in err
    assert landed(lake) == served(server)
    assert coverage(lake) == {"list": len(EXTRACTED), "unreachable": len(EXTRACTED)}


def test_a_refused_kind_is_exit_code_3_and_the_rule_to_add(project, server):
    server.faults.add(Fault(Trouble.FORBIDDEN, resource=APPLICATIONS, times=10))

    code, _, err = run(project, "extract", "kubernetes", "-c", "dev")

    assert code == 3
    assert "grant `list` on applications.argoproj.io to this identity" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-c", "nope"), "--cluster nope: no such cluster with a context; there are: dev, down"),
        (("-c", "files"), "--cluster files: no such cluster with a context"),
        (("-r", "secrets"), "resource secrets: Secrets are never read"),
        (("-r", "Application"), "write plural.group"),
    ],
)
def test_what_cannot_be_meant_is_exit_code_2(project, arguments, message):
    for command in (("extract", "kubernetes"), ("watch",)):
        code, _, err = run(project, *command, *arguments)
        assert code == 2
        assert message in err


def test_a_kind_that_was_asked_for_and_is_not_served_is_exit_code_3(project):
    code, _, err = run(project, "extract", "kubernetes", "-c", "dev", "-r", "things.example.com")

    assert code == 3
    assert "/apis/example.com is not served" in err


def test_a_dry_run_asks_nobody(project, server):
    code, out, _ = run(project, "extract", "kubernetes", "--dry-run")

    assert code == 0
    assert "workloads.kueue.x-k8s.io" in out
    assert server.asked == []


def test_a_watch_can_end_when_everything_is_there(project, server, lake):
    code, _, err = run(project, "watch", "-c", "dev", "--once-synced", "--duration", "30")

    assert code == 0
    assert landed(lake) == served(server)
    told = Counter(event["event"] for event in events(err))
    assert told == {"started": 1, "listed": len(EXTRACTED), "ended": 1}


def test_a_cluster_that_stays_away_is_exit_code_3(project):
    code, _, err = run(project, "watch", "-c", "down", "--once-synced", "--duration", "1")

    assert code == 3
    assert "not everything could be listed within 1 seconds" in err


def test_sigterm_ends_a_watch_with_everything_in_the_lake(project, server, lake):
    process = start(project, "watch", "--flush-seconds", "60", "-r", APPLICATIONS)
    told = []
    while not any(event["event"] == "listed" for event in told):
        told += events(process.stderr.readline())
    server.store.put(APPLICATIONS, application("app", last=True))
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 0
    assert time.monotonic() - started < 10
    assert events(err)[-1]["event"] == "ended"
    assert landed(lake) == served(server)
    assert Counter(rows(lake, EXTRACT_RUNS, "cluster", "state"))["dev", "finished"] == 1


@pytest.mark.slow
def test_kill_9_at_any_moment_changes_nothing(project, server, lake):
    number = 0
    for round_number in range(6):
        process = start(project, "watch", "-c", "dev", "--flush-seconds", "0.2", "-r", APPLICATIONS)
        for _ in range(20 + 10 * round_number):
            number += 1
            server.store.put(APPLICATIONS, application(f"app-{number % 7}", number=number))
            time.sleep(0.05)
        until(lambda: bool(rows(lake, CHECKPOINTS, "resource_version")))
        process.kill()
        process.communicate()
    process = start(project, "watch", "-c", "dev", "--flush-seconds", "0.2", "-r", APPLICATIONS)
    last = max(int(version) for _, version in served(server))
    until(lambda: any(int(version) == last for _, version in landed(lake)), 30)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    # What was replaced before the first list, no list can show.
    seen = rows(lake, OBJECT_VERSIONS, "resource_version", "how")
    listed_up_to = max(int(version) for version, how in seen if how == "list")
    there = landed(lake)
    assert len(there) == len(set(there))
    assert [each for each in served(server) if int(each[1]) > listed_up_to and each not in there] == []
    assert coverage(lake)["gap"] == 0
    assert coverage(lake)["list"] == 1


def test_it_says_how_it_is(project, server):
    process = start(
        project, "watch", "--metrics-port", "0", "-r", APPLICATIONS, "-r", "workloads.kueue.x-k8s.io"
    )
    try:
        told = events(process.stderr.readline())
        port = told[0]["port"]
        while not any(event["event"] == "listed" and event["resource"] == APPLICATIONS for event in told):
            told += events(process.stderr.readline())

        assert get(port, "/healthz") == (200, "ok\n")
        assert get(port, "/")[0] == 404
        until(lambda: 'state="watching"' in get(port, "/metrics")[1])
        text = get(port, "/metrics")[1]
        families = {family.name: family for family in text_string_to_metric_families(text)}
    finally:
        process.terminate()
        process.communicate(timeout=30)

    def value(name: str, **labels: str) -> float:
        [found] = [each.value for each in families[name].samples if labels.items() <= each.labels.items()]
        return found

    assert value("gitopslab_object_versions_landed", cluster="dev", resource=APPLICATIONS) == 1
    assert value("gitopslab_lists", cluster="dev", resource=APPLICATIONS) == 1
    assert value("gitopslab_gaps", cluster="dev", resource=APPLICATIONS) == 0
    assert 0 <= value("gitopslab_watch_lag_seconds", cluster="dev", resource=APPLICATIONS) < 30
    assert 0 <= value("gitopslab_unflushed_seconds", cluster="down") < 30


def test_a_port_that_is_taken_is_exit_code_2(project, server):
    code, _, err = run(project, "watch", "--metrics-port", str(server.port))

    assert code == 2
    assert f"port {server.port}: cannot be listened on" in err


def test_every_stretch_of_coverage_is_a_row_of_its_own(project, lake, server):
    for _ in range(2):
        run(project, "watch", "-c", "dev", "--once-synced", "--duration", "30")

    grain = rows(lake, COVERAGE, *COVERAGE.grain)
    assert len(grain) == len(set(grain))
