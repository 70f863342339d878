import json
import os
import re
import socketserver
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gitopslab import database, reports, settings
from gitopslab.reports import folders, markup, page
from gitopslab.reports.result import MIME
from tests import chromium
from tests.chromium import needs_chromium

NOTEBOOKS = Path(__file__).parent / "notebooks"
ABOUT = page.About(
    report="lead_time",
    window="2026-05-01 00:00 to 2026-05-15 00:00 UTC",
    build_id="b1",
    built_at="2026-05-15 06:00 UTC",
    parameters={"environment": "dev", "as_of": ""},
    version="0.1.0",
)
FIGURE = {"application/vnd.plotly.v1+json": {"data": [{"type": "bar", "y": [1]}], "layout": {}}}
SCRIPT = "</script><script>document.title='ran'</script>"

# What Chromium asks for by itself, for the time, its updates and an account, whatever page is open.
THE_BROWSERS_OWN = ("accounts.google.com", "clients2.google.com", "update.googleapis.com")


def markdown(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def shown(data):
    return {"output_type": "display_data", "data": data, "metadata": {}}


def code(*outputs, source=""):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs)}


def page_of(*cells):
    return page.render({"cells": list(cells)}, ABOUT)


def body_of(*cells):
    return page_of(*cells).partition("<main>")[2].partition("</main>")[0].strip()


def test_the_bar_says_title_window_and_build():
    bar = re.sub(
        r"<[^>]+>", " ", page_of(markdown("# How long?")).partition("<header>")[2].partition("</header>")[0]
    )

    assert " ".join(bar.split()) == "How long? 2026-05-01 00:00 to 2026-05-15 00:00 UTC build b1 Show code"


def test_the_foot_says_what_it_was_made_from_and_with():
    foot = re.sub(r"<[^>]+>", " ", page_of().partition("<footer>")[2].partition("</footer>")[0])

    assert " ".join(foot.split()) == (
        "Made by gitopslab 0.1.0 from build b1 of 2026-05-15 06:00 UTC, by notebook lead_time.ipynb with:"
        " environment dev as_of (empty)"
    )


def test_code_is_there_and_hidden_until_asked_for():
    text = page_of(code(source="median(x) < 3"))

    assert '<pre class="code">median(x) &lt; 3</pre>' in text
    assert ".code { display: none;" in text
    assert "body:has(#show-code:checked) .code { display: block; }" in text


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (shown({"text/plain": "a < b"}), '<pre class="output">a &lt; b</pre>'),
        (shown({"text/markdown": "**3** of 4", "text/plain": "x"}), "<p><strong>3</strong> of 4</p>"),
        (shown({"text/html": "<b>3</b>", "text/plain": "x"}), '<div class="output"><b>3</b></div>'),
        (shown({"image/png": "iVBO\nRw0K"}), 'src="data:image/png;base64,iVBORw0K"'),
        (shown({"image/svg+xml": "<svg/>"}), 'src="data:image/svg+xml;base64,PHN2Zy8+"'),
        ({"output_type": "stream", "name": "stdout", "text": ["\x1b[31mred", "\x1b[0m\n"]}, ">red</pre>"),
        (
            {
                "output_type": "error",
                "ename": "ValueError",
                "evalue": "<no>",
                "traceback": ["\x1b[0;31mline 1"],
            },
            '<pre class="output error"><strong>ValueError: &lt;no&gt;</strong>\nline 1</pre>',
        ),
    ],
)
def test_an_output_is_shown_in_its_richest_safe_form(output, expected):
    assert expected in body_of(code(output))


def test_what_is_not_for_readers_is_not_shown():
    warning = {"output_type": "stream", "name": "stderr", "text": "DeprecationWarning"}
    result = shown({MIME: {"headline": "Found."}, "text/plain": "Found."})

    assert body_of(code(warning, result)) == ""


def test_plotly_is_inlined_once_and_only_for_figures():
    two = page_of(code(shown(FIGURE)), code(shown(FIGURE)))

    assert two.count("plotly.js v") == 1
    assert two.count('class="figure output"') == 2
    assert len(page_of(markdown("# None"))) < 20_000


def test_contents_are_listed_from_five_headings_on():
    five = markdown("# Title\n\n## A\n\n### A\n\n## B *b*\n\n## `C`\n\n## D")

    assert "<nav" not in page_of(markdown("# Title\n\n## A\n\n## B\n\n## C\n\n## D"))
    assert re.findall(r'<li class="(.+)"><a href="#(.+)">(.+)</a>', page_of(five)) == [
        ("level-2", "section-a", "A"),
        ("level-3", "section-a-2", "A"),
        ("level-2", "section-b-b", "B b"),
        ("level-2", "section-c", "C"),
        ("level-2", "section-d", "D"),
    ]


def test_a_markdown_table_aligns_numbers_right():
    html = markup.from_markdown("| a | n |\n|:--|--:|\n| x | 1 |", [])

    assert '<th>a</th>\n<th class="number">n</th>' in html
    assert '<td>x</td>\n<td class="number">1</td>' in html


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ('<td class="number">1</td>', '<td class="number">1</td>'),
        ('<td class="number bar">1</td>', "<td>1</td>"),
        ('<p id="show-code" style="position:fixed" onclick="x()">a</p>', "<p>a</p>"),
        ('<a href="https://example.org/">a</a>', '<a href="https://example.org/">a</a>'),
        ('<a rel="noopener noreferrer">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a rel="opener">a</a>', "<a>a</a>"),
        ('<div id="change-0123456789ab">a</div>', '<div id="change-0123456789ab">a</div>'),
        ('<div id="section-a">a</div>', "<div>a</div>"),
        ('<a href="javascript:x()">a</a>', "<a>a</a>"),
        ('<a href="java\nscript:x()">a</a>', "<a>a</a>"),
        ('<a href="data:text/html,x">a</a>', "<a>a</a>"),
        ("<style>td{}</style><p>a</p>", "<p>a</p>"),
        ("<script>x()</script>", "&lt;script&gt;x()&lt;/script&gt;"),
        ("<base href='//x'>", "&lt;base href='//x'&gt;"),
        ("<meta http-equiv=refresh>", "&lt;meta http-equiv=refresh&gt;"),
        ("<svg><style><img onerror=x()></style></svg>", "&lt;svg&gt;&lt;/svg&gt;"),
    ],
)
def test_html_keeps_what_tables_need_and_nothing_else(html, kept):
    if html.startswith("<td"):
        html, kept = (f"<table><tbody><tr>{text}</tr></tbody></table>" for text in (html, kept))

    assert markup.from_html(html) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a <b>b</b>", "<p>a &lt;b&gt;b&lt;/b&gt;</p>"),
        (SCRIPT, "&lt;/script&gt;&lt;script&gt;document.title='ran'&lt;/script&gt;"),
        ("[a](javascript:x())", '<p><a href="#harmful-link">a</a></p>'),
        ("![seen](https://tracker.invalid/p.png)", "<p>seen</p>"),
        ("<javascript:x()>", '<p><a href="#harmful-link">javascript:x()</a></p>'),
        ('# a" onclick="x()', '<h1 id="section-a-onclick-x">a&quot; onclick=&quot;x()</h1>'),
    ],
)
def test_markdown_with_markup_in_a_name_is_text(text, kept):
    assert markup.from_markdown(text, []).strip() in {kept, f"<p>{kept}</p>"}


def test_a_figure_cannot_end_the_element_it_lies_in():
    figure = {"application/vnd.plotly.v1+json": {"data": [{"name": SCRIPT + "<!--"}], "layout": {}}}

    text = page_of(code(shown(figure)))

    data = text.partition('class="figure-data">')[2].partition("</script>")[0]
    assert "<" not in data
    assert json.loads(data)["data"][0]["name"] == SCRIPT + "<!--"


def test_every_field_of_a_page_is_escaped():
    hostile = page.About(SCRIPT, SCRIPT, SCRIPT, SCRIPT, {SCRIPT: SCRIPT}, SCRIPT)

    text = page.render({"cells": [code(source=SCRIPT)]}, hostile)

    assert "<script" not in text


def test_a_page_without_figures_may_run_no_script():
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page_of())[1]

    assert "script-src &#39;none&#39;" in policy
    assert "default-src &#39;none&#39;" in policy


def test_a_page_with_folds_may_run_what_opens_them_and_nothing_else():
    text = page_of(code(shown({"text/html": "<details><summary>a</summary>b</details>"})))

    assert text.count("<script>") == text.count("sha256-") == 1
    assert "hashchange" in text


class Tags(HTMLParser):
    """The tags and attributes of a document, as a browser tells them from text."""

    def __init__(self, document):
        super().__init__()
        self.names = set()
        self.attributes = []
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs if name != "xmlns"]


class Proxy(socketserver.ThreadingTCPServer):
    """Stands in for the network: notes what a browser asks for, and answers nothing."""

    def __init__(self):
        self.asked = []
        super().__init__(("127.0.0.1", 0), Asked)


class Asked(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.asked.append(self.rfile.readline().decode("latin-1").strip())


@pytest.fixture
def network():
    with Proxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


def opened(file, network, folder):
    """Return the document of `file` as a browser leaves it, and what it asked the network for."""
    proxy = f"proxy-server=127.0.0.1:{network.server_address[1]}"
    left = chromium.document(file.as_uri(), folder, proxy, "window-size=800,9000")
    return left, [line for line in network.asked if not any(host in line for host in THE_BROWSERS_OWN)]


@pytest.fixture
def configured(tmp_path):
    file = tmp_path / "gitopslab.toml"
    file.write_text('[warehouse]\npath = "w.duckdb"')
    connection = database.read_write(tmp_path / "w.duckdb")
    connection.execute("CREATE TABLE build AS SELECT 'b1' AS build_id, now() AS built_at")
    connection.close()
    return settings.load(file)


@needs_chromium
@pytest.mark.slow
def test_a_browser_draws_every_figure_and_asks_the_network_for_nothing(configured, network, tmp_path):
    run = reports.render("worked_example", {}, configured, notebooks=NOTEBOOKS)

    document, asked = opened(run.page, network, tmp_path)

    assert len(re.findall(r'<svg class="main-svg"[^>]*><defs id="defs-', document)) == 2
    assert asked == []


@needs_chromium
@pytest.mark.slow
def test_hostile_strings_run_nothing_and_load_nothing(configured, network, tmp_path):
    run = reports.render("hostile", {}, configured, notebooks=NOTEBOOKS)

    document, asked = opened(run.page, network, tmp_path)

    assert "<title>Hostile strings</title>" in document
    assert 'class="main-svg"' in document
    tags = Tags(document)
    assert not {"iframe", "base", "form", "object"} & tags.names
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    links = [value for name, value in tags.attributes if name in {"href", "src"}]
    assert [link.partition(",")[0] for link in links] == ["#harmful-link", "data:image/svg+xml;base64"]
    assert asked == []


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("has_policy", [True, False])
def test_the_policy_is_what_stops_a_script_that_came_through(has_policy, network, tmp_path):
    file = tmp_path / "page.html"
    planted = "<script>document.title='ran'</script><img src='http://tracker.invalid/p.png'></main>"
    text = page_of(markdown("# Title"), code(shown(FIGURE))).replace("</main>", planted, 1)
    file.write_text(text if has_policy else text.replace("Content-Security-Policy", "none", 1))

    document, asked = opened(file, network, tmp_path)

    assert 'class="main-svg"' in document
    assert f"<title>{'Title' if has_policy else 'ran'}</title>" in document
    assert bool(asked) is not has_policy


def put_run(folder, name, made_at, **record):
    path = folder / name
    file = folders.FAILURE_FILE if name.endswith(folders.FAILED) else folders.RESULT_FILE
    folders.publish(path, {file: json.dumps(record)})
    os.utime(path, (made_at, made_at))


def test_the_index_lists_every_run_newest_first(tmp_path):
    put_run(tmp_path, "lead_time/a", 0, headline="Slow.", parameters={"since": "7d"}, build="b1")
    put_run(tmp_path, "envelope/b", 60, headline="Full.", parameters={}, build="b2")
    put_run(tmp_path, "lead_time/c.failed", 120, headline="cell [3]: no rows", parameters={}, build="b2")

    text = reports.write_index(tmp_path).read_text()

    cells = re.findall(r'<a href="(.+)">(.+)</a></td>\n<td.*?>(.+)</td>', text)
    assert cells == [
        ("lead_time/c.failed/lead_time.ipynb", "lead_time", "cell [3]: no rows"),
        ("envelope/b/report.html", "envelope", "Full."),
        ("lead_time/a/report.html", "lead_time", "Slow."),
    ]
    assert "since 7d" in text
    assert "1970-01-01 00:01" in text


def test_the_index_escapes_what_it_lists(tmp_path):
    put_run(tmp_path, "x/a b'&", 0, headline=SCRIPT, parameters={SCRIPT: SCRIPT}, build=SCRIPT)

    text = reports.write_index(tmp_path).read_text()

    assert "<script" not in text
    assert 'href="x/a%20b%27%26/report.html"' in text


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"headline": "x", "parameters": 3, "build": "b"}'])
def test_a_run_that_cannot_be_read_is_listed_as_such(content, tmp_path):
    folders.publish(tmp_path / "lead_time" / "a", {folders.RESULT_FILE: content})

    assert "what it found cannot be read" in reports.write_index(tmp_path).read_text()


def test_the_index_of_no_runs_says_so(tmp_path):
    assert "No report was made here yet" in reports.write_index(tmp_path / "reports").read_text()


def test_a_draft_is_not_listed(tmp_path):
    folders.publish(tmp_path / "lead_time" / ".draft", {folders.RESULT_FILE: "{}"})

    assert "No report was made here yet" in reports.write_index(tmp_path).read_text()
