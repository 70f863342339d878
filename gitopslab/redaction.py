"""What is hidden before anything lands: credentials, and the e-mail addresses of people.

With `credentials`, the only place that decides what a secret is. A batch is first searched by one linear-time
expression, which finds every object that could hold something to hide; only those are read string by string.

Three rules:

1. A string under a credential's name is hidden whole: `{"name": "DB_PASSWORD", "value": …}` (or `default`),
   `{"password": …}`, `--token …`, and `password: …` in text such as Helm values. A name's
   last word says whether it only describes one (`TOKEN_PATH`, `secretName`); a reference such as
   `$(params.token)` stays.
2. A credential that shows by its own look is hidden wherever it stands: user and password of a URL, tokens
   with a known prefix, JWTs, private keys, `Bearer …`.
3. An e-mail address becomes `email:` and 12 hexadecimal digits of its SHA-256: one person stays one person.
   The name beside it stays, as in public git history. `git@host` is no address.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gitopslab.credentials import HINT, NAME_CHARACTERS, SUSPICIOUS, is_credential_name, is_flag

HIDDEN = "[redacted]"

_AT_DOMAIN = r"@[\pL\pN][\pL\pN_-]*\."
_TOKEN = re.compile(r'"(?P<content>[^"\\]*+(?:\\.[^"\\]*+)*+)"?+\s*+(?P<colon>:?)|[{}\[\]]', re.DOTALL)
_WORTH_READING = re.compile(
    rf"{HINT}|auth|gh[pousr]_|github_pat|glpat-|xox|a[ks]ia|aiza|sk-|eyj|private|basic|@|\\u00",
    re.IGNORECASE,
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE.*?(?:-----END [A-Z ]{0,40}PRIVATE[A-Z ]*-----|\Z)", re.DOTALL
)
_USERINFO = re.compile(
    r'(?<=://)(?!git@[^\s"/@]*(?:[/\s"]|\Z))(?!\[redacted\]@)'
    r'(?:[^\s"/]{1,512}@|[^\s"/@:]{0,128}:(?!\d*(?:[/\s"]|\Z))[^\s"@]{1,256}@)(?!sha\d)'
)
_KNOWN_TOKEN = re.compile(
    r"gh[pousr]_\w{16,}|github_pat_\w+|glpat-[\w-]+|xox[abeprs]-[\w-]+|(?:AKIA|ASIA)[A-Z0-9]{16,}"
    r"|AIza[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r"|(?<![A-Za-z0-9-])sk-(?:[A-Za-z0-9]{20,}|(?:ant|proj|svcacct|admin|or|live|test)-[\w-]{16,}"
    r"|(?=[\w-]{0,200}[A-Z])(?=[\w-]{0,200}[0-9])[\w-]{20,})",
    re.ASCII,
)
_AUTHORIZATION = re.compile(r"\b(?:bearer|basic) +([A-Za-z0-9+/._~=-]{8,})", re.IGNORECASE)
_GENERATED = re.compile(r"(?=\S{8})(?:\S{20}|[^\W\d_]*[0-9]|\S[a-z]*[A-Z]|\S*[+/=])")

_NAMED = re.compile(
    rf"(?P<name>(?:{HINT}|auth)[\w.-]*+)(?P<quote>\\*+[\"'])?+"
    r"(?:[ \t\r\n]*+(?P<sign>=>|:=|:(?!//)|=(?!=))[ \t]*+|(?:[ \t]|\\?\r?\n)++)",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"(?:(?i:bearer|basic|token|digest) ++)?+"
    r'(?:"(?P<double>(?:[^"\\]|\\.)*+)'
    r"|'(?P<single>[^']*+)"
    r'|\\++"(?P<escaped>(?:[^"\\]|\\++[^"\\])*+)'
    r"|(?P<plain>[^\s\"']\S*+))",
    re.DOTALL,
)
_KEPT = re.compile(
    r"\[redacted\]|\$[({]|\{\{|\*+\Z|<[^<>]*>\Z|(?:\$[A-Z0-9_]+|(?i:true|false|null|none|nil|yes|no))?[,;)}\]]*\Z"
)
_LONGEST_LEAD = 200
_MARGIN = re.compile(r"[ \t]*(?:- +)*")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_BLOCK = re.compile(r"[|>][-+0-9]*[ \t]*\Z")

_KIND = re.compile(r"""\bkind["'\\]*+\s*+:\s*+["'\\]*+(\w+)""")
_SECRET_DATA = re.compile(r"""\b(?:data|stringData)["'\\]*+\s*+:""")

_DOMAIN = r"@(?:[^\W_][\w-]{0,62}\.){1,12}[^\W\d_]{2,24}"
_DOMAINS = re.compile(rf"{_DOMAIN}(?:[\w.%+'-]{{0,64}}{_DOMAIN})*")
_LOCAL_PART = re.compile(r"(?:\\+(?:u[0-9a-fA-F]{4}|[bfnrt])|(?<![\w.%+'\\-]))([\w.%+'-]{1,64})\Z")
_LONGEST_LOCAL_PART = 72


@dataclass(frozen=True)
class Redacted:
    """A batch that may land.

    Attributes:
        bodies: The texts given, in order; those with nothing to hide are byte for byte the same.
        counts: int32, what was hidden in each; 0 for a null.
    """

    bodies: pa.Array | pa.ChunkedArray
    counts: pa.Array


def is_secret(api_version: str, kind: str) -> bool:
    """Whether the kind is refused whole: a `v1` Secret, and nothing else."""
    return api_version == "v1" and kind == "Secret"


def redact(bodies: pa.Array | pa.ChunkedArray, *, salt: str = "") -> Redacted:
    """Return JSON texts with their credentials hidden and their e-mail addresses hashed.

    Each text stays JSON of the same shape; only the contents of strings change. Twice is as good as once.

    Args:
        bodies: JSON texts, one object each, of a string type.
        salt: Hashed before each address, so that addresses cannot be guessed by trying.
    """
    is_suspicious = pc.fill_null(pc.match_substring_regex(bodies, SUSPICIOUS), fill_value=False)
    has_address = pc.fill_null(_has_address(bodies), fill_value=False)
    counts = np.zeros(len(bodies), dtype=np.int32)
    is_changed = np.zeros(len(bodies), dtype=bool)
    changed = []
    is_read = pc.or_(is_suspicious, has_address)
    for index, body, is_whole in zip(
        pc.indices_nonzero(is_read).to_pylist(),
        bodies.filter(is_read).to_pylist(),
        is_suspicious.filter(is_read).to_pylist(),
        strict=True,
    ):
        redaction = _Redaction(salt)
        after = redaction.json(body) if is_whole else redaction.addresses(body)
        if redaction.count:
            counts[index] = redaction.count
            is_changed[index] = True
            changed.append(after)
    if changed:
        bodies = pc.replace_with_mask(bodies, pa.array(is_changed), pa.array(changed, bodies.type))
    return Redacted(bodies, pa.array(counts))


def redact_text(text: str, *, salt: str = "") -> str:
    """Return text of any form (a message, a path, a piece of a broken document) with the same hidden."""
    return _Redaction(salt).text(text)


def redact_piece(text: str, *, salt: str = "") -> str:
    """Return a piece of a document that could not be read, with the same hidden, and a Secret whole.

    Where a Secret's document ends early its data stand under any name, and its kind may not be there yet.
    """
    kinds = set(_KIND.findall(text)) - {"List"}
    is_hidden = _SECRET_DATA.search(text) is not None if not kinds else bool(kinds & {"Secret", "SecretList"})
    return f"{HIDDEN}: it may be a Secret" if is_hidden else redact_text(text, salt=salt)


def hashed_address(address: str, *, salt: str = "") -> str:
    """Return what stands for an e-mail address: the same wherever it is met, in a column or in a text."""
    return f"email:{hashlib.sha256(f'{salt}{address.lower()}'.encode()).hexdigest()[:12]}"


def redact_texts(texts: pa.Array, *, salt: str = "") -> Redacted:
    """Return texts of any form with the same hidden; each counts for one, however much that hid."""
    is_read = pc.fill_null(
        pc.match_substring_regex(texts, _WORTH_READING.pattern, ignore_case=True), fill_value=False
    )
    before = texts.filter(is_read).to_pylist()
    after = [redact_text(text, salt=salt) for text in before]
    is_changed = pa.array([int(a != b) for a, b in zip(before, after, strict=True)], pa.int32())
    counts = pa.array(np.zeros(len(texts), dtype=np.int32))
    return Redacted(
        pc.replace_with_mask(texts, is_read, pa.array(after, texts.type)),
        pc.replace_with_mask(counts, is_read, is_changed),
    )


def _has_address(bodies: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Whether more stands before an @domain than `git`; a longer name that ends so is suspicious anyway."""
    return pc.greater(
        pc.count_substring_regex(bodies, _AT_DOMAIN), pc.count_substring_regex(bodies, f"git{_AT_DOMAIN}")
    )


@dataclass(slots=True)
class _Container:
    """A JSON object or array while it is read; an array stands under the key of its object."""

    is_array: bool = False
    key: str = ""
    name: str = ""
    after_flag: bool = False
    values: list[re.Match[str]] = field(default_factory=list)

    def opened(self, bracket: str) -> "_Container":
        if bracket == "{":
            return _Container()
        return _Container(is_array=True, key=self.key, values=self.values)


@dataclass
class _Redaction:
    """One text's redaction: what it hid, counted."""

    salt: str
    count: int = 0

    def json(self, document: str) -> str:
        """Redact every string of a JSON text, or of a piece of one, by its place and by its content."""
        containers = [_Container()]
        edits: dict[tuple[int, int], str] = {}
        for token in _TOKEN.finditer(document):
            bracket = token[0]
            if bracket in {"{", "["}:
                containers.append(containers[-1].opened(bracket))
            elif bracket in {"}", "]"}:
                edits |= self._closed(containers.pop())
                containers = containers or [_Container()]
            else:
                edits |= self._string(token, containers[-1])
        while containers:
            edits |= self._closed(containers.pop())
        return _edited(document, edits)

    def text(self, text: str) -> str:
        """Redact free text; JSON in it is read as such."""
        if '"' in text:
            is_json = _is_json(text)
            text = self.json(text)
            if is_json:
                return text
        text = _PRIVATE_KEY.sub(self._hide, text)
        text = self._assignments(text)
        text = _USERINFO.sub(self._hide_userinfo, text)
        text = _KNOWN_TOKEN.sub(self._hide, text)
        text = _AUTHORIZATION.sub(self._hide_authorization, text)
        return self.addresses(text)

    def addresses(self, text: str) -> str:
        """Hash the e-mail addresses in a text, JSON or not: what is before an address may be an escape."""
        edits: dict[tuple[int, int], str] = {}
        done = 0
        for domain in _DOMAINS.finditer(text):
            found = _LOCAL_PART.search(text[max(done, domain.start() - _LONGEST_LOCAL_PART) : domain.start()])
            local_part = found[1].lstrip(".%+'-") if found else ""
            if local_part and local_part != "git":
                hashed = hashed_address(local_part + domain[0], salt=self.salt)
                edits[domain.start() - len(local_part), domain.end()] = hashed
            done = domain.end()
        self.count += len(edits)
        return _edited(text, edits)

    def _string(self, token: re.Match[str], container: _Container) -> dict[tuple[int, int], str]:
        if token["colon"] and not container.is_array:
            container.key, container.after_flag = self._name(token), False
            return self._content(token)
        if container.key in {"value", "default"}:
            container.values.append(token)
            return {}
        if container.key == "name" and not container.is_array:
            container.name = self._name(token)
        after_flag, container.after_flag = container.after_flag, is_flag(token["content"])
        if after_flag and not token["content"].startswith("-"):
            return self._hidden(token)
        return self._hidden(token) if is_credential_name(container.key) else self._content(token)

    def _name(self, token: re.Match[str]) -> str:
        # As it will land, so that a second redaction judges the same name.
        content = token["content"]
        return _decoded((_read_often if len(content) < _SHORT else _read)(content, self.salt)[0])

    def _closed(self, container: _Container) -> dict[tuple[int, int], str]:
        edits: dict[tuple[int, int], str] = {}
        if not container.is_array:
            is_credential = is_credential_name(container.name)
            for token in container.values:
                edits |= self._hidden(token) if is_credential else self._content(token)
        return edits

    def _hidden(self, token: re.Match[str]) -> dict[tuple[int, int], str]:
        if _KEPT.match(token["content"]):
            return self._content(token)
        self.count += 1
        return {token.span("content"): HIDDEN}

    def _content(self, token: re.Match[str]) -> dict[tuple[int, int], str]:
        content = token["content"]
        after, count = (_read_often if len(content) < _SHORT else _read)(content, self.salt)
        self.count += count
        return {} if after == content else {token.span("content"): after}

    def _assignments(self, text: str) -> str:
        edits: dict[tuple[int, int], str] = {}
        position = 0
        while named := _NAMED.search(text, position):
            position = named.end()
            if span := _assigned(text, named):
                edits[span] = HIDDEN
                position = span[1]
        self.count += len(edits)
        return _edited(text, edits)

    def _hide(self, _: re.Match[str]) -> str:
        self.count += 1
        return HIDDEN

    def _hide_userinfo(self, _: re.Match[str]) -> str:
        self.count += 1
        return f"{HIDDEN}@"

    def _hide_authorization(self, found: re.Match[str]) -> str:
        if not _GENERATED.match(found[1]):
            return found[0]
        self.count += 1
        return found[0].removesuffix(found[1]) + HIDDEN


def _read(content: str, salt: str) -> tuple[str, int]:
    """Return what stands between the quotes of a JSON string, redacted, and how much that hid."""
    if not _WORTH_READING.search(content):
        return content, 0
    redaction = _Redaction(salt)
    before = _decoded(content)
    after = redaction.text(before)
    return (content if after == before else json.dumps(after)[1:-1]), redaction.count


# Objects of one kind share most of their keys and short strings.
_SHORT = 128
_read_often = lru_cache(maxsize=65536)(_read)


def _edited(text: str, edits: dict[tuple[int, int], str]) -> str:
    if not edits:
        return text
    parts: list[str] = []
    done = 0
    for (start, end), replacement in sorted(edits.items()):
        parts += text[done:start], replacement
        done = end
    return "".join((*parts, text[done:]))


def _decoded(content: str) -> str:
    if "\\" not in content:
        return content
    try:
        return str(json.loads(f'"{content}"', strict=False))
    except ValueError:
        return content  # text that only looks like JSON


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _assigned(text: str, named: re.Match[str]) -> tuple[int, int] | None:
    """Return where the value is that a text gives to a credential's name; `None` for prose and references."""
    value = _VALUE.match(text, named.end())
    lead = text[max(0, named.start() - _LONGEST_LEAD) : named.start()]
    before_name = lead.rstrip(NAME_CHARACTERS)
    name = lead.removeprefix(before_name) + named["name"]
    if value is None or not is_credential_name(name):
        return None
    start, end = value.span(str(value.lastgroup))
    if _KEPT.match(text[start:end]):
        return None
    if not named["sign"]:
        return (start, end) if name.startswith("--") and text[start] != "-" else None
    if named["sign"] != ":" or named["quote"]:
        return start, end
    is_spaced = named[0][-1].isspace()
    margin = before_name.rpartition("\n")[2]
    if is_spaced and _MARGIN.fullmatch(margin):
        return start, _end_of_yaml(text, start, margin) if value["plain"] else end
    is_credential = "pass" in name.lower() or (is_spaced and _GENERATED.match(text, start, end))
    return (start, end) if is_credential else None


def _end_of_yaml(text: str, start: int, margin: str) -> int:
    """Return where a YAML scalar ends: with its line, or a block's last line that stands deeper."""
    line = _REST_OF_LINE.match(text, start)
    end = line.end() if line else start
    if not _BLOCK.match(text, start, end):
        return end
    deeper = re.compile(rf"(?:\r?\n(?: {{{len(margin) + 1}}}[^\r\n]*|[ \t]*(?=\r?\n)))*")
    block = deeper.match(text, end)
    return block.end() if block else end
