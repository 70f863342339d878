"""Figures of a page are drawn when they are about to be seen, and all of them on paper."""

import json
import re

import pandas as pd
import pytest

from gitopslab import charts
from gitopslab.metrics import lead_time, waterfall
from gitopslab.reports import page
from tests.chromium import document, needs_chromium
from tests.delivered import START, change, changes

ABOUT = page.About("lead_time", "", "b1", "2026-05-15 06:00 UTC", {}, "0.1.0")
SCREEN = "window-size=800,600"


def cell_of(figure: dict) -> dict:
    output = {
        "output_type": "display_data",
        "data": {"application/vnd.plotly.v1+json": figure},
        "metadata": {},
    }
    return {"cell_type": "code", "metadata": {}, "source": "", "outputs": [output]}


def section(name: str, height: int = 2_000) -> tuple[dict, dict]:
    bars = {"data": [{"type": "bar", "name": name, "y": [1]}], "layout": {"height": height}}
    return {"cell_type": "markdown", "metadata": {}, "source": f"## {name}"}, cell_of(bars)


def page_of(*names: str, **given) -> str:
    return page.render({"cells": [cell for name in names for cell in section(name, **given)]}, ABOUT)


def drawn(text: str, folder, anchor: str = "", *flags: str) -> list[bool]:
    """Return of each figure of a page, from the top, whether a browser drew it."""
    file = folder / "page.html"
    file.write_text(text)
    left = document(f"{file.as_uri()}{anchor}", folder, *(flags or (SCREEN,)))
    places = left.partition("<main>")[2].split('class="figure output')[1:]
    return ['class="main-svg"' in place.partition("figure-data")[0] for place in places]


def with_script(text: str, script: str) -> str:
    """Return a page that also does what a person would do, which its policy would not let a script do."""
    return text.replace("Content-Security-Policy", "none").replace(
        "</body>", f"<script>{script}</script></body>"
    )


def test_the_place_of_a_figure_is_as_high_as_the_figure():
    places = re.findall(
        r'<div class="figure output" style="min-height:(\w+)">', page_of("a", "b", height=120)
    )

    assert places == ["120px", "120px"]


def test_a_figure_that_names_no_height_has_one():
    text = page.render({"cells": [cell_of({"data": [], "layout": {}})]}, ABOUT)

    assert "min-height:380px" in text
    assert '"layout":{"height":380}' in text


def test_a_page_of_fifty_thousand_changes_stays_small():
    count = 50_000
    rows = pd.concat(
        [changes(*(change(str(n), 60.0 * (n + 1), service=f"s{n % 40}") for n in range(500)))] * 100
    )
    rows = rows.assign(
        sha=[f"{n:040x}" for n in range(count)], at=START + pd.to_timedelta(range(count), "min")
    )
    figures = (
        charts.lead_time_trend([], rows, []),
        charts.survival_curves(lead_time.curves(rows)),
        charts.durations_by_group(rows, seconds="lead_seconds", by="service"),
        charts.counts_by_day(rows, at="at", by="service"),
        charts.change_waterfall(waterfall.waterfall(rows)),
    )
    cells = [cell_of(json.loads(each.to_json())) for each in figures]

    text = page.render({"cells": cells}, ABOUT)

    assert len(text) < 6_000_000
    assert sum(map(len, re.findall(r'class="figure-data">(.*?)</script>', text))) < 200_000


@needs_chromium
@pytest.mark.slow
def test_what_is_further_away_than_a_screen_is_not_drawn_until_it_is_scrolled_to(tmp_path):
    text = page_of("a", "b", "c", "d")

    assert drawn(text, tmp_path) == [True, False, False, False]
    assert drawn(text, tmp_path, "#section-d") == [True, False, True, True]
    assert drawn(text, tmp_path, "", "window-size=800,9000") == [True, True, True, True]


@needs_chromium
@pytest.mark.slow
def test_all_of_them_are_drawn_for_paper(tmp_path):
    text = with_script(page_of("a", "b", "c"), "dispatchEvent(new Event('beforeprint'))")

    assert drawn(text, tmp_path) == [True, True, True]


@needs_chromium
@pytest.mark.slow
def test_all_of_them_are_drawn_at_once_by_a_browser_that_cannot_tell_where_it_is(tmp_path):
    text = page_of("a", "b").replace("Content-Security-Policy", "none")
    old = text.replace("</main>", "</main><script>delete window.IntersectionObserver</script>", 1)

    assert drawn(old, tmp_path) == [True, True]


@needs_chromium
@pytest.mark.slow
def test_a_folded_figure_is_drawn_when_its_fold_opens(tmp_path):
    figure = re.compile(r'<div class="figure.*?</script>', re.DOTALL)
    text = figure.sub(r"<details>\g<0></details>", page_of("a", height=200))

    assert drawn(text, tmp_path) == [False]
    opened = with_script(text, "document.querySelector('details').open = true")
    assert drawn(opened, tmp_path) == [True]
