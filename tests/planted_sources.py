"""Sources in which secrets are planted: those that open them, and those that lie in what they hold."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gitopslab.world.emit.postgres import PostgresDump
from tests.apiserver import kubeconfig
from tests.apiserver.server import ApiServer
from tests.apiserver.store import Store
from tests.gitrepository import Repository
from tests.httpserver import Answer, Asked, as_json
from tests.planted import Secret, secret
from tests.postgres_server import PostgresServer

_CREDENTIAL = "client.authentication.k8s.io/v1"

# What opens a source.
BEARER = secret("the bearer in a kubeconfig")
WRONG_BEARER = secret("a bearer that an API server refuses")
PLUGIN_BEARER = secret("the bearer that a plugin of a kubeconfig prints")
PLUGIN_COMPLAINT = secret("what a plugin that fails complains of")
CLIENT_KEY = secret("the private key in a kubeconfig")
CLIENT_PASSWORD = secret("the password in a kubeconfig")
HTTP_TOKEN = secret("the token of Tekton Results, inventory and Prometheus")
WRONG_HTTP_TOKEN = secret("a token that they refuse")
GIT_TOKEN = secret("the token of a repository")
WRONG_GIT_TOKEN = secret("a token that a repository refuses")
URL_TOKEN = secret("a token in the URL of a repository")
DSN_PASSWORD = secret("the password in a connection string")
WRONG_DSN_PASSWORD = secret("a password that Postgres refuses")

# What lies in a source.
SECRET_DATA = secret("the data of a Secret")
BROKEN_SECRET_DATA = secret("the data of a Secret whose document ends early")
LISTED_SECRET_DATA = secret("the data of a Secret in a List that ends before its kind")
VARIABLE = secret("a token in a variable of a container")
PARAMETER = secret("a password in a parameter of a run")
HELM_VALUE = secret("a password in Helm values")
APPLIED = secret("a password in what was applied last")
REPOSITORY_URL = secret("a password in the repository URL of an Application")
EVENT = secret("a bearer in the message of an Event")
RECORD = secret("a password in a record of Tekton Results")
IMAGE = secret("a password in an inventory")
LABEL = secret("a password in a label of a metric")
COMMIT = secret("a password in the message of a commit")
PIN = secret("a password in a file of pins that is broken")
PINNED = secret("a password in the address of a pinned image")
REFERENCE = secret("a password in the address that a trailer names")
NOTE = secret("a password in a note")
ROW = secret("a password in a row's JSON")
ROW_TEXT = secret("a bearer in a row's text")
FETCHED = secret("a password in an inventory that was fetched before")
SAMPLE = secret("a password in OpenMetrics")

SECRETS = [value for value in list(globals().values()) if isinstance(value, Secret)]


def url_with(planted: Secret) -> str:
    return f"https://robot:{quote(planted.text, safe='')}@example.com/x.git"


def application() -> dict[str, Any]:
    applied = {"kind": "Secret", "stringData": {"password": APPLIED.text}}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied)}
    helm = {
        "values": f"db:\n  password: {HELM_VALUE.text}\n",
        "parameters": [{"name": "db.password", "value": HELM_VALUE.text}],
    }
    source = {"repoURL": url_with(REPOSITORY_URL), "helm": helm}
    metadata = {"namespace": "argocd", "name": "api", "annotations": annotations}
    return {"metadata": metadata, "spec": {"source": source}}


def deployment() -> dict[str, Any]:
    container = {"name": "api", "env": [{"name": "API_TOKEN", "value": VARIABLE.text}]}
    spec = {"template": {"spec": {"containers": [container]}}}
    return {"metadata": {"namespace": "n", "name": "api"}, "spec": spec}


def task_run(planted: Secret = PARAMETER) -> dict[str, Any]:
    metadata = {"namespace": "n", "name": "build", "uid": "uid-build", "resourceVersion": "7"}
    return {"metadata": metadata, "spec": {"params": [{"name": "registry-password", "value": planted.text}]}}


def event() -> dict[str, Any]:
    metadata = {"namespace": "n", "name": "failed"}
    message = f"pull failed: Authorization: Bearer {EVENT.text} was sent"
    return {"metadata": metadata, "message": message, "involvedObject": {"name": "build"}}


def secret_object(planted: Secret) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "n", "name": "keys"},
        "data": {"tls.key": base64.b64encode(planted.text.encode()).decode()},
        "stringData": {"motto": planted.text},
    }


def objects() -> Store:
    """Return what a cluster holds."""
    store = Store()
    store.put("applications.argoproj.io", application())
    store.put("deployments.apps", deployment())
    store.put("taskruns.tekton.dev", task_run())
    store.put("events", event())
    return store


def write_kubeconfig(file: Path, dev: ApiServer, plugin: ApiServer, gone: ApiServer) -> None:
    """Write the ways into `dev` by a token, into `plugin` by a program, and ways that end at a door."""
    kubeconfig.write(file, dev=dev, gone=gone)
    document = json.loads(file.read_text())
    for name, server in (("plugin", plugin), ("untrusted", dev)):
        document["clusters"].append({"name": name, "cluster": {"server": server.url}})
    credential = {
        "apiVersion": _CREDENTIAL,
        "kind": "ExecCredential",
        "status": {"token": PLUGIN_BEARER.text},
    }
    ways = {
        "plugin": ("plugin", _program(file, "plugin", f"echo '{json.dumps(credential)}'")),
        "wrong": ("plugin", {"token": WRONG_BEARER.text}),
        "untrusted": ("untrusted", {"token": BEARER.text}),
        "password": ("plugin", {"username": "robot", "password": CLIENT_PASSWORD.text}),
        "key": (
            "dev",
            {
                "client-certificate-data": base64.b64encode(b"none").decode(),
                "client-key-data": base64.b64encode(CLIENT_KEY.text.encode()).decode(),
            },
        ),
        "failing": ("dev", _program(file, "failing", f"echo 'not {PLUGIN_COMPLAINT.text}' >&2; exit 1")),
        "babbling": ("dev", _program(file, "babbling", f"echo 'token: {PLUGIN_COMPLAINT.text}'")),
    }
    for name, (cluster, user) in ways.items():
        document["users"].append({"name": name, "user": user})
        document["contexts"].append({"name": name, "context": {"cluster": cluster, "user": name}})
    file.write_text(json.dumps(document))


def _program(kubeconfig_file: Path, name: str, script: str) -> dict[str, Any]:
    file = kubeconfig_file.with_name(f"{name}.sh")
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return {"exec": {"apiVersion": _CREDENTIAL, "command": str(file), "interactiveMode": "Never"}}


def record(planted: Secret) -> dict[str, Any]:
    run = {"apiVersion": "tekton.dev/v1", "kind": "TaskRun", **task_run(planted)}
    value = base64.b64encode(json.dumps(run).encode()).decode()
    return {
        "name": "ci/results/r/records/build",
        "data": {"type": "tekton.dev/v1.TaskRun", "value": value},
        "update_time": "2026-03-02T10:00:00Z",
    }


def inventory(planted: Secret) -> dict[str, Any]:
    images = [f"{url_with(planted)}/api:git-1"]
    api = {"name": "api", "desired": {"image": images[0]}, "live": {"images": images}}
    broken = {"name": 7, "live": {"images": images}}
    environment = {"name": "dev", "applications": [api, broken]}
    return {"generatedAt": "2026-03-02T12:00:00Z", "source": "hub-inventory", "environments": [environment]}


def metrics(asked: Asked) -> Answer:
    metric = {"__name__": "pending", "instance": url_with(LABEL), "password": LABEL.text}
    series = {"metric": metric, "values": [[int(asked.query["start"]), "1"]]}
    warnings = [f"remote read of {url_with(LABEL)} was slow"]
    data = {"resultType": "matrix", "result": [series]}
    return as_json({"status": "success", "data": data, "warnings": warnings})


def http_answer(asked: Asked) -> Answer:
    """Answer as Tekton Results, an inventory and a Prometheus; below /echo with what was sent, as some do."""
    sent = asked.headers.get("Authorization", "")
    if asked.path.startswith("/echo"):
        told = f"no parameter {sent}; token was {sent.removeprefix('Bearer ')} {sent.removeprefix('Bearer ')}"
        return Answer(json.dumps({"error": told}).encode(), 400)
    if sent != f"Bearer {HTTP_TOKEN.text}":
        return Answer(f"unknown: {sent}".encode(), 401)
    if asked.path.endswith("/records"):
        return as_json({"records": [record(RECORD), {"data": {"value": RECORD.text}, "name": 5}]})
    return as_json(inventory(IMAGE)) if asked.path == "/inventory" else metrics(asked)


def repository(folder: Path) -> Repository:
    made = Repository(folder)
    values = f"repository: {url_with(PINNED)}\ntag: git-0123456789abcdef\n"
    reference = (
        f"Argocd-reference-commit-sha: {'c' * 40}\nArgocd-reference-commit-repourl: {url_with(REFERENCE)}"
    )
    made.commit(f"pin\n\n{reference}", values_yaml=values)
    pins = f"images:\n  api:\n    password: {PIN.text}\n    url: [{url_with(PIN)}\n"
    sha = made.commit(f"fix: use {url_with(COMMIT)}", **{"release-pins__dev_yaml": pins})
    made.git("notes", "add", "-m", f"password: {NOTE.text}", sha)
    made.git("update-server-info")
    return made


def git_answer(served: Repository) -> Callable[[Asked], Answer]:
    """Return the answers of a git host to those who have the token; it repeats what others sent."""
    basic = "Basic " + base64.b64encode(f"x-access-token:{GIT_TOKEN.text}".encode()).decode()

    def answer(asked: Asked) -> Answer:
        sent = asked.headers.get("Authorization", "")
        if sent != basic:
            return Answer(
                f"unknown: {sent}".encode(), 401, {"WWW-Authenticate": "Basic", "Content-Type": "text/plain"}
            )
        file = served.folder / ".git" / asked.path.removeprefix("/stacks.git/")
        return Answer(file.read_bytes()) if file.is_file() else Answer(b"", 404)

    return answer


def fill(server: PostgresServer, folder: Path) -> None:
    """Make a role whose password is planted, and a database `plane` with rows that hold others."""
    PostgresDump(folder / "dump.sql").close()
    server.run("-c", f"CREATE ROLE robot LOGIN PASSWORD '{DSN_PASSWORD.text}'", database="postgres")
    server.run("-c", "CREATE DATABASE plane", database="postgres")
    server.run("-f", str(folder / "dump.sql"), database="plane")
    details = json.dumps({"apiKey": ROW.text, "note": f"Bearer {ROW_TEXT.text}"})
    server.run(
        "-c",
        f"""
        INSERT INTO benchmark_suites (id, slug, name, dataset_name) VALUES ('s', 'lite', 'Lite', 'x/lite');
        INSERT INTO benchmark_runs
            (id, project_id, user_id, suite_id, agent_id, model_name_or_path, summary, error)
        VALUES ('r', 'p', 'u', 's', 'a', 'm', '{details}', 'sent Authorization: Bearer {ROW_TEXT.text}');
        INSERT INTO gitops_activity_events
            (event_id, source, activity_key, activity_type, phase, message, raw, observed_at, created_at,
             updated_at)
        VALUES ('e', 'tekton', 'api', 'build', 'Failed', 'cloning {url_with(ROW_TEXT)}', '{details}',
            '2026-03-02', '2026-03-02', '2026-03-02');
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO robot;
        """,
        database="plane",
    )


def write_files(folder: Path) -> None:
    """Write what people land from files, and one that ends early."""
    whole = {"kind": "List", "apiVersion": "v1", "items": [secret_object(SECRET_DATA)]}
    (folder / "secrets.json").write_text(json.dumps(whole))
    broken = json.dumps(secret_object(BROKEN_SECRET_DATA), indent=1)
    (folder / "broken.json").write_text(broken[: broken.rindex("}") - 3])
    listed = {"apiVersion": "v1", "data": {"tls.key": LISTED_SECRET_DATA.text}, "kind": "Secret"}
    text = json.dumps({"kind": "List", "apiVersion": "v1", "items": [listed]})
    (folder / "list.json").write_text(text[: text.index('"kind": "Secret"')])
    (folder / "broken.yaml").write_text(
        f"kind: Secret\napiVersion: v1\ndata:\n  tls.key: {SECRET_DATA.text}\n  a: [\n"
    )
    line = json.dumps({"fetchedAt": "2026-03-02T12:00:00Z", "body": inventory(FETCHED)})
    wrong = json.dumps({"fetchedAt": "never", "body": {"password": FETCHED.text}})
    failed = json.dumps(
        {"fetchedAt": "2026-03-02T13:00:00Z", "body": None, "error": f"no answer of {url_with(FETCHED)}"}
    )
    (folder / "fetched.ndjson").write_text(f"{line}\n{wrong}\n{failed}\n")
    sample = f'pending{{password="{SAMPLE.text}",url="{url_with(SAMPLE)}"}}'
    (folder / "dev.openmetrics").write_text(f"{sample} 1 1772431200\n{sample} one 1772431200\n# EOF\n")
