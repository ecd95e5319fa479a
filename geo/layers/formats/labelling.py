"""Texts of a drawing and the polygons that they stand in."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.layers.formats.drawing import Label


def labels_of(
    geometry: NDArray[np.object_], layer: list[str], labels: list[Label]
) -> tuple[list[str | None], list[str | None], int]:
    """First text and all texts in each polygon, top to bottom, left to right; and how many stand in none.

    A text belongs to the smallest polygon of its own layer around it, else to the smallest of any layer.

    Parameters
    ----------
    geometry : (n,) object array of polygons and multipolygons
    layer : n names of the layers they are drawn on
    labels : the texts
    """
    first: list[str | None] = [None] * len(geometry)
    every: list[str | None] = [None] * len(geometry)
    if not labels or not len(geometry):
        return first, every, len(labels)
    label, area = _inside(geometry, labels)
    foreign = np.array([labels[i].layer != layer[j] for i, j in zip(label, area, strict=True)], dtype=bool)
    order = np.lexsort((np.arange(len(label)), foreign, label))
    label, area = label[order], area[order]
    placed, at = np.unique(label, return_index=True)
    within: dict[int, list[Label]] = {}
    for i, j in zip(placed.tolist(), area[at].tolist(), strict=True):
        within.setdefault(j, []).append(labels[i])
    for position, texts in within.items():
        line = max(text.height for text in texts)
        texts.sort(key=lambda text: (-round(text.y / line), text.x))
        first[position] = texts[0].text
        every[position] = "；".join(text.text for text in texts)
    return first, every, len(labels) - len(placed)


def _inside(areas: NDArray[np.object_], labels: list[Label]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of label and area that contains it, the smallest area of a label first."""
    places = shapely.points([(label.x, label.y) for label in labels])
    label, area = shapely.STRtree(areas).query(places, predicate="intersects")
    order = np.lexsort((shapely.area(areas)[area], label))
    return label[order], area[order]


def with_own_label(rings: NDArray[np.object_], layer: list[str], labels: list[Label]) -> NDArray[np.bool_]:
    """(n,) bool: a text of the ring's layer stands in it, and in no smaller ring of that layer."""
    found = np.zeros(len(rings), dtype=bool)
    if not len(rings) or not labels:
        return found
    label, area = _inside(shapely.polygons(rings), labels)
    same = np.array([labels[i].layer == layer[j] for i, j in zip(label, area, strict=True)], dtype=bool)
    label, area = label[same], area[same]
    found[area[np.unique(label, return_index=True)[1]]] = True
    return found
