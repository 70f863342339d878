"""Stories on a page: a commit leads to what became of it, and nothing that it says is more than text."""

import pytest

from gitopslab.metrics.change_story import stories
from gitopslab.reports import markup, page
from gitopslab.reports.stories import Stories, ToldChange
from gitopslab.tables import Fold, Sentences, Table
from tests.chromium import document, needs_chromium
from tests.test_change_story import change, link
from tests.test_page import Tags

SHA = "a1" * 20
HOSTILE = "</summary></details><script>document.title='ran'</script><img src=x onerror=alert(1)>"


def told(subject: str = "fix: it", address: str = "", *environments: str) -> ToldChange:
    rows = [change(sha=SHA, environment=name) for name in environments or ("dev",)]
    links = [link("pin", 5, sha=SHA, rule="digest", evidence="stacks:images.yaml", confidence=0.9)]
    return ToldChange("app", SHA, subject, stories(rows, links), address)


def shown(each: ToldChange) -> str:
    return markup.from_html(Stories((each,))._repr_html_())


def test_a_commit_leads_to_its_story_where_that_is_told():
    known = Stories((told(),))

    assert (
        Table(("commit",), ((known.link(SHA),),))._repr_html_().count('<a href="#change-a1a1a1a1a1a1">') == 1
    )
    assert known.link("b2" * 20) == "b2b2b2b2b2b2"
    assert '<div id="change-a1a1a1a1a1a1">' in shown(told())


def test_a_story_holds_every_step_with_rule_evidence_and_confidence_and_what_is_not_known():
    said = shown(told())

    assert "api in dev: in_flight, confidence 1." in said
    assert "<td>pin</td><td></td><td>digest</td>" in said
    assert '<td class="number">0.9</td><td>stacks:images.yaml</td>' in said
    assert "The link of pin is of confidence 0.9, by digest." in said


def test_of_very_many_places_some_are_told_and_the_rest_is_counted():
    said = shown(told("fix: it", "", *(f"e{place}" for place in range(10))))

    assert said.count("<table>") == 8
    assert "2 more services and environments are not shown." in said


def test_a_story_leads_to_the_commit_in_the_web_and_gives_nothing_away_there():
    said = shown(told("fix: it", f"https://example.org/app/commit/{SHA}"))

    assert f'<a href="https://example.org/app/commit/{SHA}" rel="noopener noreferrer">app {SHA}</a>' in said
    assert "<a" not in shown(told())


@pytest.mark.parametrize("address", ["javascript:alert(1)", 'https://x" onclick="alert(1)'])
def test_what_a_commit_says_is_text(address):
    said = shown(told(HOSTILE, address))

    tags = Tags(said)
    assert not {"script", "img"} & tags.names
    assert {name for name, _ in tags.attributes} <= {"class", "href", "id", "rel"}
    assert "javascript:" not in said
    assert "&lt;script&gt;" in said


def test_a_page_without_changes_says_so():
    assert repr(Stories(())) == "There is no change to tell of."


def test_stories_are_told_to_programs_in_sentences():
    assert Stories((told("fix: it", "https://example.org/app/commit/a1"),)).findings() == [
        {
            "repository": "app",
            "sha": SHA,
            "subject": "fix: it",
            "web_url": "https://example.org/app/commit/a1",
            "stories": ["api in dev: in_flight, confidence 1."],
        }
    ]


@needs_chromium
@pytest.mark.slow
def test_a_link_opens_the_folds_around_what_it_leads_to(tmp_path):
    inner = Fold("inner", (Sentences(("text",)),), "change-a1")
    output = {"output_type": "display_data", "data": {"text/html": Fold("outer", (inner,))._repr_html_()}}
    cell = {"cell_type": "code", "metadata": {}, "source": "", "outputs": [output]}
    about = page.About("lead_time", "", "b1", "2026-05-15 06:00 UTC", {}, "0.1.0")
    file = tmp_path / "page.html"
    file.write_text(page.render({"cells": [cell]}, about))

    assert document(file.as_uri(), tmp_path).count("<details open") == 0
    assert document(f"{file.as_uri()}#change-a1", tmp_path).count("<details open") == 2
