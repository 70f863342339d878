"""Errors gitopslab raises on purpose; anything else that escapes is a bug.

GitOpsLabError
├── UsageError                 wrong usage or input                          exit code 2
│   ├── SettingsError          gitopslab.toml or an environment variable
│   ├── QueryError             a .sql file, its header and the call disagree
│   ├── ParameterError         a report was given a parameter it does not take
│   └── LakeError              the lake or the warehouse is not there, or not one
├── SourceError                a source could not be read                    exit code 3
│   ├── UnreachableError       nobody answered, or not with an answer
│   ├── AccessDeniedError      401 or 403: the message names what to grant
│   ├── BadRequestError        400 or 422: it does not understand what it was asked
│   ├── BusyError              429 or 5xx: ask again, later
│   ├── ExpiredError           410: what was to be continued is no longer kept
│   └── NotServedError         the cluster has no such kind, so nothing is known about it
├── FindingsError              done, but findings or rejects above the limit exit code 1
└── ReportError                a notebook failed while it ran                exit code 1
"""

from typing import ClassVar


class GitOpsLabError(Exception):
    """Base of every error gitopslab raises; the command line prints it as one line.

    Attributes:
        exit_code: What the command ends with: 1 done but with findings, 2 wrong usage or input,
            3 a source is unreachable.
    """

    exit_code: ClassVar[int] = 1


class UsageError(GitOpsLabError):
    """The call or its input is wrong; the message says what would be right."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is missing, unknown or of the wrong type; the message names its key and file."""


class QueryError(UsageError):
    """A query file, its header and the parameters given do not agree."""


class ParameterError(UsageError):
    """A report was given a parameter it does not take, or a value of the wrong type."""


class LakeError(UsageError):
    """The lake or the warehouse is not there, or holds what gitopslab did not write."""


class SourceError(GitOpsLabError):
    """A source could not be read."""

    exit_code = 3


class UnreachableError(SourceError):
    """Nobody answered, or the answer was not of the protocol."""


class AccessDeniedError(SourceError):
    """The source refused; the message names the verb and resource to grant."""


class BadRequestError(SourceError):
    """The source does not understand the request, as an older one may not."""


class BusyError(SourceError):
    """The source answered that it cannot answer now.

    Attributes:
        retry_after_seconds: How long it asked to be left alone, where it said so.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ExpiredError(SourceError):
    """What was to be continued, a list or a watch, is older than what the source keeps."""


class NotServedError(SourceError):
    """The cluster serves no such kind; that is not the same as having no such object."""


class FindingsError(GitOpsLabError):
    """The work is done, and found more than the limit given allows."""


class ReportError(GitOpsLabError):
    """A notebook failed while it ran; the executed notebook is kept and named."""
