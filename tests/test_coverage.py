"""Coverage: what was watched, looked at, refused and lost, from rows to the terminal and a page."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitopslab import charts, reports, settings
from gitopslab.extract.landing import Landing
from gitopslab.extract.run import Origin, Refusal
from gitopslab.lake import Lake
from gitopslab.metrics import observation, observed_platform, retention
from gitopslab.metrics.observation import Kind, Observation
from gitopslab.resources import EXTRACTED
from gitopslab.warehouse import Warehouse, build
from gitopslab.window import Window

DAY = timedelta(days=1)
START = datetime(2026, 5, 1, tzinfo=UTC)
WINDOW = Window(START, START + 10 * DAY)
APPLICATIONS = ("argoproj.io", "applications")
WORKLOADS = ("kueue.x-k8s.io", "workloads")
EXPECTED = (APPLICATIONS, WORKLOADS)
PROMOTIONS_IN_GIT = (
    "Promotions into dev before 2026-05-03 00:00 UTC are known only from git:"
    " GitOps Promoter keeps the last five."
)


def stretch(state: str, first_day: float, last_day: float, **more) -> dict:
    """A stretch of the kind of every test, by days after the start."""
    times = {"since": START + first_day * DAY, "until": START + last_day * DAY}
    return {"state": state, "look_count": 1, "longest_pause_seconds": 0.0, "message": None, **times, **more}


def observed(*stretches: dict, ever: dict | None = None) -> Observation:
    return observation.observation(Kind("dev", *APPLICATIONS), stretches, ever or {}, WINDOW)


@pytest.mark.parametrize(
    ("stretches", "said"),
    [
        ([stretch("list", 0, 0), stretch("watch", 0, 10)], "watched"),
        ([stretch("watch", 0, 10 - 0.01)], "watched"),  # the last quarter of an hour is not noted yet
        ([stretch("watch", 0, 4), stretch("watch", 6, 10)], "watched but for 2 d"),
        (
            [stretch("watch", 0, 4), stretch("gap", 4, 4.001), stretch("watch", 4.001, 10)],
            "watched but for 1 min 26 s, 1 break",
        ),
        ([stretch("watch", 0, 10), stretch("gap", 4, 6)], "watched but for 2 d, 1 break"),
        ([stretch("list", 3, 3)], "polled once"),
        (
            [
                stretch("list", 0, 2, look_count=577, longest_pause_seconds=300.0),
                stretch("list", 3, 4, look_count=289, longest_pause_seconds=300.0),
            ],
            "polled 866 times, up to 1 d apart",
        ),
        ([stretch("file", 0, 9)], "from files"),
        ([stretch("refused", 1, 1)], "refused"),
        ([stretch("refused", 1, 1), stretch("list", 2, 2)], "polled once"),
        ([stretch("list", 2, 2), stretch("unreachable", 3, 3)], "unreachable"),
        ([stretch("not_served", 0, 0)], "not served"),
        ([], "never looked at"),
    ],
)
def test_one_cell_says_how_a_kind_was_seen(stretches, said):
    assert str(observed(*stretches)) == said


def test_files_that_held_nothing_but_watch_events_are_the_files_of_a_watch():
    whole = {"version_count": 7, "watched_version_count": 7}

    assert str(observed(stretch("file", 0, 9), ever=whole)) == "files of a watch"
    assert str(observed(stretch("file", 0, 9), ever=whole | {"version_count": 8})) == "from files"


def test_a_kind_that_was_seen_before_the_window_is_not_one_that_never_was():
    seen = {"version_count": 1, "watched_version_count": 0, "last_observed_at": START - DAY}

    assert str(observed(ever=seen)) == "not since 2026-04-30"


@pytest.mark.parametrize(
    ("group", "is_kubernetes", "name"),
    [
        ("tekton.dev", True, "things.tekton.dev"),
        ("", True, "things"),
        ("batch", True, "things.batch"),
        ("git", False, "git things"),
        ("postgres", False, "postgres things"),
    ],
)
def test_a_group_without_a_dot_that_is_not_one_of_kubernetes_is_another_system(group, is_kubernetes, name):
    kind = Kind("x", group, "things")

    assert (kind.is_kubernetes, kind.name) == (is_kubernetes, name)


class Answers:
    """Rows by the name of the query that they answer; none for the others."""

    def __init__(self, **rows: list[dict]) -> None:
        self.rows = rows

    def run(self, name: str, **_: object) -> "Answers.Rows":
        return self.Rows(self.rows.get(name, []))

    class Rows(list):
        def dicts(self) -> list[dict]:
            return list(self)


def of(cluster: str, kind: tuple[str, str], row: dict) -> dict:
    return {"cluster": cluster, "api_group": kind[0], "resource": kind[1], **row}


def platform(*stretches: dict, clusters=("dev",), **more: list[dict]) -> observed_platform.Platform:
    answers = Answers(
        coverage_stretches_in_window=list(stretches),
        known_clusters=[{"cluster": name} for name in clusters],
        **more,
    )
    return observed_platform.observe(answers, WINDOW, EXPECTED)


def test_the_first_sentence_says_what_can_be_trusted_and_what_cannot():
    seen = platform(
        of("hub", APPLICATIONS, stretch("watch", 0, 10)),
        of("hub", WORKLOADS, stretch("not_served", 0, 0)),
        of("dev", APPLICATIONS, stretch("watch", 0, 9)),
        of("dev", WORKLOADS, stretch("list", 0, 0)),
        of("dark", ("", ""), stretch("unreachable", 0, 0)),
        clusters=("hub", "dev", "dark"),
    )

    assert str(seen) == (
        "Of 5 kinds in 3 clusters, from 2026-05-01 00:00 to 2026-05-11 00:00 UTC: 1 was watched without a"
        " break, and what is said of them is whole; 1 was watched with breaks, in which anything may have"
        " happened; 1 was only looked at or read from files, so that counts of them are lower bounds; 2 are"
        " not known at all."
        " Not known: 2 unreachable. Nothing at all is known of dark."
    )
    assert seen.matrix() == [
        ("applications.argoproj.io", "unreachable", "watched but for 1 d", "watched"),
        ("workloads.kueue.x-k8s.io", "unreachable", "polled once", "not served"),
    ]


def test_a_kind_that_nobody_asked_for_is_listed_as_such():
    assert platform().matrix() == [
        ("applications.argoproj.io", "never looked at"),
        ("workloads.kueue.x-k8s.io", "never looked at"),
    ]


def test_that_there_is_no_cluster_at_all_is_said():
    assert str(platform(clusters=())).startswith("Nothing is known of 2026-05-01 00:00 to")


def test_a_kind_that_no_cluster_serves_is_named_below_and_has_no_row():
    seen = platform(of("dev", WORKLOADS, stretch("not_served", 0, 0)))

    assert [row[0] for row in seen.matrix()] == ["applications.argoproj.io"]
    assert seen.unserved() == "Served by no cluster: workloads.kueue.x-k8s.io."


def test_gaps_of_many_kinds_at_one_time_are_one_break_and_the_longest_comes_first():
    seen = platform(
        of("dev", APPLICATIONS, stretch("gap", 1, 2)),
        of("dev", APPLICATIONS, stretch("gap", 4, 8, message="410 Gone")),
        of("dev", WORKLOADS, stretch("gap", 4, 8, message="410 Gone")),
    )

    assert [(each.seconds / 86_400, each.kind_count, each.message) for each in seen.breaks] == [
        (4, 2, "410 Gone"),
        (1, 1, ""),
    ]


def test_what_failed_alike_is_one_row():
    refused = stretch("refused", 0, 0, message="dev: grant `list`")
    seen = platform(
        of("dev", APPLICATIONS, refused),
        of("dev", WORKLOADS, refused),
        of("runs", ("postgres", "runs"), stretch("unreachable", 0, 0, message="no answer")),
    )

    assert seen.failures() == [
        ("dev", "refused", "applications.argoproj.io, workloads.kueue.x-k8s.io", "dev: grant `list`"),
        ("runs", "unreachable", "postgres runs", "no answer"),
    ]


def test_what_a_kind_forgets_is_said_where_it_was_not_watched_whole():
    seen = platform(
        of("dev", APPLICATIONS, stretch("watch", 0, 10)),
        of("dev", WORKLOADS, stretch("list", 0, 0)),
    )

    [(kind, clusters, lost, elsewhere)] = seen.forgotten()
    assert (kind, clusters) == ("workloads", "dev")
    assert "admissions and evictions between two looks" in lost
    assert "Prometheus" in elsewhere


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        (
            {"source": "Promoter history", "known_since": START + 2 * DAY, "forgotten_count": None},
            [PROMOTIONS_IN_GIT],
        ),
        (
            {"source": "Argo CD history", "known_since": START, "forgotten_count": 1},
            ["Argo CD forgot 1 sync of dev before anybody looked."],
        ),
        ({"source": "Argo CD history", "known_since": START + 5 * DAY, "forgotten_count": 0}, []),
    ],
)
def test_where_a_history_begins_is_a_sentence(edge, said):
    assert retention.history_limits([edge | {"environment": "dev"}], WINDOW) == said


def test_a_timeline_has_a_colour_a_state_and_a_row_a_kind_of_a_cluster():
    seen = platform(
        of("dev", APPLICATIONS, stretch("watch", 0, 4)),
        of("dev", APPLICATIONS, stretch("gap", 4, 4, message="<b>410</b>")),
        of("hub", APPLICATIONS, stretch("not_served", 0, 10)),
    )
    figure = charts.coverage_timeline(seen.stretches, seen.rows(), WINDOW)
    bars = {bar.name: bar for bar in figure.data if bar.name}

    assert seen.rows() == [("dev", "applications.argoproj.io")]
    assert bars.keys() == {"watched", "gap"}
    assert figure.layout.yaxis.ticktext == ("<b>dev</b>", "applications.argoproj.io")
    assert set(bars["watched"].y) == set(bars["gap"].y) == {-1}
    assert bars["watched"].x[0] == 4 * 86_400_000
    assert bars["gap"].x[0] == 10 * 86_400_000 / 400  # as wide as can be seen
    assert "<b>410" not in figure.to_json()


def test_a_timeline_of_nothing_says_so():
    [note] = charts.coverage_timeline((), (), WINDOW).layout.annotations

    assert note.text == "Nothing to draw."


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> settings.Settings:
    """Two clusters and a repository: dev watched with a gap, hub out of reach, one piece unreadable."""
    folder: Path = tmp_path_factory.mktemp("coverage")
    (folder / "gitopslab.toml").write_text('[[clusters]]\nname = "dev"\n[[clusters]]\nname = "hub"\n')
    configured = settings.load(folder / "gitopslab.toml")
    lake = Lake(configured.lake.path)

    def row(kind: tuple[str, str], state: str, first_day: float, last_day: float, message: str = "") -> dict:
        times = {"since": START + first_day * DAY, "until": START + last_day * DAY}
        named = {"api_group": kind[0], "resource": kind[1], "state": state, "message": message}
        return {**named, **times, "object_count": None, "source": "test"}

    with Landing(lake, Origin("kubernetes", "dev", "watch")) as landing:
        landing.cover(
            [
                row(APPLICATIONS, "watch", 0, 4),
                row(APPLICATIONS, "gap", 4, 6, "410 Gone"),
                row(APPLICATIONS, "watch", 6, 10),
                row(WORKLOADS, "watch", 0, 10),
            ]
        )
        landing.reject([Refusal("watch", 3, "invalid_json", "not JSON", "{<script>alert(1)</script>")])
    with Landing(lake, Origin("kubernetes", "hub", "watch")) as landing:
        landing.cover([row(("", ""), "unreachable", 0, 0, "hub: no answer from the API server")])
    with Landing(lake, Origin("git", "stacks", "read")) as landing:
        landing.cover([row(("git", "commits"), "read", 9, 9)])
    build(configured)
    return configured


TIMES = ("--since", "10d", "--until", "2026-05-11")


@pytest.fixture
def coverage_of(project, monkeypatch):
    def call(*arguments: str) -> str:
        monkeypatch.chdir(project.warehouse.path.parents[1])
        command = [sys.executable, "-m", "gitopslab", "coverage", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return call


def test_the_command_prints_what_can_be_trusted_then_kinds_by_clusters(coverage_of):
    out = coverage_of(*TIMES)

    assert out.startswith(f"Of {2 * len(EXTRACTED)} kinds in 2 clusters, from 2026-05-01 00:00 to 2026-05-11")
    assert " UTC: 1 was watched without a break" in out
    assert "watched but for 2 d, 1 break" in out
    assert "410 Gone" in out
    assert "hub: no answer from the API server" in out
    assert "git" in out
    assert "pieces of input that could not be read" in out


def test_the_command_prints_everything_as_json(coverage_of):
    found = json.loads(coverage_of(*TIMES, "--json"))
    states = {(kind["cluster"], kind["resource"]): kind["state"] for kind in found["kinds"]}

    assert states["dev", "workloads"] == "watched"
    assert states["dev", "applications"] == "watched with breaks"
    assert states["hub", "applications"] == "unreachable"
    assert states["dev", "taskruns"] == "never looked at"
    assert found["window"] == {"since": "2026-05-01T00:00:00Z", "until": "2026-05-11T00:00:00Z"}
    assert [(each["since"], each["until"]) for each in found["breaks"]] == [
        ("2026-05-05T00:00:00Z", "2026-05-07T00:00:00Z")
    ]
    assert [(each["reason"], each["reject_count"]) for each in found["rejects"]] == [("invalid_json", 1)]


@pytest.mark.slow
def test_the_page_says_the_same_and_holds_nothing_that_runs(project):
    with Warehouse(project.warehouse.path) as warehouse:
        expected = str(observed_platform.observe(warehouse, WINDOW, EXPECTED))
    run = reports.render("coverage", {"since": "10d", "as_of": "2026-05-11"}, project, timeout_seconds=300)
    page = run.page.read_text()

    assert expected.startswith("Of 4 kinds")
    assert run.result["headline"].startswith(f"Of {2 * len(EXTRACTED)} kinds in 2 clusters")
    assert run.result["headline"].rstrip(".") in page
    assert "Traceback" not in page
    assert "<script>alert" not in page
    assert {kind["state"] for kind in run.result["kinds"]} >= {
        "watched",
        "watched with breaks",
        "unreachable",
    }
