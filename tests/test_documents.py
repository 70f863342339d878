"""Files of objects: every layout that lands, and what becomes of the pieces that do not."""

import base64
import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitopslab.errors import UsageError
from gitopslab.extract import documents
from gitopslab.extract.documents import Limits, Page, Reject, Skipped

SAMPLES = Path(__file__).parents[1].parent / "shared" / "data" / "samples"


def pod(name, **more):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, **more}


def bare(name):
    return {"metadata": {"name": name}}


def as_lines(*objects):
    return "".join(json.dumps(one) + "\n" for one in objects)


class Landed:
    """What was read of one file, its pages laid end to end."""

    def __init__(self, path, limits=None, **options):
        parts = list(documents.read(path, limits or Limits(), **options))
        self.pages = [part for part in parts if isinstance(part, Page)]
        self.rejects = [part for part in parts if isinstance(part, Reject)]
        self.reasons = [(reject.line, reject.reason) for reject in self.rejects]
        columns = "bodies", "headers", "lines", "event_types", "observed_at"
        for column in columns:
            setattr(self, column, [value for page in self.pages for value in getattr(page, column)])
        assert all(
            len(getattr(page, column)) == len(page.bodies) for page in self.pages for column in columns
        )
        self.objects = [json.loads(body) for body in self.bodies]
        self.names = [header.metadata.name for header in self.headers]
        for header, one in zip(self.headers, self.objects, strict=True):
            assert (header.api_version, header.kind) == (one["apiVersion"], one["kind"])
        for reject in self.rejects:
            assert "\n" not in reject.message


@pytest.fixture
def land(tmp_path):
    def land(text, name="input.json", limits=None, **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Landed(path, limits, **options)

    return land


PODS = [pod("a"), pod("b", spec={"text": '},{"apiVersion": "v1"', "deep": [{"x": [1, {}]}]}), pod("c")]
LIST = {"apiVersion": "v1", "items": PODS, "kind": "List", "metadata": {"resourceVersion": ""}}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (as_lines(*PODS), [1, 2, 3]),
        (as_lines(PODS[0]) + "\n \n" + as_lines(*PODS[1:]), [1, 4, 5]),
        (as_lines(*PODS).replace("\n", "\r\n"), [1, 2, 3]),
        ("".join(map(json.dumps, PODS)), [1, 1, 1]),
        ("\n".join(json.dumps(one, indent=2) for one in PODS), [1, 8, 26]),
        (json.dumps(LIST), [1, 1, 1]),
        (json.dumps(LIST, separators=(",", ":")), [1, 1, 1]),
        (json.dumps(LIST, indent=4), [4, 11, 29]),
        (json.dumps(PODS), [1, 1, 1]),
        (json.dumps(PODS, indent=1), [2, 9, 27]),
        ("[\n" + ",\n".join(map(json.dumps, PODS)) + "\n]\n", [2, 3, 4]),
        (as_lines(PODS[0]) + json.dumps({"kind": "List", "items": PODS[1:]}, indent=1), [1, 5, 23]),
        ("\ufeff" + json.dumps(LIST, indent=4), [4, 11, 29]),
    ],
)
def test_every_json_layout_lands(land, text, lines):
    landed = land(text)
    assert landed.objects == PODS
    assert landed.lines == lines
    assert landed.reasons == []


def test_yaml_lands_from_documents_and_lists_alike(land):
    landed = land("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n" + json.dumps(LIST), "input.yaml")
    assert landed.names == ["a", "a", "b", "c"]
    assert landed.lines == [1, 5, 5, 5]


def test_a_yaml_list_without_kinds_names_them(land):
    landed = land("apiVersion: v1\nitems:\n- metadata: {name: a}\nkind: PodList\n", "input.yaml")
    assert landed.objects == [pod("a")]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize(
    "text", [as_lines(*PODS), json.dumps(LIST, indent=4), as_lines(*PODS).replace("\n", "\n---\n")]
)
def test_compressed_files_are_told_by_their_content(land, compress, text):
    landed = land(compress(text.encode()), "input")
    assert landed.objects == PODS
    assert landed.reasons == []


def test_headers_hold_what_identifies_a_version(land):
    metadata = {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7"}
    (header,) = land(json.dumps(pod("") | {"metadata": metadata})).headers
    found = header.metadata
    assert (found.name, found.namespace, found.uid, found.resource_version) == ("a", "n", "u", "7")


def test_null_and_numbers_in_metadata_are_read(land):
    metadata = {"name": "a", "namespace": None, "resourceVersion": 7}
    (header,) = land(json.dumps(pod("") | {"metadata": metadata})).headers
    assert (header.metadata.namespace, header.metadata.resource_version) == ("", "7")


@pytest.mark.parametrize(
    "typed",
    [
        {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [bare("a"), bare("b")]},
        {"apiVersion": "v1", "items": [bare("a"), bare("b")], "kind": "PodList", "metadata": {}},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_typed_list_names_the_kind_of_its_items(land, typed, indent):
    assert land(json.dumps(typed, indent=indent)).objects == [pod("a"), pod("b")]


def test_an_assumed_kind_fills_in_only_what_is_missing(land):
    assert land(as_lines(pod("a"), bare("b")), assume=("v1", "Node")).objects == [
        pod("a"),
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "b"}},
    ]


def test_an_empty_list_is_nothing(land):
    for items in ([], None):
        for indent in (None, 2):
            landed = land(json.dumps({"kind": "PodList", "apiVersion": "v1", "items": items}, indent=indent))
            assert (landed.objects, landed.reasons) == ([], [])


def test_an_empty_file_is_nothing(land):
    for text in ("", "\n", "\ufeff", "# nothing\n---\n"):
        landed = land(text)
        assert (landed.objects, landed.reasons) == ([], [])


def test_watch_events_keep_their_type_and_time(land):
    landed = land(
        as_lines(
            {"type": "ADDED", "object": pod("a")},
            {"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "9"}}},
            {"type": "MODIFIED", "object": pod("a"), "observedAt": "2026-01-31T13:00:00.123456789+01:00"},
            {"type": "ERROR", "object": {"kind": "Status", "code": 410}},
            {"type": "DELETED", "object": pod("a"), "observedAt": "2026-01-31T12:00:00"},
            {"type": "DELETED", "object": pod("b")},
        )
    )
    assert landed.names == ["a", "a", "b"]
    assert landed.lines == [1, 3, 6]
    assert landed.event_types == ["ADDED", "MODIFIED", "DELETED"]
    assert landed.observed_at == [None, datetime(2026, 1, 31, 12, 0, 0, 123457, UTC), None]
    assert landed.reasons == [(4, "watch_error"), (5, "watch_error")]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("member", "kind"), [("taskRun", "TaskRun"), ("pipelineRun", "PipelineRun"), ("customRun", "CustomRun")]
)
def test_cloud_events_hold_one_run(land, member, kind, indent):
    landed = land(json.dumps({member: {"metadata": {"name": "a"}, "status": {}}}, indent=indent))
    assert [(header.api_version, header.kind) for header in landed.headers] == [("tekton.dev/v1beta1", kind)]
    newer = land(
        json.dumps({member: {"apiVersion": "tekton.dev/v1", "metadata": {"name": "a"}}}, indent=indent)
    )
    assert [(header.api_version, header.kind) for header in newer.headers] == [("tekton.dev/v1", kind)]


def record(kind, value):
    return {"name": "x", "data": {"type": kind, "value": base64.b64encode(value.encode()).decode()}}


@pytest.mark.parametrize("indent", [None, 2])
def test_tekton_results_are_decoded_record_by_record(land, indent):
    records = [
        record("tekton.dev/v1.TaskRun", json.dumps(bare("a"))),
        record("tekton.dev/v1.TaskRun", "not an object"),
        record("results.tekton.dev/v1alpha3.Log", json.dumps(bare("log"))),
        {"name": "x", "data": {"type": "tekton.dev/v1.TaskRun", "value": "???"}},
        {"name": "x"},
        record("tekton.dev/v1.PipelineRun", json.dumps(bare("b"))),
    ]
    landed = land(json.dumps({"records": records, "nextPageToken": ""}, indent=indent))
    assert [(header.api_version, header.kind, header.metadata.name) for header in landed.headers] == [
        ("tekton.dev/v1", "TaskRun", "a"),
        ("tekton.dev/v1", "PipelineRun", "b"),
    ]
    undecodable = "undecodable_record"
    assert [reject.reason for reject in landed.rejects] == [
        undecodable,
        "not_an_object",
        undecodable,
        undecodable,
    ]


def test_lists_may_be_in_lists(land):
    for indent in (None, 1):
        assert land(json.dumps([LIST, LIST], indent=indent)).names == ["a", "b", "c"] * 2


def test_envelopes_end_somewhere(land):
    nested = pod("a")
    for _ in range(10):
        nested = {"items": [nested]}
    landed = land(as_lines(nested, pod("b")))
    assert landed.names == ["b"]
    assert landed.reasons == [(1, "not_an_object")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("oops", "invalid_json"),
        ('{"kind": ', "invalid_json"),
        ('{"a": NaN}', "invalid_json"),
        ('{"a": "\\ud800"}', "invalid_json"),
        ('{"a": "\\ud800 and so on, and so on"}', "invalid_json"),
        ('{"a": "\\x"}', "invalid_json"),
        ('{"a": "\t"}', "invalid_json"),
        ('{"a": 1,}', "invalid_json"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "too_deep"),
        ("7", "not_an_object"),
        ("null", "not_an_object"),
        ("[7]", "not_an_object"),
        ('{"items": 7}', "not_an_object"),
        ("{}", "no_kind"),
        ('{"metadata": {"name": "a"}}', "no_kind"),
        ('{"apiVersion": "v1", "kind": "Pod"}', "no_name"),
        ('{"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}}', "no_name"),
        ('{"type": "MOVED", "object": {}}', "watch_error"),
        (
            b'{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"a": "\xff"}}}',
            "invalid_encoding",
        ),
        (b'{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "\xff"}}', "invalid_encoding"),
        (as_lines(pod("a", text="x" * 2000)).strip(), "too_large"),
        (as_lines(pod("a", text="x" * 20_000)).strip(), "too_large"),
    ],
)
def test_a_bad_line_is_rejected_and_the_others_land(land, line, reason):
    line = line if isinstance(line, bytes) else line.encode()
    limits = Limits(max_document_bytes=1000 if reason == "too_large" else 100_000, page_bytes=4096)
    landed = land(as_lines(pod("x")).encode() + line + b"\n" + as_lines(pod("y")).encode(), limits=limits)
    assert landed.names == ["x", "y"]
    assert landed.lines == [1, 3]
    assert landed.reasons == [(2, reason)]
    assert landed.rejects[0].excerpt in line.decode("utf-8", "backslashreplace")


def test_two_values_on_one_line_are_never_mistaken_for_two_lines(land):
    landed = land(
        json.dumps(pod("a")) + json.dumps(pod("b")) + "\n{\n}\n" + as_lines(pod("c")), "input.ndjson"
    )
    assert "c" in landed.names
    for header, one in zip(landed.headers, landed.objects, strict=True):
        assert header.metadata.name == one["metadata"]["name"]


@pytest.mark.parametrize(
    "body",
    [
        '{"a":"\\ud83d\\ude00"}',
        '{"a":"\\u0000"}',
        '{"a":1e999}',
        '{"a":-0}',
        '{"a":' + "9" * 400 + "}",
        '{"\\n":"\x7f"}',
    ],
)
def test_what_lands_is_json_for_the_warehouse_too(land, body):
    (landed,) = land(json.dumps(pod("a"))[:-1] + ',"x":' + body + "}\n").bodies
    assert duckdb.sql("SELECT json_valid($text)", params={"text": landed.decode()}).fetchall() == [(True,)]


MANY = [pod(f"p{number}", spec={"ports": [{"name": "x"}, {"name": "y"}]}) for number in range(50)]


@pytest.mark.parametrize("indent", [None, 0, 1, 4])
@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"items": items, "kind": "List"}])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"p7"', '"p7'),
        lambda text: text.replace('"p7"', "p7"),
        lambda text: text.replace('"p7"', '{"p7"'),
        lambda text: text.replace('"p7"', '"\\ud800"'),
    ],
)
def test_a_list_loses_only_its_broken_item(land, indent, wrap, damage):
    landed = land(damage(json.dumps(wrap(MANY), indent=indent)), limits=Limits(page_bytes=1500))
    assert landed.names == [f"p{number}" for number in range(50) if number != 7]
    assert [reason for _, reason in landed.reasons] == ["invalid_json"]


def test_a_broken_object_among_pretty_ones_is_lost_alone(land):
    texts = [json.dumps(one, indent=2) for one in MANY[:5]]
    texts[2] = texts[2].replace('"kind":', '"kind"')
    landed = land("\n".join(texts))
    assert landed.names == ["p0", "p1", "p3", "p4"]
    assert [reason for _, reason in landed.reasons] == ["invalid_json"]


def test_an_item_may_be_too_large_and_the_others_are_not(land):
    items = [pod("a"), pod("b", text="x" * 500), pod("c")]
    landed = land(json.dumps(items, indent=1), limits=Limits(max_document_bytes=300))
    assert landed.names == ["a", "c"]
    assert landed.reasons == [(9, "too_large")]


def test_lines_are_right_in_lists_of_many_blocks(land):
    text = json.dumps({"items": MANY, "kind": "List"}, indent=2)
    landed = land(text, limits=Limits(page_bytes=1000))
    rows = text.split("\n")
    assert landed.names == [one["metadata"]["name"] for one in MANY]
    assert all(rows[line - 1] == "    {" for line in landed.lines)
    assert [
        json.loads(rows[line + 3 - 1 + 1].strip().removeprefix('"name": ')) for line in landed.lines
    ] == landed.names


def test_pages_hold_no_more_rows_than_allowed(land):
    for text in (as_lines(*MANY), json.dumps(MANY), "\n---\n".join(map(json.dumps, MANY))):
        landed = land(text, limits=Limits(page_rows=20))
        assert len(landed.names) == 50
        assert max(len(page.bodies) for page in landed.pages) == 20


def test_lists_behind_each_other_do_not_swallow_each_other(land):
    text = json.dumps(LIST, indent=4)
    cut = text[: text.index('"name": "c"')]
    landed = land(cut + "\n" + text)
    assert landed.names == ["a", "b", "a", "b", "c"]
    assert [reason for _, reason in landed.reasons] == ["invalid_json"]


def test_a_cut_archive_lands_what_is_in_it(land):
    text = "".join(as_lines(pod(f"p{n}", text=os.urandom(50).hex())) for n in range(5000)).encode()
    for packed in (gzip.compress(text), zstandard.compress(text)):
        landed = land(packed[: len(packed) // 2], limits=Limits(page_bytes=4096))
        assert landed.names[:1500] == [f"p{n}" for n in range(1500)]
        assert landed.reasons[-1] == (0, "broken_archive")


def test_an_archive_that_is_none_is_rejected(land):
    assert land(b"\x1f\x8b\x08 this is not gzip at all").reasons == [(0, "broken_archive")]


def test_an_unreadable_file_is_rejected(tmp_path):
    path = tmp_path / "input.json"
    path.write_text("{}")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert Landed(path).reasons == [(0, "broken_archive")]


def test_a_file_may_hold_too_much(land):
    limits = Limits(max_file_bytes=100)
    text = as_lines(*MANY).encode()
    assert land(text, limits=limits).reasons == [(0, "too_large")]
    assert land(gzip.compress(text), limits=limits).reasons == [(0, "too_large")]


def test_a_file_may_expand_too_much(land):
    bomb = zstandard.compress(b" " * (200 << 20))
    assert land(bomb).reasons == [(0, "too_large")]


def test_utf16_is_named(land):
    landed = land(json.dumps(pod("a")).encode("utf-16"))
    assert landed.reasons == [(0, "invalid_encoding")]
    assert "save it as UTF-8" in landed.rejects[0].message


def test_excerpts_are_cut(land):
    assert len(land("{" + "x" * 100_000).rejects[0].excerpt) == 64 << 10


def test_a_missing_file_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="there is no such file"):
        Landed(tmp_path / "missing.json")


def test_a_pipe_can_be_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    if not os.fork():
        path.write_text(json.dumps(LIST, indent=4))
        os._exit(0)
    assert Landed(path).names == ["a", "b", "c"]
    os.wait()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize(
    "text", [as_lines(*MANY), json.dumps(MANY, indent=1), "---\n".join(as_lines(one) for one in MANY)]
)
def test_progress_adds_up_to_the_file(land, tmp_path, pack, text):
    consumed = []
    land(pack(text.encode()), limits=Limits(page_bytes=1000), progress=consumed.append)
    assert sum(consumed) == (tmp_path / "input.json").stat().st_size


def test_find_walks_folders_in_order_and_counts_what_it_skips(tmp_path):
    for name in (
        "b.yaml",
        "a/x.json.gz",
        "a/pod.log",
        "a/namespaces/n/apps/Y.YML",
        "a/z.ndjson.zst",
        "a/Makefile",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "link.json").symlink_to(tmp_path / "b.yaml")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = list(documents.find([tmp_path, tmp_path / "a" / "pod.log"]))
    files = ["a/namespaces/n/apps/Y.YML", "a/x.json.gz", "a/z.ndjson.zst", "b.yaml", "a/pod.log"]
    assert [part for part in found if isinstance(part, Path)] == [tmp_path / name for name in files]
    assert [(part.path.name, part.reason) for part in found if isinstance(part, Skipped)] == [
        ("Makefile", "no suffix"),
        ("link.json", "symbolic link"),
        ("pod.log", ".log"),
        ("loop", "symbolic link"),
    ]


def test_find_refuses_a_path_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"missing: there is no such file or folder"):
        documents.find([tmp_path, tmp_path / "missing"])


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=8), ANYTHING, max_size=3), max_size=6).map(
    lambda values: [{"spec": value} | pod(f"p{number}") for number, value in enumerate(values)]
)
SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@SHARED_FOLDER
@given(OBJECTS, st.sampled_from([None, 0, 1, 4]), st.booleans(), st.sampled_from([60, 300, 1 << 20]))
def test_any_objects_survive_every_json_layout(land, objects, indent, is_ascii, page_bytes):
    def dump(value):
        return json.dumps(value, indent=indent, ensure_ascii=is_ascii)

    for text in (dump(objects), dump({"items": objects, "kind": "List"}), "\n".join(map(dump, objects))):
        landed = land(text, limits=Limits(page_bytes=page_bytes))
        assert landed.objects == objects
        assert landed.reasons == []


@SHARED_FOLDER
@given(OBJECTS.filter(len), st.sampled_from([None, 0, 2]), st.data(), st.sampled_from([60, 1 << 20]))
def test_a_list_cut_anywhere_loses_only_the_item_that_is_cut(land, objects, indent, data, page_bytes):
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=indent)
    start = text.index("[")
    cut = data.draw(st.integers(start + 1, len(text) - 1))
    whole, position = 0, start
    for _ in objects:
        _, position = json.JSONDecoder().raw_decode(text, text.index("{", position))
        whole += position <= cut
    landed = land(text[:cut], limits=Limits(page_bytes=page_bytes))
    assert landed.objects == objects[:whole]
    assert len(landed.rejects) == 1


@SHARED_FOLDER
@given(
    st.binary()
    | st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b":", b",", b"\n", b'"items"', b"1"])).map(
        b"".join
    )
)
@pytest.mark.parametrize("name", ["input.json", "input.ndjson"])
def test_any_bytes_give_pages_or_rejects(land, name, content):
    land(content, name)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample objects are not beside the repository")
def test_every_sample_gives_objects_or_rejects():
    files = [path for path in documents.find([SAMPLES]) if isinstance(path, Path)]
    for path in files:
        landed = Landed(path)
        assert landed.objects or landed.rejects, path
    assert len(files) > 50
