"""Does a building fit into a plot: over HTTP and at the command line, on a plot drawn by hand."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import shapely
from shapely.geometry import box

from api.app import create_app
from api.cli import main
from geo import crs
from geo.importing import prepare_loads, store_loads
from geo.land.rules import eligible_by, load_rules
from geo.layers.reading import read_file
from geo.pipeline import analyse_store
from geo.store.base import Query, Run, Store
from geo.store.opening import open_store
from tests.plots.figures import LON, parcels

# An L of arms 400 m wide: 960 mu.
ARMS = (box(0, 0, 1000, 400), box(0, 400, 400, 1000))


class Small(NamedTuple):
    path: Path
    store: Store
    run: Run
    outline: Any

    def get(self, address: str, **asked: Any) -> httpx.Response:
        async def answered() -> httpx.Response:
            inner = httpx.ASGITransport(create_app(self.store))
            async with httpx.AsyncClient(transport=inner, base_url="http://127.0.0.1") as client:
                return await client.get(address, params=asked)

        # In a thread of its own: a browser test before this one may have left a loop in this thread.
        with ThreadPoolExecutor(1) as own:
            return own.submit(asyncio.run, answered()).result()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """A store that holds the L and its run."""
    folder = tmp_path_factory.mktemp("fit")
    land = parcels(*ARMS)
    land.to_file(folder / "parcels.gpkg", layer="parcels")
    store = open_store(folder / "district.gpkg")
    store_loads(store, prepare_loads(read_file(folder / "parcels.gpkg")))
    rules = eligible_by(load_rules("national"), "town = '东镇'")
    run = analyse_store(store, rules, np.datetime64("2026-06-30"))
    outline = crs.to_metric(np.asarray(store.read(Query("plots")).geometry.array), LON)[0]
    yield Small(folder / "district.gpkg", store, run, outline)
    store.close()


def ask(small: Small, **sides: Any) -> Any:
    return small.get("/plots/LP0001/fit", **sides)


def test_the_run_keeps_the_expression_that_chose_the_parcels(small: Small) -> None:
    assert small.run.parameters["eligible"]["filter"] == "town = '东镇'"
    assert small.run.summary["eligible"] == 2


@pytest.mark.parametrize("sides", [(300, 900), (900, 300), (399.9, 399.9), (590, 280)])
def test_a_building_that_fits_comes_with_its_place(small: Small, sides: tuple[float, float]) -> None:
    answer = ask(small, length_m=sides[0], width_m=sides[1]).json()
    assert (answer["fits"], answer["proof"]) == (True, "placement")
    assert (answer["length_m"], answer["width_m"]) == (max(sides), min(sides))
    placed = crs.to_metric(np.array([shapely.Polygon(answer["corners"])]), LON)[0]
    corners = shapely.get_coordinates(placed)
    lengths = np.hypot(*np.diff(corners, axis=0).T)
    assert lengths == pytest.approx([max(sides), min(sides)] * 2, abs=0.01)
    assert shapely.covers(shapely.buffer(small.outline, 0.01), placed)
    turned = np.degrees(np.arctan2(*(corners[1] - corners[0])[::-1])) % 180
    assert min(abs(turned - answer["angle_deg"]), 180 - abs(turned - answer["angle_deg"])) < 0.05


def test_a_building_that_does_not_fit_comes_with_the_proof(small: Small) -> None:
    # A convex figure in the L keeps to one side of a line through the inner corner; with legs of 800 m the largest
    # square on the other side of the line at 45° has 400 m.
    square = ask(small, length_m=500, width_m=500).json()
    assert (square["fits"], square["proof"], square["corners"], square["angle_deg"]) == (False, "angles", None, None)
    assert "放不下" in square["zh"]
    huge = ask(small, length_m=2000, width_m=400).json()
    assert (huge["fits"], huge["proof"]) == (False, "area")


def test_a_question_that_makes_no_sense_is_refused(small: Small) -> None:
    assert small.get("/plots/LP9999/fit", length_m=10, width_m=10).status_code == 404
    for wrong in ({"length_m": 10}, {"length_m": -1, "width_m": 5}, {"length_m": "nan", "width_m": 5}):
        answer = ask(small, **wrong)
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"] == "application/problem+json"
    assert ask(small, length_m=10, width_m=5, height_m=3).status_code == 400


def test_the_command_line_gives_the_same_answer(
    small: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fit(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lianpian", "fit", *arguments, "--store", str(small.path)])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), *capsys.readouterr()

    code, out, _ = fit("LP0001", "300x900", "--json")
    assert code == 0
    assert json.loads(out) == ask(small, length_m=300, width_m=900).json()
    assert "放得下" in fit("LP0001", "900×300")[1]
    assert "放不下" in fit("LP0001", "500x500")[1]
    code, _, err = fit("LP0001", "large")
    assert (code, "300x200" in err) == (2, True)
    assert fit("LP9999", "10x10")[0] == 1
