"""The kubeconfig that leads to servers."""

import json
from pathlib import Path

from tests.apiserver.server import ApiServer


def write(file: Path, **servers: ApiServer) -> Path:
    """Write a kubeconfig with a context a server, under the name it is given here; return the file."""
    file.write_text(text(**servers))
    return file


def text(**servers: ApiServer) -> str:
    """Return it as JSON, which is YAML too."""
    clusters = [{"name": name, "cluster": _cluster(server)} for name, server in servers.items()]
    users = [
        {"name": name, "user": {"token": server.token} if server.token else {}}
        for name, server in servers.items()
    ]
    contexts = [{"name": name, "context": {"cluster": name, "user": name}} for name in servers]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "users": users,
        "contexts": contexts,
        "current-context": next(iter(servers), ""),
    }
    return json.dumps(document, indent=2)


def _cluster(server: ApiServer) -> dict[str, str]:
    trust = {"certificate-authority": str(server.ca_file)} if server.ca_file else {}
    return {"server": server.url, **trust}
