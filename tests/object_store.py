"""An object store at the wire: as much of S3's protocol as storing, listing, reading and removing take.

Buckets are made beforehand, and whoever does not sign with the store's access key is refused; signatures
themselves are not checked. A list shows few keys a page, so that whoever reads it has to go on.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

import pytest

ACCESS_KEY = "AKIAOBJECTSTOREOFTESTS"
SECRET_KEY = "a-secret-that-nobody-prints"  # noqa: S105 - of nothing
_PAGE_KEYS = 7


class ObjectStore(ThreadingHTTPServer):
    """What is in it, by bucket and key.

    Attributes:
        buckets: Contents of the keys of each.
        methods: What was asked, oldest first.
    """

    daemon_threads = True

    def __init__(self, *buckets: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: dict[str, dict[str, bytes]] = {name: {} for name in buckets}
        self.methods: list[str] = []
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.alone = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def called_by(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process find the store, and sign as somebody it knows."""
        monkeypatch.setenv("AWS_ENDPOINT_URL", self.url)
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@contextmanager
def serving(*buckets: str) -> Iterator[ObjectStore]:
    """Serve a store with empty `buckets` while the block lasts."""
    with ObjectStore(*buckets) as store:
        threading.Thread(target=store.serve_forever, daemon=True).start()
        yield store
        store.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: ObjectStore
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer in one piece: the second one would wait for the first to be acknowledged

    def do_GET(self) -> None:
        if "list-type" in self._query:
            self._list()
            return
        content = self._content()
        if content is None:
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not found:
            self._answer(200, content, {"ETag": '"1"'})
            return
        first, last = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
        headers = {"ETag": '"1"', "Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self._answer(206, content[first : last + 1], headers)

    def do_HEAD(self) -> None:
        if (content := self._content()) is not None:
            self._answer(200, content, {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"})

    def do_PUT(self) -> None:
        body = self._body()
        if self._bucket() is None:
            return
        if "uploadId" in self._query:
            self.server.uploads[self._query["uploadId"]][int(self._query["partNumber"])] = body
        else:
            self._put(body)
        self._answer(200, b"", {"ETag": '"1"'})

    def do_POST(self) -> None:
        body = self._body()
        if (bucket := self._bucket()) is None:
            return
        if "delete" in self._query:
            keys = re.findall(r"<Key>(.*?)</Key>", body.decode())
            for key in keys:
                bucket.pop(unescape(key), None)
            deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())
        elif "uploads" in self._query:
            name = f"upload-{len(self.server.uploads)}"
            self.server.uploads[name] = {}
            self._answer(200, f"<R><UploadId>{name}</UploadId></R>".encode())
        else:
            parts = self.server.uploads.pop(self._query["uploadId"])
            self._put(b"".join(parts[number] for number in sorted(parts)))
            self._answer(200, b"<R><ETag>1</ETag></R>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        pass

    @property
    def _query(self) -> dict[str, str]:
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in query.items()}

    @property
    def _place(self) -> tuple[str, str]:
        bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        return bucket, key

    def _bucket(self) -> dict[str, bytes] | None:
        with self.server.alone:
            self.server.methods.append(self.command)
        if f"Credential={ACCESS_KEY}/" not in self.headers.get("Authorization", ""):
            self._refuse(403, "InvalidAccessKeyId")
            return None
        bucket = self.server.buckets.get(self._place[0])
        if bucket is None:
            self._refuse(404, "NoSuchBucket")
        return bucket

    def _content(self) -> bytes | None:
        if (bucket := self._bucket()) is None:
            return None
        content = bucket.get(self._place[1])
        if content is None:
            self._refuse(404, "NoSuchKey")
        return content

    def _put(self, content: bytes) -> None:
        bucket, key = self._place
        with self.server.alone:
            self.server.buckets[bucket][key] = content

    def _list(self) -> None:
        if (bucket := self._bucket()) is None:
            return
        query = self._query
        prefix, delimiter, after = (query.get(n, "") for n in ("prefix", "delimiter", "continuation-token"))
        names = set()
        for key in bucket:
            if key.startswith(prefix):
                head, sign, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else (key, "", "")
                names.add(prefix + head + sign if delimiter else key)
        page = [name for name in sorted(names) if name > after]
        shown, more = page[:_PAGE_KEYS], len(page) > _PAGE_KEYS
        entries = [
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            if delimiter and name.endswith(delimiter)
            else f"<Contents><Key>{escape(name)}</Key><Size>{len(bucket[name])}</Size><ETag>1</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for name in shown
        ]
        token = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        body = f"<ListBucketResult>{truncated}{token}{''.join(entries)}</ListBucketResult>"
        self._answer(200, body.encode())

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
