"""The HTTP interface over the demo district, through the front door of a running service."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mapbox_vector_tile
import numpy as np
import pytest
import shapely

from api.app import create_app
from api.settings import Settings
from geo.layers.schema import LAYERS
from geo.store.base import Query
from maps.tiles.layers import TILE_LAYERS
from maps.tiles.matrices import WEB_MERCATOR_QUAD
from tests.district import Analysed, Served


@pytest.fixture(scope="module")
def client(served_district: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served_district.url, timeout=60) as opened:
        yield opened


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/problems/{kind}"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["detail"]
    return body


# --- features ---------------------------------------------------------------------------------------------------------


def test_every_collection_is_listed_and_counted(client: httpx.Client, served_district: Served) -> None:
    listed = {item["id"]: item for item in client.get("/collections").json()["collections"]}
    assert set(listed) == set(LAYERS)
    for layer in listed:
        page = client.get(f"/collections/{layer}/items", params={"limit": 1}).json()
        assert page["numberMatched"] == served_district.store.count(Query(layer))


def test_paging_gives_every_feature_once(client: httpx.Client) -> None:
    seen: list[str] = []
    url: str | None = "/collections/findings/items?limit=150"
    while url:
        page = client.get(url).json()
        seen += [feature["id"] for feature in page["features"]]
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert len(seen) == len(set(seen)) == page["numberMatched"]
    assert seen == sorted(seen)


def test_bbox_is_what_shapely_says(client: httpx.Client, served_district: Served) -> None:
    everything = served_district.store.read(Query("parcels"))
    west, south, east, north = everything.total_bounds
    x, y, w, h = west + (east - west) / 3, south + (north - south) / 3, (east - west) / 9, (north - south) / 9
    box = (x, y, x + w, y + h)
    found = client.get("/collections/parcels/items", params={"bbox": ",".join(map(str, box)), "limit": 10000}).json()
    edges = shapely.bounds(np.asarray(everything.geometry.array))
    inside = (edges[:, 0] <= box[2]) & (edges[:, 2] >= box[0]) & (edges[:, 1] <= box[3]) & (edges[:, 3] >= box[1])
    assert {feature["id"] for feature in found["features"]} == set(everything["parcel_id"][inside])
    assert found["numberMatched"] == inside.sum() > 0


def test_one_item_with_its_properties(client: httpx.Client, served_district: Served) -> None:
    parcel = served_district.truth["findings"][0]["parcel_id"]
    feature = client.get(f"/collections/parcels/items/{parcel}").json()
    assert (feature["type"], feature["id"], feature["properties"]["parcel_id"]) == ("Feature", parcel, parcel)
    assert shapely.geometry.shape(feature["geometry"]).is_valid
    demand = client.get("/collections/demands/items").json()["features"][0]["properties"]
    assert demand["need"]["area_mu"]


@pytest.mark.parametrize(
    ("url", "status", "kind"),
    [
        ("/nowhere", 404, "not-found"),
        ("/collections/nothing", 404, "not-found"),
        ("/collections/nothing/items", 404, "not-found"),
        ("/collections/parcels/items/none", 404, "not-found"),
        ("/collections/parcels/items?bbox=1,2,3", 400, "invalid-parameter"),
        ("/collections/parcels/items?bbox=a,b,c,d", 400, "invalid-parameter"),
        ("/collections/parcels/items?bbox=nan,0,1,1", 400, "invalid-parameter"),
        ("/collections/parcels/items?bbox=2,2,1,1", 400, "invalid-parameter"),
        ("/collections/parcels/items?limit=0", 400, "invalid-parameter"),
        ("/collections/parcels/items?limit=x", 400, "invalid-parameter"),
        ("/collections/parcels/items?nothing=1001", 400, "invalid-parameter"),
        ("/findings?level=nothing", 400, "invalid-parameter"),
        ("/findings?kind=x", 400, "invalid-parameter"),
        ("/findings/statistics?by=geometry", 400, "invalid-parameter"),
        ("/findings/statistics?foo=1", 400, "invalid-parameter"),
        ("/parcels/none/findings", 404, "not-found"),
        ("/plots/none", 404, "not-found"),
        ("/runs/none", 404, "not-found"),
        ("/demands/none/matches", 404, "not-found"),
        ("/tiles/nothing.json", 404, "not-found"),
        ("/tiles/parcels/3/8/0.mvt", 404, "not-found"),
        ("/tiles/parcels/99/0/0.mvt", 404, "not-found"),
        ("/tiles/parcels/x/0/0.mvt", 404, "not-found"),
        ("/styles/nothing.json", 404, "not-found"),
    ],
)
def test_errors_are_problems(client: httpx.Client, url: str, status: int, kind: str) -> None:
    problem(client.get(url), status, kind)


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "'; DROP TABLE parcels; --", "parcel_id) OR (1=1", "%", "\x00", "1 UNION SELECT 1"]
)
def test_values_are_never_sql(client: httpx.Client, served_district: Served, text: str) -> None:
    before = served_district.store.count(Query("parcels"))
    for url, params in (
        ("/findings", {"town": text}),
        ("/findings", {"after": text}),
        ("/collections/parcels/items", {"after": text, "limit": 1}),
    ):
        assert client.get(url, params=params).status_code in (200, 400)
    quoted = httpx.URL("/").copy_with(
        raw_path=b"/collections/parcels/items/"
        + text.encode().replace(b"\x00", b"%00").replace(b" ", b"%20").replace(b"%", b"%25", 1)
    )
    assert client.get(quoted).status_code in (400, 404)
    assert served_district.store.count(Query("parcels")) == before


# --- analysis ---------------------------------------------------------------------------------------------------------


def test_the_newest_run_tells_its_parameters_and_loads(client: httpx.Client, served_district: Served) -> None:
    run = client.get("/runs/latest").json()
    assert run["summary"]["plots"] == served_district.truth["counts"]["plots"]
    assert run["parameters"]["plots"]["gap_m"] == 20
    assert {load["layer"] for load in run["loads"]} >= {"parcels", "barriers"}
    assert len(run["bounds"]) == 4
    assert client.get(f"/runs/{run['run_id']}").json() == run


def test_statistics_equal_the_findings(client: httpx.Client) -> None:
    summary = client.get("/runs/latest").json()["summary"]["by_level"]
    rows = client.get("/findings/statistics", params={"by": "level"}).json()["rows"]
    for level in ("idle_1y", "idle_2y", "idle_stalled"):
        (row,) = [row for row in rows if row["key"] == level]
        assert row["count"] == summary[level]["count"]
        assert row["mu"] == pytest.approx(summary[level]["mu"], abs=0.01)
    by_town = client.get("/findings/statistics", params={"by": "town"}).json()["rows"]
    assert sum(row["count"] for row in by_town if row["level"] == "idle_2y") == summary["idle_2y"]["count"]


def test_findings_can_be_filtered_and_paged(client: httpx.Client, served_district: Served) -> None:
    wanted = [row for row in served_district.truth["findings"] if row["level"] in ("idle_1y", "idle_2y")]
    page = client.get("/findings", params={"kind": "idle", "level": "idle_1y,idle_2y", "limit": 10_000}).json()
    assert page["matched"] == len(page["findings"]) == len(wanted)
    first = client.get("/findings", params={"limit": 2}).json()
    second = client.get("/findings", params={"limit": 2, "after": first["next"]}).json()
    assert {row["finding_id"] for row in first["findings"]}.isdisjoint(row["finding_id"] for row in second["findings"])


def test_the_card_of_an_idle_parcel_names_rule_evidence_and_article(
    client: httpx.Client, served_district: Served
) -> None:
    planted = next(row for row in served_district.truth["findings"] if row["level"] == "idle_2y")
    card = client.get(f"/parcels/{planted['parcel_id']}/findings").json()
    finding = next(item for item in card["findings"] if item["rule"] == "IDLE_A")
    assert "令第53号" in finding["source"].replace("国土资源部", "")
    assert finding["confidence"] == "suspected"
    assert {item["field"] for item in finding["evidence"]} & {"start_due", "handover_date"}
    assert card["parcel"]["area_mu"] == pytest.approx(card["parcel"]["area_m2"] * 3 / 2000, abs=0.01)


def test_the_card_of_a_plot_explains_it(client: httpx.Client) -> None:
    plots = client.get("/plots").json()["plots"]
    assert [plot["area_m2"] for plot in plots] == sorted((plot["area_m2"] for plot in plots), reverse=True)
    for plot in plots:
        card = client.get(f"/plots/{plot['plot_id']}").json()
        assert sum(member["area_m2"] for member in card["members"]) == pytest.approx(plot["area_m2"], abs=0.01)
        assert len(card["members"]) == plot["parcel_count"]
        assert len(card["evidence"]["bridges"]) == plot["bridge_count"]
        circle = card["evidence"]["inscribed_circle"]
        assert circle["radius_m"] == pytest.approx(plot["inscribed_radius_m"], abs=0.06)


# --- sites ------------------------------------------------------------------------------------------------------------


def test_a_question_gets_ranked_sites_with_reasons(client: httpx.Client) -> None:
    need = {"area_mu": {"min": 500, "max": 1200}, "land_use": ["1001", "16"], "max_km": {"motorway_ramp": 8}}
    answer = client.post("/sites/search", json=need).json()
    assert answer["matched"] > 0
    assert [site["rank"] for site in answer["sites"]] == list(range(1, len(answer["sites"]) + 1))
    for site in answer["sites"]:
        assert site["area_mu"] >= 500
        assert all(item["outcome"] != "fail" for item in site["conditions"])
    assert answer["excluded_total"] > 0
    assert all(site["reasons"] for site in answer["excluded"])


def test_every_registered_demand_is_answered(client: httpx.Client, served_district: Served) -> None:
    demands = served_district.store.read(Query("demands"))
    matched = {name: client.get(f"/demands/{name}/matches").json()["matched"] for name in demands["demand_id"]}
    assert len(matched) >= 12
    assert any(matched.values())
    assert not all(matched.values())


@pytest.mark.parametrize(
    "body",
    [{}, {"area_mu": {}}, {"area_mu": {"min": -5}}, {"area_mu": {"min": 1}, "limit": 100000},
     {"area_mu": {"min": 1}, "max_km": {"x": 1}}, {"area_mu": {"min": "viel"}}, []],
)  # fmt: skip
def test_a_broken_need_is_a_problem(client: httpx.Client, body: Any) -> None:
    assert problem(client.post("/sites/search", json=body), 422, "invalid-parameter")["errors"]


def test_an_unexpected_failure_is_a_problem_without_its_cause(analysed_geopackage: Analysed) -> None:
    app = create_app(analysed_geopackage.store)

    @app.get("/boom")
    def boom() -> None:
        raise RuntimeError("a secret path")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as inside:
            return await inside.get("/boom")

    answer = asyncio.run(ask())
    problem(answer, 500, "failure")
    assert "secret" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_links_carry_the_configured_address_whatever_the_host_header_says(analysed_geopackage: Analysed) -> None:
    async def ask(public_url: str) -> str:
        transport = httpx.ASGITransport(app=create_app(analysed_geopackage.store, Settings(public_url=public_url)))
        async with httpx.AsyncClient(transport=transport, base_url="http://elsewhere.example") as inside:
            return (await inside.get("/tiles/plots.json")).json()["tiles"][0]

    assert asyncio.run(ask("https://land.example/")).startswith("https://land.example/tiles/")
    assert asyncio.run(ask("")).startswith("http://elsewhere.example/tiles/")


def test_another_method_is_told_which_ones_there_are(client: httpx.Client) -> None:
    answer = client.delete("/plots")
    problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


def test_a_body_beyond_the_limit_is_refused(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * (1 << 16)

    # Without a stated length, so that the bytes have to be counted.
    answer = client.post("/sites/search", content=endless(), headers={"Content-Type": "application/json"})
    problem(answer, 413, "too-large")


# --- tiles ------------------------------------------------------------------------------------------------------------


def tile_of(lon: float, lat: float, z: int) -> tuple[int, int]:
    x = int((lon + 180) / 360 * 2**z)
    y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z)
    return x, y


@pytest.mark.parametrize(
    ("layer", "z"), [("parcels", 14), ("findings", 12), ("plots", 10), ("plots", 14), ("towns", 9), ("terminals", 11)]
)
def test_a_tile_holds_the_features_of_its_box(
    client: httpx.Client, served_district: Served, layer: str, z: int
) -> None:
    source = TILE_LAYERS[layer].source
    everything = served_district.store.read(Query(source))
    centre = everything.geometry.iloc[len(everything) // 2].representative_point()
    x, y = tile_of(centre.x, centre.y, z)
    answer = client.get(f"/tiles/{layer}/{z}/{x}/{y}.mvt")
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    decoded = mapbox_vector_tile.decode(answer.content, default_options={"y_coord_down": True})
    assert list(decoded) == [layer]
    features = decoded[layer]["features"]
    key = LAYERS[source].key
    inside = everything[
        shapely.intersects(
            shapely.box(*WEB_MERCATOR_QUAD.lonlat_bounds(z, x, y)), np.asarray(everything.geometry.array)
        )
    ]
    drawn = {feature["properties"][key] for feature in features}
    assert set(inside[key]) <= drawn
    assert len({feature["id"] for feature in features}) == len(features)


def test_a_tile_in_gdal(client: httpx.Client, served_district: Served, tmp_path: Path) -> None:
    west, south, east, north = served_district.store.bounds("plots")  # type: ignore[misc]
    z = 9
    x, y = tile_of((west + east) / 2, (south + north) / 2, z)
    tile = tmp_path / "tile.mvt"
    tile.write_bytes(client.get(f"/tiles/plots/{z}/{x}/{y}.mvt").content)
    told = subprocess.run(
        ["ogrinfo", "-ro", "-so", "-oo", f"X={x}", "-oo", f"Y={y}", "-oo", f"Z={z}", f"MVT:{tile}", "plots"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "Feature Count: 8" in told
    assert "plot_id: String" in told


def test_tiles_are_cached_by_revision(client: httpx.Client, served_district: Served) -> None:
    west, south, east, north = served_district.store.bounds("plots")  # type: ignore[misc]
    x, y = tile_of((west + east) / 2, (south + north) / 2, 9)
    first = client.get(f"/tiles/plots/9/{x}/{y}.mvt")
    assert first.headers["content-encoding"] == "gzip"
    again = client.get(f"/tiles/plots/9/{x}/{y}.mvt", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = client.get(f"/tiles/plots/9/{x}/{y}.mvt", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == first.content
    assert client.get("/tiles/plots/9/0/0.mvt").status_code == 204


def test_tilejson_describes_what_the_tiles_hold(client: httpx.Client) -> None:
    for name, layer in TILE_LAYERS.items():
        document = client.get(f"/tiles/{name}.json").json()
        assert document["tilejson"] == "3.0.0"
        assert document["minzoom"] == layer.min_zoom
        assert set(layer.columns) <= set(document["vector_layers"][0]["fields"])


# --- clients and pages ------------------------------------------------------------------------------------------------


def test_gdal_reads_the_plots_as_ogc_api_features(served_district: Served) -> None:
    told = subprocess.run(
        ["ogrinfo", "-ro", "-so", f"OAPIF:{served_district.url}", "plots"], capture_output=True, text=True, check=True
    ).stdout
    assert "Feature Count: 8" in told
    assert "area_m2: Real" in told


def test_every_answer_carries_the_security_headers(client: httpx.Client) -> None:
    for url in ("/", "/docs", "/runs/latest", "/nowhere", "/static/nothing.js", "/tiles/plots.json"):
        headers = client.get(url).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-request-id"]


def test_pages_name_no_other_host(client: httpx.Client) -> None:
    for url in ("/", "/docs", "/styles/district.json"):
        text = client.get(url).text.replace(str(client.base_url), "/")
        named = ("http://www.w3.org", "http://www.opengis.net/def/")  # names of things, fetched by nobody
        for name in named:
            text = text.replace(name, "")
        assert "http://" not in text
        assert "https://" not in text


def test_the_landing_page_for_machines(client: httpx.Client) -> None:
    links = {link["rel"] for link in client.get("/", headers={"Accept": "application/json"}).json()["links"]}
    assert {"data", "conformance", "service-desc"} <= links
    assert "text/html" in client.get("/", headers={"Accept": "text/html"}).headers["content-type"]
    assert json.loads(client.get("/openapi.json").text)["paths"]
