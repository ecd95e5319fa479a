"""Settings: flag > environment ``LIANPIAN_*`` > ``.env`` > ``lianpian.toml`` > default."""

from __future__ import annotations

from typing import Literal

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class Settings(BaseSettings):
    """What a service or a command needs to know; no secret has a default.

    ``store`` a GeoPackage path or ``postgresql://…`` · ``host``, ``port`` where to serve · ``organisation`` named on
    sheets · ``public_url`` the address that links carry, behind a proxy or where the Host header is not to be trusted ·
    ``uploads`` what the service does with uploaded files: nothing (``off``), look at them and report (``check``), or
    store them too (``import``) · ``upload_bytes`` the largest one.
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
