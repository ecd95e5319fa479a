"""Files that are made for one answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send


class OnceFile(FileResponse):
    """A file that was made for one answer: whole, and gone with its folder when it is sent or cannot be."""

    def __init__(self, folder: Path, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file; a range of it has no use, since the next request makes another file."""
        whole = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
        try:
            await super().__call__({**scope, "headers": whole}, receive, send)
        finally:
            await run_in_threadpool(shutil.rmtree, self.folder, ignore_errors=True)
