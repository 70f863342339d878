"""The server itself: HTTP/1.1 with kept connections, an answer or a fault to each request."""

import gzip
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.apiserver import lists, statuses, watches
from tests.apiserver.faults import INSTEAD, Asked, Fault, Faults, Trouble
from tests.apiserver.selectors import BadSelectorError, selector
from tests.apiserver.served import discovery
from tests.apiserver.statuses import Answer
from tests.apiserver.store import Store
from tests.apiserver.view import View, error_of
from tests.apiserver.watches import Behaviour

_COMPRESSED_FROM_BYTES = 128 << 10
_HEALTH = ("/healthz", "/livez", "/readyz")


class ApiServer:
    """An API server on a port of this machine, in threads of its own.

    Args:
        store: What it serves.
        faults: What goes wrong.
        behaviour: What sort of server it is.
        token: The bearer token it asks for; empty: none.
        port: 0: any that is free; it stays the same over `stop` and `start`.
        tls_folder: Where to put a certificate, if it is to speak TLS.

    Attributes:
        asked: Every request, in the order of their arrival, whatever became of it.
    """

    def __init__(  # noqa: PLR0913 - each is one trait
        self,
        store: Store,
        faults: Faults | None = None,
        behaviour: Behaviour | None = None,
        *,
        token: str = "",
        port: int = 0,
        tls_folder: Path | None = None,
    ) -> None:
        self.store = store
        self.faults = faults or Faults()
        self.behaviour = behaviour or Behaviour()
        self.token = token
        self.port = port
        self.ca_file = certificate(tls_folder) if tls_folder else None
        self.asked: list[Asked] = []
        self.documents = discovery(one.served for one in store.collections.values())
        self._http: _Server | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.ca_file else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen, and answer from now on."""
        self._http = _Server(self)
        self.port = self._http.server_port
        Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Break every connection and listen no more.

        Raises:
            BaseExceptionGroup: The server itself failed while it answered.
        """
        http, self._http = self._http, None
        if http:
            http.stop()
            if http.failures:
                raise BaseExceptionGroup("the API server of the tests failed", http.failures)

    def cut_all(self) -> None:
        """Break every connection, as a load balancer does that is restarted."""
        if self._http:
            self._http.cut_all()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self.over = Event()
        self.failures: list[BaseException] = []
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(("127.0.0.1", api.port), _Handler)
        if api.ca_file:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(api.ca_file, api.ca_file.with_name("key.pem"))
            # Shaken hands with by the thread of the connection, so that nobody waits for a slow one.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's
        failure = sys.exception()
        if failure and not isinstance(failure, OSError):  # A client that leaves is no failure.
            self.failures.append(failure)

    def cut_all(self) -> None:
        with self._lock:
            for connection in self._connections:
                _cut(connection)

    def stop(self) -> None:
        self.over.set()
        self.shutdown()
        self.cut_all()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        asked = self._asked()
        api = self.server.api
        if api.token and self.headers["Authorization"] != f"Bearer {api.token}":
            return self._send(statuses.unauthorized())
        if asked.path in _HEALTH:
            return self._send(Answer(200, b"ok", "text/plain"))
        if asked.verb == "discovery":
            document = api.documents.get(asked.path)
            return self._send(
                Answer(200, json.dumps(document).encode()) if document else statuses.not_served()
            )
        fault = api.faults.draw(asked)
        if fault and fault.trouble is Trouble.HANG_UP:
            return self._hang_up()
        if fault and fault.trouble in INSTEAD:
            return self._send(statuses.instead(fault, asked))
        if fault and fault.trouble is Trouble.SLOW:
            self.server.over.wait(fault.seconds)
        return self._answer(asked, fault)

    def _refuse_to_write(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        asked = self._asked()
        self._send(statuses.method_not_allowed(asked.method))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _refuse_to_write  # noqa: N815

    def _asked(self) -> Asked:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        asked = _parsed(self.server.api, self.command, address.path, query)
        self.server.api.asked.append(asked)
        return asked

    def _answer(self, asked: Asked, fault: Fault | None) -> None:
        api = self.server.api
        collection = api.store.collection(asked.resource)
        try:
            chosen = selector(
                asked.namespace, asked.query.get("labelSelector", ""), asked.query.get("fieldSelector", "")
            )
        except BadSelectorError as problem:
            return self._send(statuses.bad_request(str(problem)))
        view = View(collection, _version(asked.path), chosen)
        if asked.verb == "get":
            version = collection.live.get((asked.namespace, asked.name))
            return self._send(Answer(200, view.object(version)) if version else statuses.not_found(asked))
        if asked.verb == "list":
            return self._send(lists.listed(api.store, view, asked), fault)
        if answer := watches.refusal(api.behaviour, asked):
            return self._send(answer)
        over = self.server.over.is_set
        lines = watches.lines(api.behaviour, api.store, view, asked, over)
        return self._stream(lines, fault)

    def _send(self, answer: Answer, fault: Fault | None = None) -> None:
        body = answer.body
        trouble = fault.trouble if fault else None
        self.send_response(answer.code)
        self.send_header("Content-Type", answer.content_type)
        if answer.retry_after:
            self.send_header("Retry-After", answer.retry_after)
        takes_gzip = "gzip" in (self.headers["Accept-Encoding"] or "")
        if takes_gzip and self.server.api.behaviour.compresses and len(body) >= _COMPRESSED_FROM_BYTES:
            body = gzip.compress(body, compresslevel=1)
            self.send_header("Content-Encoding", "gzip")
        if len(body) <= self.server.api.behaviour.chunk_bytes or trouble is Trouble.CUT:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if trouble in _CUTS else body)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._send_chunks(body, trouble)
        if trouble in _CUTS:
            self._hang_up()

    def _send_chunks(self, body: bytes, trouble: Trouble | None) -> None:
        view, size = memoryview(body), self.server.api.behaviour.chunk_bytes
        for at in range(0, len(view), size):
            chunk = view[at : at + size]
            self.wfile.write(b"%x\r\n" % len(chunk))
            if trouble in _CUTS and at + size >= len(view) // 2:
                self.wfile.write(chunk[: len(chunk) // 2])
                return
            self.wfile.write(chunk)
            self.wfile.write(b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _stream(self, lines: Iterator[bytes], fault: Fault | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        count = 0
        for line in lines:
            if not line:
                if self._is_left():
                    self.close_connection = True
                    return
                continue
            if fault and count == fault.after and not self._goes_on_after(fault, line):
                return
            count += 1
            self._chunk(line)
        if self.server.over.is_set():
            self._hang_up()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _goes_on_after(self, fault: Fault, line: bytes) -> bool:
        """Bring trouble before `line`, and return whether the watch goes on with it."""
        match fault.trouble:
            case Trouble.TWICE:
                self._chunk(line)
            case Trouble.GARBAGE:
                self._chunk(b'{"type":"MODIFIED","object":{"metadata":\n')
            case Trouble.CUT:
                self._chunk(line[: len(line) // 2])
                self._hang_up()
                return False
            case Trouble.CUT_CHUNK:
                self.wfile.write(b"%x\r\n%s" % (len(line), line[: len(line) // 2]))
                self._hang_up()
                return False
            case Trouble.END | Trouble.EXPIRED_EVENT | Trouble.ERROR_EVENT:
                if fault.trouble is Trouble.EXPIRED_EVENT:
                    self._chunk(error_of(statuses.expired("too old resource version: 1 (2)")))
                elif fault.trouble is Trouble.ERROR_EVENT:
                    self._chunk(error_of(statuses.internal_error("etcdserver: mvcc: required revision")))
                self.wfile.write(b"0\r\n\r\n")
                return False
        return True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _hang_up(self) -> None:
        self.close_connection = True
        _cut(self.connection)

    def _is_left(self) -> bool:
        """Whether the client has closed its end."""
        if isinstance(self.connection, ssl.SSLSocket):
            return False
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False

    def log_message(self, *_: object) -> None:
        """Say nothing: the log is `ApiServer.asked`."""


_CUTS = (Trouble.CUT, Trouble.CUT_CHUNK)


def _parsed(api: ApiServer, method: str, path: str, query: dict[str, str]) -> Asked:
    parts = [unquote(part) for part in path.strip("/").split("/")]
    plain = Asked(method, path, query)
    if parts[0] == "api":
        group, version, rest = "", parts[1:2], parts[2:]
    elif parts[0] == "apis":
        group, version, rest = "".join(parts[1:2]), parts[2:3], parts[3:]
    else:
        return plain
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    collection = api.store.collections.get((group, rest[0])) if rest else None
    if collection is None or version[0] not in collection.served.versions or len(rest) > 2:
        return plain
    if len(rest) == 2:
        return Asked(method, path, query, "get", str(collection.served), namespace, rest[1])
    verb = "watch" if query.get("watch") in {"true", "1"} else "list"
    return Asked(method, path, query, verb, str(collection.served), namespace)


def _version(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "api" else parts[2]


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # It is closed already.


def certificate(folder: Path) -> Path:
    """Return a certificate for 127.0.0.1 that is its own authority, made by openssl."""
    file = folder / "ca.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "2", "-subj", "/CN=gitopslab-test", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return file
