"""Area is the national survey's ellipsoidal area: its series, the closed authalic formula and GeographicLib agree."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from geo import crs

E2 = 0.00669438002290079  # CGCS2000
A_M, B_M = 6_378_137.0, 6_356_752.314140356
GEOD = Geod(a=A_M, rf=298.257222101)


def survey_area(polygon: Any) -> float:
    """椭球面积 as the survey writes it: trapezoids between each edge and the meridian of 60° E, five terms."""
    e2, e4, e6, e8 = E2, E2**2, E2**3, E2**4
    coefficients = (
        1 + 3 / 6 * e2 + 30 / 80 * e4 + 35 / 112 * e6 + 630 / 2304 * e8,
        -(1 / 6 * e2 + 15 / 80 * e4 + 21 / 112 * e6 + 420 / 2304 * e8),
        3 / 80 * e4 + 7 / 112 * e6 + 180 / 2304 * e8,
        -(1 / 112 * e6 + 45 / 2304 * e8),
        5 / 2304 * e8,
    )
    total = 0.0
    for part in shapely.get_parts(polygon):
        for number, ring in enumerate(shapely.get_rings(part)):
            lon, lat = np.radians(shapely.get_coordinates(ring)).T
            half, middle = np.diff(lat) / 2, (lat[1:] + lat[:-1]) / 2
            width = (lon[1:] + lon[:-1]) / 2 - np.radians(60)
            terms = sum(
                k * np.sin((2 * n + 1) * half) * np.cos((2 * n + 1) * middle) for n, k in enumerate(coefficients)
            )
            area = abs(float((2 * B_M**2 * width * terms).sum()))
            total += area if number == 0 else -area
    return total


def authalic_area(west: float, south: float, east: float, north: float) -> float:
    """The closed formula for a box of meridians and parallels."""

    def q(lat: float) -> float:
        s, e = np.sin(np.radians(lat)), np.sqrt(E2)
        return float(s / (1 - E2 * s * s) + np.arctanh(e * s) / e)

    return B_M**2 / 2 * np.radians(east - west) * (q(north) - q(south))


def geodesic_area(polygon: Any) -> float:
    """GeographicLib on edges cut so short that geodesics and straight edges in longitude and latitude agree."""
    return abs(float(GEOD.geometry_area_perimeter(shapely.segmentize(shapely.orient_polygons(polygon), 2e-5))[0]))


def holed(lon: float, lat: float, size: float) -> Any:
    """A parcel with seven bends, a hole, and a detached part with a hole."""
    turn = np.linspace(0, 2 * np.pi, 9)[:-1]
    shell = np.column_stack([lon + size * np.cos(turn), lat + 0.8 * size * np.sin(turn + 0.1)])
    body = shapely.Polygon(shell, [shell[::-1] * 0.3 + np.array([lon, lat]) * 0.7])
    far = shapely.box(lon + 2 * size, lat, lon + 3 * size, lat + size)
    return shapely.MultiPolygon([body, far.difference(shapely.box(lon + 2.2 * size, lat + 0.2 * size,
                                                                  lon + 2.6 * size, lat + 0.5 * size))])  # fmt: skip


def measured(polygon: Any) -> float:
    return float(crs.ellipsoidal_area(np.array([polygon], dtype=object))[0])


@pytest.mark.parametrize("lat", [4.0, 20.0, 31.0, 45.0, 53.0])
@pytest.mark.parametrize("lon", [75.0, 118.5, 120.0, 134.0])
def test_parcels_with_holes_agree_with_the_survey_and_with_geographiclib(lon: float, lat: float) -> None:
    parcel = holed(lon, lat, 0.004)
    # The survey's own sums run from the meridian of 60° E, which costs it six of its digits.
    assert measured(parcel) == pytest.approx(survey_area(parcel), rel=1e-6)
    assert measured(parcel) == pytest.approx(geodesic_area(parcel), rel=2e-7)


@given(st.floats(74, 134), st.floats(4, 53), st.floats(1e-4, 0.02), st.floats(1e-4, 0.02))
def test_boxes_agree_with_the_closed_formula(west: float, south: float, width: float, height: float) -> None:
    box = shapely.box(west, south, west + width, south + height)
    bounds = box.bounds
    assert measured(box) == pytest.approx(authalic_area(*bounds), rel=1e-9)


@pytest.mark.parametrize("lat", [20.0, 31.0, 45.0])
def test_the_survey_series_equals_the_closed_formula(lat: float) -> None:
    box = shapely.box(120, lat, 121, lat + 1)
    assert survey_area(box) == pytest.approx(authalic_area(120, lat, 121, lat + 1), rel=1e-11)


def test_a_parcel_across_a_zone_edge_has_one_area_whichever_zone_it_came_in() -> None:
    parcel = holed(118.5, 31, 0.004)  # the edge of zones 39 and 40
    frame = gpd.GeoSeries([parcel], crs=4490)
    areas = [
        crs.ellipsoidal_area(crs.reproject(np.asarray(frame.to_crs(code)), f"EPSG:{code}", crs.STORAGE_CRS))[0]
        for code in (4527, 4548, 4528, 4549)
    ]
    assert areas == pytest.approx([measured(parcel)] * 4, rel=1e-9)
    # In the plane it depends on the zone, and more than the declared area may differ by rounding.
    plane = [frame.to_crs(code).area.iloc[0] for code in (4548, 4550)]
    assert abs(plane[1] / plane[0] - 1) > 1e-4


def test_the_order_of_points_and_parts_does_not_matter() -> None:
    parcel = holed(120, 31, 0.004)
    assert measured(shapely.reverse(parcel)) == pytest.approx(measured(parcel), rel=1e-12)
    assert measured(shapely.normalize(parcel)) == pytest.approx(measured(parcel), rel=1e-12)
