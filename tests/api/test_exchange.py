"""Files over HTTP: uploads take the same door as files on the command line, downloads come out of the store's one."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import shapely
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from geo.layers.writing import FORMATS
from geo.store.base import Query, Store
from tests.district import Analysed

SQUARES = [shapely.box(120 + i / 100, 32, 120.005 + i / 100, 32.005) for i in range(3)]
RAW = {"content-type": "application/octet-stream"}


@pytest.fixture
def serve(store: Store) -> Callable[..., TestClient]:
    """A service over an empty store of either kind, as the settings say."""

    def made(**settings: Any) -> TestClient:
        return TestClient(create_app(store, Settings(**settings)), raise_server_exceptions=False)

    return made


def package(folder: Path, **columns: Any) -> bytes:
    path = folder / "宗地.gpkg"
    table = gpd.GeoDataFrame(
        columns or {"parcel_id": ["A", "B", "C"], "holder": ["甲", "乙", "丙"]}, geometry=SQUARES, crs=4490
    )
    table.to_file(path, layer="parcels")
    return path.read_bytes()


def test_an_uploaded_file_is_checked_then_stored(serve: Any, store: Store, tmp_path: Path) -> None:
    client = serve(uploads="import")
    body = package(tmp_path)
    looked = client.post("/imports", params={"name": "宗地.gpkg"}, content=body, headers=RAW)
    assert looked.status_code == 200, looked.text
    (load,) = looked.json()["loads"]
    assert (load["layer"], load["read"], load["stored"], load["quarantined"]) == ("parcels", 3, 3, 0)
    assert load["sample"][0]["holder"] == "甲"
    assert store.count(Query("parcels")) == 0
    done = client.post("/imports", params={"name": "宗地.gpkg", "dry_run": "false"}, content=body, headers=RAW)
    assert done.status_code == 200
    assert store.count(Query("parcels")) == 3
    again = client.post("/imports", params={"name": "宗地.gpkg", "dry_run": "false"}, content=body, headers=RAW)
    assert again.json()["loads"][0]["unchanged"] == done.json()["loads"][0]["load_id"]
    assert len(store.loads()) == 1


@pytest.mark.parametrize(
    ("settings", "params", "headers", "status", "kind"),
    [
        ({"uploads": "off"}, {"name": "a.gpkg"}, RAW, 403, "forbidden"),
        ({}, {"name": "a.gpkg", "dry_run": "false"}, RAW, 403, "forbidden"),
        ({}, {"name": "a.gpkg"}, {"content-type": "text/plain"}, 415, "unsupported-media-type"),
        ({}, {"name": "a.exe"}, RAW, 400, "invalid-parameter"),
        ({}, {"name": "../../etc/passwd"}, RAW, 400, "invalid-parameter"),
        ({}, {"name": "a.gpkg", "profile": "../../secret.toml"}, RAW, 400, "invalid-parameter"),
        ({}, {"name": "地" * 190 + ".csv"}, RAW, 400, "invalid-parameter"),
        ({}, {"name": "a.csv", "crs": "+proj=longlat +nadgrids=/dev/zero"}, RAW, 400, "invalid-parameter"),
        ({}, {"name": "a.csv", "encoding": "unicode_escape"}, RAW, 400, "invalid-parameter"),
        ({}, {"name": "a.gpkg", "layer": "findings"}, RAW, 400, "invalid-parameter"),
        ({}, {"name": "a.gpkg", "surprise": "1"}, RAW, 400, "invalid-parameter"),
        ({}, {"name": "a.gpkg"}, RAW, 422, "invalid-input"),
        ({"upload_bytes": 10}, {"name": "a.gpkg"}, RAW, 413, "too-large"),
    ],
    ids=[
        "off",
        "check only",
        "form type",
        "ending",
        "path",
        "profile path",
        "long name",
        "grid",
        "codec",
        "derived layer",
        "parameter",
        "no gpkg",
        "large",
    ],
)
def test_uploads_are_refused_with_one_problem(
    serve: Any,
    store: Store,
    settings: dict[str, Any],
    params: dict[str, str],
    headers: dict[str, str],
    status: int,
    kind: str,
) -> None:
    answer = serve(**settings).post("/imports", params=params, content=b"not a geopackage", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")
    assert answer.json()["detail"]
    assert store.loads() == []


def test_a_masked_file_is_refused_over_http_too(serve: Any, tmp_path: Path) -> None:
    package(tmp_path, parcel_id=["SECRET"] * 3)
    mask = (
        f'<OGRVRTDataSource><OGRVRTLayer name="parcels"><SrcDataSource>{tmp_path / "宗地.gpkg"}</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>"
    )
    for name in ("a.geojson", "a.gpkg", "a.kml", "a.csv"):
        answer = serve().post("/imports", params={"name": name, "layer": "parcels"}, content=mask.encode(), headers=RAW)
        assert answer.status_code == 422
        assert "SECRET" not in answer.text


def test_one_upload_at_a_time(serve: Any, tmp_path: Path) -> None:
    client, body = serve(), package(tmp_path)
    with client.app.state.jobs.imports.slot():
        answer = client.post("/imports", params={"name": "a.gpkg"}, content=body, headers=RAW)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")
    assert client.post("/imports", params={"name": "a.gpkg"}, content=body, headers=RAW).status_code == 200


@pytest.fixture(scope="module")
def client(analysed: Analysed) -> TestClient:
    return TestClient(create_app(analysed.store, Settings(organisation="示范区自然资源局")))


def test_every_format_of_every_kind_of_layer(client: TestClient, analysed: Analysed) -> None:
    assert {one["format"] for one in client.get("/exports").json()["formats"]} == set(FORMATS)
    for name in FORMATS:
        answer = client.get("/exports/plots", params={"f": name})
        assert answer.status_code == 200, f"{name}: {answer.text[:300]}"
        assert int(answer.headers["x-rows"]) == analysed.store.count(Query("plots"))
        assert len(answer.content) > 200
        assert "attachment" in answer.headers["content-disposition"]


def test_a_drawn_polygon_and_a_filter_choose_rows(client: TestClient, analysed: Analysed, tmp_path: Path) -> None:
    parcels = analysed.store.read(Query("parcels"))
    west, south, east, north = parcels.total_bounds
    drawn = shapely.Polygon([(west, south), (east, south), ((west + east) / 2, (south + north) / 2)])
    large = parcels["area_m2"] >= 20_000
    expected = set(parcels["parcel_id"][large & shapely.intersects(np.asarray(parcels.geometry.array), drawn)])
    wanted = {
        "layer": "parcels", "format": "gpkg", "crs": "EPSG:4528", "filter": "area_m2 >= 20000",
        "polygon": json.loads(shapely.to_geojson(drawn)),
    }  # fmt: skip
    answer = client.post("/exports", json=wanted)
    assert answer.status_code == 200, answer.text
    (tmp_path / "a.gpkg").write_bytes(answer.content)
    found = gpd.read_file(tmp_path / "a.gpkg")
    assert found.crs.to_epsg() == 4528
    assert set(found["parcel_id"]) == expected
    assert expected
    listed = client.get(
        "/exports/parcels",
        params={"f": "geojson", "filter": "area_m2 >= 20000", "bbox": f"{west},{south},{east},{north}"},
    )
    assert len(listed.json()["features"]) == large.sum()


def test_a_spreadsheet_says_where_it_comes_from(client: TestClient, analysed: Analysed) -> None:
    book = openpyxl.load_workbook(io.BytesIO(client.get("/exports/findings", params={"f": "xlsx"}).content))
    said = "\n".join(str(cell.value) for row in book["说明"].iter_rows() for cell in row if cell.value is not None)
    assert analysed.run.run_id in said
    assert "示范区自然资源局" in said
    assert "4490" in said


def test_a_shapefile_comes_as_a_zip_with_its_dictionary(client: TestClient) -> None:
    answer = client.get("/exports/parcels", params={"f": "shp"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        endings = {Path(name).suffix for name in packed.namelist()}
    assert endings >= {".shp", ".dbf", ".shx", ".prj", ".cpg", ".csv"}


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"f": "doc"}, 400),
        ({"crs": "EPSG:27700"}, 400),
        ({"filter": "nothing = 1"}, 400),
        ({"filter": "area_m2 = 'x'"}, 400),
        ({"filter": "'; DROP TABLE parcels"}, 400),
        ({"names": "klingon"}, 400),
        ({"bbox": "1,2,3"}, 400),
        ({"surprise": "1"}, 400),
    ],
)
def test_bad_exports_are_problems(client: TestClient, params: dict[str, str], status: int) -> None:
    answer = client.get("/exports/parcels", params=params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_no_layer_of_that_name(client: TestClient) -> None:
    assert client.get("/exports/nothing").status_code == 404


def test_exports_leave_no_file_behind(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert client.get("/exports/plots").status_code == 200
    assert client.get("/exports/plots", params={"filter": "nothing = 1"}).status_code == 400
    assert client.get("/exports/plots", headers={"Range": "bytes=99999999-"}).status_code == 200
    assert client.get("/exports/plots", headers={"Range": "bytes=zzz"}).status_code == 200
    assert list(tmp_path.iterdir()) == []
