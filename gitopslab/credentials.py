"""Credentials: the names they go by, and the expression that finds every text that may hold one.

A name's last word says whether it only describes a credential (`TOKEN_PATH`, `secretName`) or stands for one.
"""

import re
from functools import lru_cache

_DESCRIBING = re.compile(
    "account|age|algorithm|audience|budget|class|count|dir|directory|disabled|duration|email|enabled|endpoint"
    "|expir(?:ation|es|y)|file|folder|format|header|host|hours|ids?|interval|issuer|keys|kind|label|length|limit"
    "|login|max|method|min|minutes|mode|mount|[a-z]*name|namespace|paths?|pattern|policy|port|prefix|provider"
    "|reason|refs?|required|review|scopes?|seconds|size|source|status|store|template|timeout|total|ttl|type|uri"
    "|url|usage|used|user|var|version|volume"
)
_CREDENTIAL_WORDS = re.compile(
    r"(?:passwords?|passwd|passphrase|passcode|secret|token|credentials?|connection_?string"
    r"|(?:api|private|access|signing|encryption|account|ssh|master|client)_?key)(?:_|$)"
    r"|(?:^|_)(?:pwd|dsn|creds|bearer|authorization)(?:_|$)"
    r"|(?:^|_)auth$|(?:db|user|smtp|admin|root)_?pass$"
)
_NAME_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Za-z][a-z]*")
NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
"""What a name in a text is made of."""

# Supersets of _CREDENTIAL_WORDS, for RE2 and Python alike; `auth` is one as the last word only.
_GAP = r'[^A-Za-z"\\]*'
HINT = (
    "(?:passw|passphrase|passcode|pwd|secret|token|credential|creds|dsn|bearer|authorization"
    rf"|connection{_GAP}string|(?:db|user|smtp|admin|root){_GAP}pass"
    rf"|(?:api|private|access|signing|encryption|account|ssh|master|client){_GAP}key)"
)
"""The telling part of a name, as an expression; what it matches may be a credential's name."""

_FLAG = re.compile(r"--[\w.-]+\Z")


@lru_cache(maxsize=8192)
def is_credential_name(name: str) -> bool:
    """Whether a string under `name`, in any notation (`dbPassword`, `DB_PASSWORD`), is to be hidden."""
    words = [word.lower() for word in _NAME_WORDS.findall(name)]
    # PWD is a shell's working directory.
    if not words or _DESCRIBING.fullmatch(words[-1]) or name in {"PWD", "OLDPWD"}:
        return False
    return _CREDENTIAL_WORDS.search("_".join(words)) is not None


def is_flag(content: str) -> bool:
    """Whether `content` is a flag of a command line, such as `--token`, that a credential follows."""
    return content.startswith("--") and bool(_FLAG.match(content)) and is_credential_name(content)


def _any_of(*patterns: str) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def _hinted(rest: str) -> str:
    """Return the expression of a credential's name from its telling word on."""
    return rf"(?i:{HINT}{rest}|auth{_GAP})"


def _suspicious() -> str:
    """Return the RE2 expression that every JSON text with a credential matches, and few others do."""
    string = r'"(?:[^"\\]|\\.)*"'
    rest = r'(?:[^"\\]|\\.)*'
    flat = rf'[{{\[](?:[^"{{}}\[\]]|{string})*[}}\]]'
    opened = rf'[{{\[](?:[^"{{}}\[\]]|{string}|{flat})*'
    member = rf',\s*{string}\s*:\s*(?:{string}|[^"{{}}\[\],]+|{opened}[}}\]])\s*'
    # Deeper than an expression can follow: the object is read to know.
    deep = rf',\s*{string}\s*:\s*{opened}[{{\[](?:[^"{{}}\[\]]|{string})*[{{\[]'
    named = rf'"name"\s*:\s*"{rest}{_hinted(rest)}"'
    value = r'"(?:value|default)"\s*:\s*(?:\[|"(?:[^"$]|\$[^({]))'
    not_a_name = rf'(?:{rest}(?:[^e"]|[^m"]e|[^a"]me|[^n"]ame))?'
    blank = r"(?:\s|\\+[nrt])*"
    escape = r"\\u(?:[^0]|0[^0]|00[^3]|003[^cCeE])"
    embedded = r'(?:[^"\\]|\\+[^"\\]|\\{3,}")*'
    userinfo = r'(?:[^\s"/]*(?:[^t\s"/]|[^i\s"/]t|[^g\s"/]it)|i?t|[^\s"/]+git|[^\s"/@:]*:[^\s"@]*)'
    return _any_of(
        rf"{named}\s*(?:{member})*(?:,\s*{value}|{deep})",
        rf'"(?:value|default)"\s*:\s*(?:{string}|{opened}[}}\]])\s*(?:{member})*(?:,\s*{named}|{deep})',
        rf'{_hinted(not_a_name)}"\s*:\s*(?:\[|"[^"])',
        rf'(?i:{HINT}|auth){rest}@{rest}"\s*:',
        rf"{_hinted('[a-z0-9_.-]*')}(?:\\+\"|')?{blank}[:=]{blank}(?:\\*[\"'])?(?:[^\s$\"'\\]|\$[^({{]|\\+[^\"'nrt\\])",
        rf'(?i:{HINT}|auth){embedded}\\+"{blank}:',
        rf'--[\w.-]*{_hinted("[a-z0-9_.-]*")}(?:\s|\\+[nrt]|\\*")',
        r"gh[pousr]_\w{16}|github_pat_|glpat-|xox[abeprs]-|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30}",
        r"eyJ[\w-]{8,}\.|-----BEGIN [A-Z ]*PRIVATE|(?i:bearer|basic) +[\w+/.~=-]{8}",
        r"(?:[^A-Za-z0-9-]|\\[bfnrt]|\\u[0-9A-Fa-f]{4})sk-[\w-]{20}",
        rf":(?:\\?/){{2}}{userinfo}@(?:[^s]|s[^h]|sh[^a])",
        rf'\\+"name\\+"{blank}:{blank}\\+"{embedded}(?i:{HINT}|auth)',
        # Addresses that only the decoded text shows whole.
        r"[\w.%+'-]git@",
        rf'{escape}[^"\\@\s]*@|@[^"\\@\s]*{escape}',
        # A letter, digit, @, - or . written as an escape: no controller does, so it is read.
        r"\\u00(?:[4-7]|2[dDeE]|3[0-9])",
    )


SUSPICIOUS = _suspicious()
"""RE2: matches every JSON text in which redaction hides more than an e-mail address, and few others."""
