"""Tiles over HTTP: what is cached how long, what is refused, and that all workers say the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from geo.store.base import Store
from geo.store.opening import open_store
from tests.tiles.test_editions import chequered, stored, tiles_at

HERE = tiles_at(10, chequered(4))[0]
TILE = f"/tiles/parcels/10/{HERE[0]}/{HERE[1]}.mvt"


class Service(NamedTuple):
    """A service over sixteen parcels."""

    client: TestClient
    store: Store
    settings: Settings


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Published when the first tile is asked for, as nobody watches the store."""
    store = open_store(tmp_path / "d.gpkg")
    stored(store, chequered(4))
    settings = Settings(store=str(tmp_path / "d.gpkg"), publish=False, editions_kept=1)
    yield Service(TestClient(create_app(store, settings), raise_server_exceptions=False), store, settings)
    store.close()


def test_the_first_tile_waits_for_the_first_edition(service: Service) -> None:
    answer = service.client.get(TILE)
    assert (answer.status_code, answer.headers["x-tile-features"]) == (200, "16")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-edition"] == service.client.get("/editions").json()["current"]


def test_a_tile_is_sent_again_only_when_its_layer_changed(service: Service) -> None:
    tag = service.client.get(TILE).headers["etag"]
    for given in (tag, f'"other", {tag}', "*"):
        again = service.client.get(TILE, headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    stored(service.store, chequered(4).iloc[:15], "L2")
    service.client.app.state.editions.publish()  # type: ignore[attr-defined]
    fresh = service.client.get(TILE, headers={"If-None-Match": tag})
    assert (fresh.status_code, fresh.headers["x-tile-features"]) == (200, "15")
    assert fresh.headers["etag"] != tag


def test_an_edition_has_addresses_that_never_change_until_it_is_gone(service: Service) -> None:
    name = service.client.get(TILE).headers["x-edition"]
    document = service.client.get(f"/editions/{name}/tiles/parcels.json").json()
    assert document["tiles"] == [f"http://testserver/editions/{name}/tiles/parcels/{{z}}/{{x}}/{{y}}.mvt"]
    pinned = service.client.get(f"/editions/{name}{TILE}")
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert pinned.content == service.client.get(TILE).content
    stored(service.store, chequered(5), "L2")
    service.client.app.state.editions.publish()  # type: ignore[attr-defined]
    gone = service.client.get(f"/editions/{name}{TILE}")
    assert (gone.status_code, gone.json()["type"]) == (410, "/problems/gone")


def test_all_workers_give_the_same_tag_and_bytes(service: Service) -> None:
    asked = [TILE, f"{TILE}?properties=town", f"{TILE}?filter=area_m2%20%3E%201"]
    other = TestClient(create_app(service.store, service.settings))
    for url in asked:
        one, two = service.client.get(url), other.get(url)
        assert (one.headers["etag"], one.content) == (two.headers["etag"], two.content)
    assert len({service.client.get(url).headers["etag"] for url in asked}) == len(asked)


def test_several_layers_come_in_one_tile(service: Service) -> None:
    answer = service.client.get(TILE.replace("parcels", "towns,parcels,barriers"))
    assert answer.headers["x-tile-features"] == "16"
    document = service.client.get("/tiles/towns,parcels.json").json()
    assert [layer["id"] for layer in document["vector_layers"]] == ["towns", "parcels"]


def test_head_tells_what_get_would_send(service: Service) -> None:
    told, sent = service.client.head(TILE), service.client.get(TILE, headers={"Accept-Encoding": "identity"})
    assert told.status_code == 200
    assert told.content == b""
    assert "content-encoding" not in sent.headers
    assert len(sent.content) == int(sent.headers["content-length"])
    refused = service.client.post(TILE)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("url", "status", "where"),
    [
        (f"{TILE}?limit=5", 400, "query"),
        (f"{TILE}?properties=town&properties=holder", 400, "query"),
        (f"{TILE}?properties=nothing", 400, "properties"),
        (f"{TILE}?properties=extra", 400, "properties"),
        (f"{TILE}?filter=nothing%20%3D%201", 400, "filter"),
        (f"{TILE}?filter=length(version())%20%3E%205", 400, "filter"),
        (f"{TILE}?filter=(((", 400, "filter"),
        (f"{TILE}?filter=town%3D%27a%27&filter-lang=sql", 400, "filter-lang"),
        (f"{TILE}?filter=s_intersects(geom,POINT(120%2031.5))", 400, "filter"),
        (f"{TILE}?properties=%ff", 400, "query"),
        (TILE.replace("parcels", "parcels,parcels"), 400, "layer"),
        (TILE.replace("parcels", "enterprises"), 404, "layer"),
        ("/tiles/parcels/23/0/0.mvt", 404, "z/x/y"),
        ("/tiles/parcels/3/0/99999999999999999999.mvt", 404, "z/x/y"),
        ("/collections/parcels/tiles/Nothing/3/0/0", 404, "tileMatrixSet"),
    ],
)
def test_what_cannot_be_asked_is_told(service: Service, url: str, status: int, where: str) -> None:
    answer = service.client.get(url)
    assert (answer.status_code, answer.json()["where"]) == (status, where), answer.text


def test_where_nothing_is_drawn_there_is_no_content(service: Service) -> None:
    assert service.client.get("/tiles/parcels/14/0/0.mvt").status_code == 204
    assert service.client.get("/tiles/parcels/2/3/1.mvt").status_code == 204, "below the layer's first zoom"
