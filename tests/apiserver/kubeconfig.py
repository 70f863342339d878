"""The kubeconfig that leads to servers."""

import json
from pathlib import Path
from typing import Protocol


class Server(Protocol):
    """What a kubeconfig needs to know of a server."""

    token: str
    ca_file: Path | None

    @property
    def url(self) -> str: ...


def write(file: Path, **servers: Server) -> Path:
    """Write a kubeconfig with a context a server, under the name it is given here; return the file."""
    file.write_text(text(**servers))
    return file


def text(**servers: Server) -> str:
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


def _cluster(server: Server) -> dict[str, str]:
    trust = {"certificate-authority": str(server.ca_file)} if server.ca_file else {}
    return {"server": server.url, **trust}
