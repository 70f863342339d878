"""What is hidden, what stays, and that nothing planted survives."""

import json
import time

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitopslab.redaction import HIDDEN, _Redaction, is_secret, redact, redact_piece, redact_text

BOB = "email:b752a9a4f7b8"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


def landed(document: object) -> tuple[object, int]:
    redacted = redact(pa.array([json.dumps(document)]))
    return json.loads(redacted.bodies[0].as_py()), redacted.counts[0].as_py()


NAMES_OF_CREDENTIALS = [
    "DB_PASSWORD", "PGPASSWORD", "dbPasswd", "db.pwd", "SMTP_PASS", "SECRET", "client-secret", "GITHUB_TOKEN",
    "apikey", "API_KEY", "openaiApiKey", "privateKey",
    "AWS_SECRET_ACCESS_KEY", "aws-access-key", "credentials",
    "REGISTRY_CREDS", "POSTGRES_DSN", "connectionString", "basicAuth", "authorization", "bearer", "password1",
]  # fmt: skip
NAMES_OF_OTHERS = [
    "SECRET_NAME", "secretName", "secretRef", "tokenizer", "MAX_TOKENS", "TOKEN_PATH", "TOKEN_FILE",
    "TOKEN_URL",
    "token-dir", "token_ttl", "tokenExpirationSeconds", "AUTH_TYPE", "author", "OAUTH_CLIENT_ID", "PWD",
    "OLDPWD",
    "AWS_ACCESS_KEY_ID", "PASS_TO_PASS", "FAIL_TO_PASS", "revision", "monkey", "",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES_OF_CREDENTIALS)
def test_a_value_under_a_credentials_name_is_hidden(name):
    assert landed({"name": name, "value": "x1"}) == ({"name": name, "value": HIDDEN}, 1)
    assert landed({"value": "x1", "name": name}) == ({"value": HIDDEN, "name": name}, 1)
    assert landed({name: "x1"}) == ({name: HIDDEN}, 1)


@pytest.mark.parametrize("name", NAMES_OF_OTHERS)
def test_a_value_under_another_name_stays(name):
    for document in ({"name": name, "value": "/var/x1"}, {name: "/var/x1"}):
        assert landed(document) == (document, 0)


@pytest.mark.parametrize(
    "between",
    [
        {"type": "string"},
        {"a": {"b": "}"}},
        {"a": [[[["]"]]]]},
        {"a": {"b": {"c": {"d": {}}}}},
        {"a": None, "b": -1.5},
    ],
)
def test_name_and_value_need_not_stand_side_by_side(between):
    for document in ({"name": "token", **between, "value": "x"}, {"value": "x", **between, "name": "token"}):
        assert landed({"env": [document]}) == ({"env": [{**document, "value": HIDDEN}]}, 1)


def test_the_default_of_a_parameter_is_hidden_like_its_value():
    parameter = {"default": "x", "description": "for {git}", "name": "git-token", "type": "string"}
    assert landed(parameter) == ({**parameter, "default": HIDDEN}, 1)


def test_every_string_of_an_array_is_hidden():
    assert landed({"name": "token", "value": ["a", "b"]}) == ({"name": "token", "value": [HIDDEN, HIDDEN]}, 2)
    assert landed({"password": ["a"]}) == ({"password": [HIDDEN]}, 1)


@pytest.mark.parametrize(
    "value", ["", "$(params.token)", "${TOKEN}", "$TOKEN", "{{ .Values.token }}", "true", "<none>"]
)
def test_a_reference_stays(value):
    document = {"name": "GITHUB_TOKEN", "value": value}
    assert landed(document) == (document, 0)


def test_a_value_from_elsewhere_stays():
    document = {"name": "GITHUB_TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "password"}}}
    assert landed({"env": [document], "value": "x"}) == ({"env": [document], "value": "x"}, 0)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("postgres://app:hunter2@db:5432/x", "postgres://[redacted]@db:5432/x"),
        ("amqp://app:hun/ter2@mq/x", "amqp://[redacted]@mq/x"),
        ("https://hunter2@github.com/org/app", "https://[redacted]@github.com/org/app"),
        ("https://git:hunter2@github.com/a", "https://[redacted]@github.com/a"),
        ("got ghp_0123456789abcdefghijABCDEFGHIJ012345.", "got [redacted]."),
        ("github_pat_11AAAAAAA0abcdefghijkl", HIDDEN),
        ("glpat-abcdefghij0123456789", HIDDEN),
        ("xoxb-123456789012-abcdefGHIJKL", HIDDEN),
        ("AKIAIOSFODNN7EXAMPLE", HIDDEN),
        ("AIzaSyA0123456789abcdefghijklmnopqrstuv", HIDDEN),
        ("key sk-ant-api03-abcdefghij0123456789", "key [redacted]"),
        ("sk-abcdefghijklmnopqrst0123", HIDDEN),
        (f"<{JWT}>", "<[redacted]>"),
        (f"a\n{KEY}\nb", "a\n[redacted]\nb"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [redacted]"),
        ("sent Basic dXNlcjpwYXNz", "sent Basic [redacted]"),
        ("login --password=hunter2 -v", "login --password=[redacted] -v"),
        ("login --token hunter2 -v", "login --token [redacted] -v"),
        ("login --api-key 'hun ter2' -v", "login --api-key '[redacted]' -v"),
        ('login --client-secret="hun ter2"', 'login --client-secret="[redacted]"'),
        ("host=db password=hunter2 user=app", "host=db password=[redacted] user=app"),
        ("db:\n  password: hun ter2\n  user: app", "db:\n  password: [redacted]\n  user: app"),
        ("key:\n- token: |\n    hun\n    ter2\n  user: app", "key:\n- token: [redacted]\n  user: app"),
        ('body {"password":"hun\\"ter2","user":"app"}', 'body {"password":"[redacted]","user":"app"}'),
        ('body {\\"password\\": \\"hunter2\\"}', 'body {\\"password\\": \\"[redacted]\\"}'),
        ("client_secret=hunter2", "client_secret=[redacted]"),
        ("login failed for password: hunter2", "login failed for password: [redacted]"),
        ("refused token: a1b2c3d4e5", "refused token: [redacted]"),
        ("Bob <bob@x.org>", f"Bob <{BOB}>"),
        ("mailto:Bob@X.org, ann@x.org", f"mailto:{BOB}, email:367a1e74302c"),
        ("\nbob@x.org", f"\n{BOB}"),
    ],
)  # fmt: skip
def test_a_credential_or_address_in_a_text_is_hidden(text, after):
    assert redact_text(text) == after
    assert landed({"message": text})[0] == {"message": after}
    assert landed({"annotations": {"last-applied": json.dumps({"script": text})}})[0] == {
        "annotations": {"last-applied": json.dumps({"script": after})}
    }


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:org/app.git", "ssh://git@github.com/org/app", "https://github.com:443/org/app@v1",
        "docker-pullable://alpine@sha256:0123", "registry.example.com/app@sha256:0123", "react@18.2.0",
        "@app.route",
        "\n@pytest.mark.slow", "Bearer authentication is required", "basic understanding", "Bad credentials",
        "could not get token: 401 Unauthorized", "authentication required: Repository not found",
        "author: Bob",
        "image: registry.example.com/token-service:1.0", "my-task-sk-learn-abcdefghijklmnop-qrstuvwxyz",
        "secretName: git", "max_tokens: 5", "tokenizer: bpe",
        "token=$(cat /token)", 'login --token "$TOKEN" x',
        "if token == wanted", "-----BEGIN CERTIFICATE-----", "AKIA", "eyJ", "passing: yes", "xoxo", "0" * 64,
    ],
)  # fmt: skip
def test_what_only_looks_like_one_stays(text):
    assert redact_text(text) == text
    assert landed({"message": text}) == ({"message": text}, 0)


def test_arguments_of_a_container_hide_what_follows_a_flag():
    assert landed({"args": ["--token", "x", "y"]}) == ({"args": ["--token", HIDDEN, "y"]}, 1)
    assert landed({"args": ["--token", "--verbose"]}) == ({"args": ["--token", "--verbose"]}, 0)


def test_pairs_inside_an_annotation_are_hidden_at_any_depth():
    document: dict[str, object] = {"env": [{"name": "A_TOKEN", "value": 'q"uoted'}]}
    for _ in range(3):
        document = {"last": json.dumps(document)}
    after, count = landed(document)

    assert count == 1
    assert "uoted" not in json.dumps(after)
    for _ in range(3):
        after = json.loads(after["last"])  # type: ignore[index]
    assert after == {"env": [{"name": "A_TOKEN", "value": HIDDEN}]}


def test_a_salt_changes_the_hash_and_case_does_not():
    assert redact_text("bob@x.org") == redact_text("BOB@X.ORG") == BOB
    assert redact_text("bob@x.org", salt="s") not in {BOB, "bob@x.org"}


def test_an_escape_before_an_address_is_no_part_of_it():
    assert redact(pa.array([r'"Bob \u003cbob@x.org\u003e"'])).bodies[0].as_py() == rf'"Bob \u003c{BOB}\u003e"'


def test_a_letter_written_as_an_escape_hides_nothing_from_the_search():
    assert redact(pa.array([r'{"pass\u0077ord":"hunter2"}'])).counts.to_pylist() == [1]
    assert redact(pa.array([r'{"a":"bob@m\u00fcller.de"}'])).counts.to_pylist() == [1]
    assert redact(pa.array([r'{"a":"bob\u0040x.org"}'])).counts.to_pylist() == [1]


def test_numbers_and_spaces_around_what_is_hidden_stay_as_written():
    body = '{ "a": 1.0, "b": 1e400, "c": 12345678901234567890123,\n"token" : "x", "d": [null, true], "d": 2 }'
    assert redact(pa.array([body])).bodies[0].as_py() == body.replace('"x"', f'"{HIDDEN}"')


def test_nulls_chunks_and_clean_rows_keep_their_place():
    clean = '{ "kind":"Application" }'
    bodies = pa.chunked_array([[clean, None], ['{"token":"x"}'], []], pa.large_string())
    redacted = redact(bodies)

    assert redacted.bodies.to_pylist() == [clean, None, '{"token":"[redacted]"}']
    assert redacted.bodies.type == pa.large_string()
    assert redacted.counts == pa.array([0, 0, 1], pa.int32())


def test_an_empty_batch_stays_empty():
    assert len(redact(pa.array([], pa.string())).counts) == 0


def test_a_piece_of_a_broken_document_is_redacted_too():
    piece = '"env":[{"name":"A_TOKEN","value":"hunter2'
    assert redact_text(piece) == piece.replace("hunter2", HIDDEN)


def test_only_a_core_secret_is_refused_whole():
    assert is_secret("v1", "Secret")
    assert not is_secret("external-secrets.io/v1", "ExternalSecret")
    assert not is_secret("example.com/v1", "Secret")
    assert not is_secret("v1", "ConfigMap")


ALPHANUMERIC = st.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=24, max_size=40
)
PLANTS = st.sampled_from(
    [
        lambda s: {"name": "DB_PASSWORD", "value": s},
        lambda s: {"default": s, "name": "api-key"},
        lambda s: {"clientSecret": s},
        lambda s: {"args": ["login", "--token", s]},
        lambda s: f"https://user:{s}@example.com/x",
        lambda s: f"https://{s}@github.com/x",
        lambda s: f"ghp_{s}",
        lambda s: f"glpat-{s}",
        lambda s: f"xoxb-{s}",
        lambda s: f"AKIA{s.upper()}",
        lambda s: f"AIza{s}{s}",
        lambda s: f"sk-{s}",
        lambda s: f"sk-ant-{s}",
        lambda s: f"eyJ{s}.{s}.{s}",
        lambda s: f"-----BEGIN PRIVATE KEY-----\n{s}\n-----END PRIVATE KEY-----",
        lambda s: f"Authorization: Bearer {s}",
        lambda s: f"run --password={s} now",
        lambda s: f"run --api-key {s}",
        lambda s: f"host=db password={s} user=app",
        lambda s: f"db:\n  password: {s}\n",
        lambda s: f'{{"client_secret": "{s}"}}',
        lambda s: f"x {s}@example.com",
    ]
)
TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        "name",
        "value",
        "token",
        "--token",
        "a: b",
        "{",
        '"',
        "\\",
        "@x.org",
        "://",
        "git@",
        "password",
        "=",
        "[redacted]",
    ]
)
SCRAPS = st.lists(TEXTS, max_size=6).map("".join)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | SCRAPS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(SCRAPS, inner, max_size=4)
        | inner.map(json.dumps)
        | st.fixed_dictionaries({"name": SCRAPS, "value": inner})
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(ALPHANUMERIC, PLANTS, DOCUMENTS, st.integers(0, 2), st.booleans())
def test_no_planted_credential_survives(secret, plant, beside, depth, ascii_only):
    document = {"a": [beside], "b": plant(secret), "c": beside}
    for _ in range(depth):
        document = {"last": json.dumps(document), "n": 1}
    body = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "replace").decode()
    assume(secret not in json.dumps(beside))
    redacted = redact(pa.array([body]))

    assert secret not in redacted.bodies[0].as_py()
    assert secret.upper() not in redacted.bodies[0].as_py()
    assert redacted.counts[0].as_py() > 0


def shape(body: str) -> object:
    def emptied(value: object) -> object:
        if isinstance(value, list):
            return [emptied(inner) for inner in value]
        return "" if isinstance(value, str) else value

    return emptied(json.loads(body, object_pairs_hook=lambda pairs: [value for _, value in pairs]))


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.booleans())
def test_any_json_keeps_its_shape_and_twice_changes_nothing_more(document, ascii_only):
    body = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "replace").decode()
    once = redact(pa.array([body]))
    twice = redact(once.bodies)

    assert shape(once.bodies[0].as_py()) == shape(body)
    assert twice.bodies.to_pylist() == once.bodies.to_pylist()
    assert (once.bodies[0].as_py() == body) == (once.counts[0].as_py() == 0)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
def test_the_search_misses_nothing_that_reading_would_hide(document):
    body = json.dumps(document)
    assert redact(pa.array([body])).bodies[0].as_py() == _Redaction("").json(body)


@settings(max_examples=200, deadline=None)
@given(SCRAPS)
def test_any_text_is_taken(text):
    assert redact_text(redact_text(text)) == redact_text(text)


@pytest.mark.parametrize(
    "piece",
    [
        '{"apiVersion":"v1","kind":"Secret","data":{"tls.key":"c2VjcmV0',
        '{"apiVersion":"v1","data":{"tls.key":"c2VjcmV0',
        '{"kind":"List","items":[{"apiVersion":"v1","data":{"tls.key":"c2VjcmV0',
        "kind: SecretList\nitems:\n- data:\n    tls.key: c2VjcmV0",
        r'{"patch":"{\"stringData\":{\"motto\":\"c2VjcmV0',
    ],
)
def test_a_piece_that_may_be_of_a_secret_is_hidden_whole(piece):
    assert redact_piece(piece) == "[redacted]: it may be a Secret"


@pytest.mark.parametrize(
    "piece",
    [
        '{"apiVersion":"v1","kind":"ConfigMap","data":{"key":"value',
        "kind: SecretStore\ndata: [",
        '{"metadata":{"name":"api"},"spec":',
    ],
)
def test_a_piece_of_something_else_stays(piece):
    assert redact_piece(piece) == piece


@pytest.mark.parametrize(
    "piece",
    [
        '\\"', "://a:b", "password:", "token=", "a@", "@a.b", "eyJaaaaaaaa.", "-----BEGIN PRIVATE",
        "api ", '{"a":',
        "[", "sk-", "--token ", "Basic ", " ", "password: |\n  ", "x.",
    ],
)  # fmt: skip
def test_a_hostile_text_takes_time_in_proportion_to_its_length(piece):
    text = piece * (200_000 // len(piece))
    started = time.perf_counter()
    redact_text(text)
    redact(pa.array([json.dumps(text)]))
    assert time.perf_counter() - started < 5
