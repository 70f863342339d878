"""The kernel a report runs in: this interpreter, reached through sockets nobody else can open.

TCP kernels race for ports when several start at once, and talk unencrypted; IPC kernels in the
default folder collide. Here each has a folder of its own, which goes when the kernel does.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitopslab.settings import FILE, Settings

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

LOG = "kernel.log"
"""What the kernel's process itself said, in its folder: why it could not start, or how it crashed."""

# A path to a Unix socket is at most 108 bytes on Linux and 104 on macOS; what is added here needs 40.
_LONGEST_PARENT = 60
_SHORT_PARENT = "/tmp"  # noqa: S108 - the folder made in it is private (mode 0700) and of a random name


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield an empty folder that only this user can enter; it is removed afterwards."""
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > _LONGEST_PARENT:
        parent = _SHORT_PARENT
    with tempfile.TemporaryDirectory(prefix="gitopslab-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def kernel_manager(folder: Path, settings: Settings) -> "type[AsyncKernelManager]":
    """Return a kernel manager whose kernels keep to `folder` and find `settings`.

    The person's IPython profile, with its history and startup files, plays no part: a report is the
    same for everybody.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    environment = _environment(folder, settings)

    class PrivateKernelManager(AsyncKernelManager):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(
                transport="ipc",
                ip=str(folder / "socket"),
                connection_file=str(folder / "kernel.json"),
                **kwargs,
            )

        @property
        def kernel_spec(self) -> KernelSpec:
            argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name="Python 3", language="python")

        async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
            return await super()._async_pre_start_kernel(**{**kwargs, "env": environment})

        async def _async_launch_kernel(self, kernel_cmd: list[str], **kwargs: Any) -> None:
            with (folder / LOG).open("wb") as log:
                await super()._async_launch_kernel(kernel_cmd, stdout=log, stderr=log, **kwargs)

    return PrivateKernelManager


def _environment(folder: Path, settings: Settings) -> dict[str, str]:
    file = folder / FILE
    file.write_text(_toml(settings), encoding="utf-8")
    keys = tuple(f"GITOPSLAB_{field.upper()}" for field in Settings.model_fields)
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(keys)}
    return inherited | {
        "GITOPSLAB_CONFIG": str(file),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else a frozen standard library is warned of
    }


def _toml(settings: Settings) -> str:
    """Return `settings` as a gitopslab.toml, without the salt of hashes, which no report needs.

    TOML has no null: what is None is left out, as it is in a file.
    """
    tables = settings.model_dump(mode="json", exclude={"privacy"}, exclude_none=True)
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in tables.items())


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON leaves DEL as it is
