"""Which store an address means."""

from __future__ import annotations

from pathlib import Path

from geo.errors import InvalidParameter, StoreUnreachable
from geo.store.base import Store


def open_store(
    url: str | Path, *, create: bool = True, readonly: str = "", read_s: float = 30.0, ready: bool = False
) -> Store:
    """Open a store.

    Parameters
    ----------
    url : ``postgresql://user@host/database`` for PostGIS, else the path of a GeoPackage (``.gpkg``)
    create : whether a missing GeoPackage may be made; a service that only reads says no
    readonly : for PostGIS, the address of a user, or a role, through which everything is read
    read_s : for PostGIS, seconds after which a read is given up
    ready : the tables are known to be there, so that PostGIS need not answer yet

    Raises
    ------
    InvalidParameter
        The address is neither.
    StoreUnreachable
        The server does not answer, or the file cannot be opened.
    InvalidInput
        The database is there, but is none of ours.
    """
    address = str(url)
    if address.startswith(("postgresql://", "postgres://")):
        from geo.store.postgis import PostGISStore

        return PostGISStore(address, readonly=readonly, read_s=read_s, ready=ready)
    if not address.lower().endswith(".gpkg"):
        raise InvalidParameter(
            f"不认识的数据库地址：{address.split('://')[0]}",
            where="store",
            remedy="应为 .gpkg 文件或 postgresql:// 地址",
        )
    if not create and not Path(address).exists():
        raise StoreUnreachable(
            f"数据库不存在：{address}", where=address, remedy="请先运行 lianpian import 或 lianpian demo"
        )
    from geo.store.geopackage import GeoPackageStore

    return GeoPackageStore(address)
