"""The map page: sources in ``src``, built by npm into ``dist``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from geo.errors import NotFound


def dist_folder() -> Path:
    """The folder of the built page and its vendored assets.

    Raises
    ------
    NotFound
        The page was not built.
    """
    folder = Path(str(files(__name__))) / "dist"
    if not (folder / "index.html").is_file():
        raise NotFound("地图页面尚未构建", where=folder.name, remedy="make workbench")
    return folder
