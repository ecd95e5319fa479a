"""Settings: flag > environment ``LIANPIAN_*`` > ``.env`` > ``lianpian.toml`` > default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from maps.tiles.keeping import KEPT, editions_folder


class Settings(BaseSettings):
    """What a service or a command needs to know; no secret has a default.

    ``store`` a GeoPackage path or ``postgresql://…`` · ``host``, ``port`` where to serve · ``organisation`` named on
    sheets · ``public_url`` the address that links carry, behind a proxy or where the Host header is not to be trusted ·
    ``uploads`` what the service does with uploaded files: nothing (``off``), look at them and report (``check``), or
    store them too (``import``) · ``upload_bytes`` the largest one.

    ``store_readonly`` address of a PostgreSQL user who may only read, or a role that reads take on · ``read_s``
    seconds after which a question to PostGIS is given up · ``editions`` folder of what the tiles are made from, by
    default beside a GeoPackage, else ``var/editions`` · ``editions_kept`` how many earlier ones stay ·
    ``tile_cache_mb`` finished tiles in the memory of a worker, 0 for none at all · ``publish`` whether the service
    watches the store and publishes what others committed · ``workers`` processes, 0 for one a core and at most four
    · ``requests_in_work``, ``requests_waiting`` questions to the store at the same time and in the queue, per
    worker (0: by cores) · ``tiles_in_work``, ``tiles_waiting`` the same of tiles · ``wait_s`` how long one waits ·
    ``shutdown_s`` how long running requests may take when the service is asked to stop · ``log_form`` ``json``,
    ``text`` or by the terminal · ``log_requests`` a line for every request.
    """

    model_config = SettingsConfigDict(
        env_prefix="LIANPIAN_", env_file=".env", toml_file="lianpian.toml", extra="ignore", frozen=True
    )

    store: str = "var/lianpian.gpkg"
    host: str = "127.0.0.1"
    port: int = 8000
    organisation: str = ""
    public_url: str = ""
    # Storing is switched on by whoever runs the service: as long as there are no accounts, anyone it answers may do it.
    uploads: Literal["off", "check", "import"] = "check"
    upload_bytes: int = 512 * 1024**2
    store_readonly: str = ""
    read_s: float = Field(default=30.0, gt=0)
    editions: str = ""
    tile_cache_mb: int = Field(default=256, ge=0, le=1_000_000)
    editions_kept: int = Field(default=KEPT, ge=1)
    publish: bool = True
    workers: int = Field(default=0, ge=0, le=64)
    requests_in_work: int = Field(default=0, ge=0, le=1000)
    requests_waiting: int = Field(default=64, ge=0, le=100_000)
    tiles_in_work: int = Field(default=64, ge=1, le=10_000)
    tiles_waiting: int = Field(default=512, ge=0, le=100_000)
    wait_s: float = Field(default=10.0, gt=0)
    shutdown_s: int = Field(default=20, ge=1, le=600)
    log_form: Literal["auto", "json", "text"] = "auto"
    log_requests: bool = True

    @property
    def editions_folder(self) -> Path:
        """Where editions are published."""
        return editions_folder(self.store, self.editions)

    @property
    def worker_count(self) -> int:
        """Processes of the service."""
        return self.workers or min(os.cpu_count() or 1, 4)

    @property
    def store_threads(self) -> int:
        """Threads of a worker that ask the store, and so its questions in work."""
        return self.requests_in_work or 2 * (os.cpu_count() or 1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of precedence, highest first."""
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)
