"""Units, zones and ellipsoidal areas."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod

from geo import crs
from geo.errors import InvalidParameter
from geo.units import M2_PER_MU, factor_to_stored, m2, mu


def test_fifteen_mu_are_a_hectare() -> None:
    assert mu(10_000) == 15
    assert m2(500.0) == pytest.approx(333_333.333333, abs=1e-6)
    assert M2_PER_MU == 2000 / 3


@pytest.mark.parametrize(
    ("unit", "stored", "factor"),
    [
        ("亩", "m2", 2000 / 3),
        ("公顷", "m2", 10_000),
        ("万元", "yuan/a", 10_000),
        ("元", "yuan", 1),
        ("平方米", "m2", 1),
    ],
)
def test_units_of_sources(unit: str, stored: str, factor: float) -> None:
    assert factor_to_stored(unit, stored) == pytest.approx(factor, rel=1e-15)


@pytest.mark.parametrize(("unit", "stored"), [("斤", "m2"), ("万元", "m2")])
def test_a_unit_that_does_not_fit_is_refused(unit: str, stored: str) -> None:
    with pytest.raises(InvalidParameter):
        factor_to_stored(unit, stored)


@pytest.mark.parametrize(("lon", "code"), [(120.2, 4549), (117.0, 4548), (118.4, 4548), (75.1, 4534), (135.0, 4554)])
def test_the_local_three_degree_zone(lon: float, code: int) -> None:
    assert crs.metric_crs(lon).to_epsg() == code


def test_outside_china_the_same_projection_serves() -> None:
    there = crs.metric_crs(-76.6)
    assert there.coordinate_operation.params[1].value == -78
    assert there.ellipsoid.semi_major_metre == 6_378_137


# GeographicLib on the CGCS2000 ellipsoid; edges of a parcel are short enough for both kinds of edge to agree.
GEOD = Geod(a=crs.SEMI_MAJOR_M, f=crs.FLATTENING)


@settings(deadline=None)
@given(st.floats(73, 135), st.floats(4, 53), st.floats(1e-5, 5e-3), st.floats(1e-5, 5e-3))
def test_area_agrees_with_geographiclib(lon: float, lat: float, width: float, height: float) -> None:
    box = shapely.box(lon, lat, lon + width, lat + height)
    hole = shapely.box(lon + width / 4, lat + height / 4, lon + width / 2, lat + height / 2)
    holed = box.difference(hole)
    areas = crs.ellipsoidal_area(np.array([box, holed, hole, holed.reverse(), None], dtype=object))
    true = abs(GEOD.geometry_area_perimeter(box)[0])
    assert areas[0] == pytest.approx(true, rel=1e-6, abs=1e-4)
    assert areas[1] + areas[2] == pytest.approx(areas[0], rel=1e-9, abs=1e-5)
    assert areas[3] == pytest.approx(areas[1], rel=1e-12)
    assert areas[4] == 0


def survey_series(lon0: float, lon1: float, lat0: float, lat1: float) -> float:
    """The five-term trapezoid formula of the national land survey for one degree box (椭球面积计算公式)."""
    a, e2 = 6_378_137.0, 0.0066943800229
    b = a * np.sqrt(1 - e2)
    e4, e6, e8 = e2**2, e2**3, e2**4
    ka = 1 + 3 / 6 * e2 + 30 / 80 * e4 + 35 / 112 * e6 + 630 / 2304 * e8
    kb = 1 / 6 * e2 + 15 / 80 * e4 + 21 / 112 * e6 + 420 / 2304 * e8
    kc = 3 / 80 * e4 + 7 / 112 * e6 + 180 / 2304 * e8
    kd = 1 / 112 * e6 + 45 / 2304 * e8
    ke = 5 / 2304 * e8
    d, m = np.radians(lat1 - lat0), np.radians(lat1 + lat0) / 2
    terms = [k * np.sin(n * d / 2) * np.cos(n * m) for n, k in ((1, ka), (3, -kb), (5, kc), (7, -kd), (9, ke))]
    return float(2 * b * b * np.radians(lon1 - lon0) * sum(terms))


@pytest.mark.parametrize("lat", [20.0, 31.0, 45.0])
def test_area_equals_the_formula_of_the_national_survey(lat: float) -> None:
    box = shapely.box(120, lat, 120.01, lat + 0.01)
    assert crs.ellipsoidal_area(np.array([box]))[0] == pytest.approx(
        survey_series(120, 120.01, lat, lat + 0.01), rel=1e-9
    )


def test_area_does_not_care_for_the_edge_of_a_zone() -> None:
    across = shapely.box(118.49, 31, 118.51, 31.01)
    halves = np.array([across, shapely.box(118.49, 31, 118.5, 31.01), shapely.box(118.5, 31, 118.51, 31.01)])
    whole, west, east = crs.ellipsoidal_area(halves)
    assert west + east == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((119.9, 31.9, 120.1, 32.1), "EPSG:4490"),
        ((31.9, 119.9, 32.1, 120.1), "坐标轴颠倒"),
        ((40_500_000, 3_540_000, 40_510_000, 3_550_000), "EPSG:4528"),
        ((20_500_000, 3_540_000, 20_510_000, 3_550_000), "EPSG:4498"),
        ((500_000, 3_540_000, 510_000, 3_550_000), "中央经线"),
    ],
)
def test_what_coordinates_say_of_their_system(bounds: tuple[float, float, float, float], expected: str) -> None:
    assert expected in crs.candidates_in_china(bounds)[0]


def test_coordinates_of_elsewhere_fit_nothing() -> None:
    assert crs.candidates_in_china((-76.7, 39.2, -76.5, 39.4)) == []


def boxes(x: float, y: float, rows: int = 20) -> np.ndarray:
    corner = np.column_stack([x + np.arange(rows) / 100, np.full(rows, y)])
    return np.column_stack([corner, corner + 0.001])


EAST_M, NORTH_M = 512_345.0, 3_350_000.0


@pytest.mark.parametrize(
    ("stated", "x", "y", "message", "remedy"),
    [
        ("EPSG:4549", 4e7 + EAST_M, NORTH_M, "带有带号", "--crs EPSG:4528"),
        ("EPSG:4509", 2.0e7 + EAST_M, NORTH_M, "带有带号", "--crs EPSG:4498"),
        ("EPSG:4528", EAST_M, NORTH_M, "不带带号", "--crs EPSG:4549"),
        ("EPSG:4498", EAST_M, NORTH_M, "不带带号", "--crs EPSG:4548"),
        ("EPSG:4527", 4e7 + EAST_M, NORTH_M, "适用范围之外", "--crs EPSG:4528"),
        ("EPSG:4549", NORTH_M, EAST_M, "先北后东", "--swap-axes"),
        ("EPSG:4528", NORTH_M, 4e7 + EAST_M, "先北后东", "--swap-axes"),
        ("EPSG:4549", NORTH_M, 4e7 + EAST_M, "颠倒", "--crs EPSG:4528 --swap-axes"),
        ("EPSG:4490", 30.2, 120.1, "先纬度后经度", "--swap-axes"),
        ("EPSG:4326", 40.0, 80.0, "先纬度后经度", "--swap-axes"),
        ("EPSG:4326", 4e7 + EAST_M, NORTH_M, "超出经纬度范围", "--crs EPSG:4528"),
        ("EPSG:4549", 120.1, 30.2, "像经纬度", "--crs EPSG:4490"),
        ("EPSG:3857", 4e7 + EAST_M, NORTH_M, "适用范围之外", "--crs EPSG:4528"),
        ("EPSG:4490", -76.6, 39.3, "适用范围之外", "--crs"),
    ],
)
def test_coordinates_that_contradict_their_system(stated: str, x: float, y: float, message: str, remedy: str) -> None:
    found = crs.contradiction(boxes(x, y), CRS.from_user_input(stated))
    assert found is not None
    assert message in found[0]
    assert remedy in found[1]


@pytest.mark.parametrize(
    ("stated", "x", "y"),
    [
        ("EPSG:4490", 120.1, 30.2),
        ("EPSG:4490", 112.0, 4.0),  # the southern islands
        ("EPSG:4549", EAST_M, NORTH_M),
        ("EPSG:4549", 300_000.0, NORTH_M),  # a district that reaches over the edge of its zone
        ("EPSG:4528", 4e7 + EAST_M, NORTH_M),
        ("EPSG:4498", 2e7 + EAST_M, NORTH_M),
        ("EPSG:3857", 13_370_000.0, 3_500_000.0),
        ("EPSG:4326", -76.6, 39.3),
        ("EPSG:2804", 430_000.0, 180_000.0),
        ("EPSG:3826", 296_545.0, 2_770_000.0),
        ("+proj=tmerc +lat_0=0 +lon_0=117.5 +k=1 +x_0=500000 +y_0=0 +ellps=GRS80", EAST_M, NORTH_M),
    ],
)
def test_coordinates_that_fit_their_system(stated: str, x: float, y: float) -> None:
    assert crs.contradiction(boxes(x, y), CRS.from_user_input(stated)) is None


def test_a_system_that_is_not_of_this_earth_is_no_system() -> None:
    found = crs.contradiction(boxes(120, 30), CRS.from_user_input("+proj=longlat +a=3396190 +b=3376200"))
    assert found is not None
    assert "不能换算" in found[0]


def test_most_rows_decide() -> None:
    good, bad = boxes(EAST_M, NORTH_M, 20), boxes(NORTH_M, EAST_M, 20)
    nothing = np.full((5, 4), np.nan)
    stated = CRS.from_epsg(4549)
    assert crs.contradiction(np.vstack([good, bad[:3], nothing]), stated) is None
    assert crs.contradiction(np.vstack([good[:3], bad, nothing]), stated) is not None
    assert crs.contradiction(nothing, stated) is None


ESRI = (
    'PROJCS["{name}",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",'
    'SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",{east}],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",{lon}],PARAMETER["Scale_Factor",1.0],PARAMETER["Latitude_Of_Origin",0.0],'
    'UNIT["Meter",1.0]]'
)


@pytest.mark.parametrize(
    ("name", "lon", "east", "known"),
    [
        ("CGCS2000_3_Degree_GK_Zone_39", 117, 39_500_000, "EPSG:4527"),
        ("CGCS2000_3_Degree_GK_CM_117E", 117, 500_000, "EPSG:4548"),
        ("CGCS2000_GK_Zone_20", 117, 20_500_000, "EPSG:4498"),
        ("CGCS2000_GK_CM_117E", 117, 500_000, "EPSG:4509"),
        ("2000国家大地坐标系 3度带 第40带", 120, 40_500_000, "EPSG:4528"),
        ("2000国家大地坐标系 中央经线120", 120, 500_000, "EPSG:4549"),
        ("某市城建坐标系", 117.5, 500_000, "某市城建坐标系"),
    ],
)
def test_names_of_systems(name: str, lon: float, east: float, known: str) -> None:
    assert crs.crs_name(CRS.from_wkt(ESRI.format(name=name, lon=float(lon), east=float(east)))) == known


def test_the_middle_of_a_layer_hides_a_wild_row() -> None:
    wild = np.vstack([boxes(120, 30, 99), [[0.0, 0.0, 1e8, 1e8]]])
    west, south, east, north = crs.typical_bounds(wild)  # type: ignore[misc]
    assert west >= 120
    assert south >= 29
    assert east < 122
    assert north < 31
    assert crs.typical_bounds(np.full((2, 4), np.nan)) is None


@pytest.mark.parametrize("code", [4610, 4214, 2349, 2401])
def test_old_chinese_datums_are_not_taken_for_cgcs2000(code: int) -> None:
    fault = crs.datum_fault(CRS.from_epsg(code))
    assert fault is not None
    assert "没有公开的转换参数" in fault[0]
    assert "towgs84" in fault[1]


def test_an_old_datum_with_its_parameters_is_moved() -> None:
    told = CRS.from_user_input("+proj=longlat +a=6378140 +rf=298.257 +towgs84=100,0,0,0,0,0,0 +no_defs")
    assert crs.datum_fault(told) is None
    there = crs.reproject(np.array([shapely.Point(120, 30)], dtype=object), told, crs.STORAGE_CRS)[0]
    # 100 m along the X axis of the earth is 87 m west at 120° east, and 25 m up the slope to the north.
    away = Geod(ellps="GRS80").inv(120, 30, there.x, there.y)
    assert away[2] == pytest.approx(90, abs=3)


def test_modern_datums_are_one_with_cgcs2000() -> None:
    for code in (4490, 4326, 4269, 4549, 3857, 26985):
        assert crs.datum_fault(CRS.from_epsg(code)) is None
