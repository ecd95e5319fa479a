"""Does a building of so many metres fit into a plot: asked of the kept outline, answered with its certificate."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from geo import crs
from geo.errors import NotFound
from geo.plots.polygons import in_metres
from geo.plots.rectangle import Fit, fits
from geo.store.base import Query, Store


def plot_fit(store: Store, plot_id: str, length_m: float, width_m: float) -> dict[str, Any]:
    """Whether a rectangle fits into the outline of a plot of the newest run, at any rotation, and where.

    Parameters
    ----------
    length_m, width_m : sides in metres in the local 3-degree zone, in either order

    Returns
    -------
    dict
        ``fits`` (``None`` where it could not be decided), ``corners`` (four of longitude and latitude), ``angle_deg``
        of the length, counter-clockwise from east, ``proof``, ``tolerance_m``, ``zh``.

    Raises
    ------
    NotFound
        There is no such plot.
    InvalidParameter
        A side is not a positive number.
    """
    found = store.read(Query("plots", equals={"plot_id": plot_id}, limit=1))
    if found.empty:
        raise NotFound(f"没有连片地块“{plot_id[:40]}”", where="plot_id", remedy="编号见 lianpian plots")
    outline = np.asarray(found.geometry.array, dtype=object)
    lon = crs.central_longitude(outline)
    answer = fits(in_metres(outline, lon)[0], length_m, width_m)
    corners = None
    if answer.corners is not None:
        placed = crs.to_storage(np.array([shapely.polygons(answer.corners)], dtype=object), lon)
        corners = [[round(float(x), 8), round(float(y), 8)] for x, y in shapely.get_coordinates(placed)[:4]]
    return {
        "plot_id": plot_id,
        "length_m": max(length_m, width_m),
        "width_m": min(length_m, width_m),
        "fits": answer.fits,
        "corners": corners,
        "angle_deg": None if answer.angle_deg is None else round(answer.angle_deg, 2),
        "proof": answer.proof,
        "tolerance_m": answer.tolerance_m,
        "zh": _told(answer),
    }


def _told(answer: Fit) -> str:
    match answer.proof:
        case "placement":
            return f"放得下：长边与正东方向的夹角为 {answer.angle_deg:.1f}°"
        case "area":
            return "放不下：地块任何一片的面积都小于所求矩形"
        case "angles":
            return "放不下：已逐一排除全部位置和角度"
        case "tolerance":
            return f"未能判定：两边各缩短 {answer.tolerance_m:g} 米以内可能放得下"
        case _:
            return "未能判定：已达计算上限"
