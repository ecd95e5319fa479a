"""Pages of features and single features as GeoJSON, written around what the store gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from api.ogc.asking import Asked
from api.ogc.documents import FORMATS_OF_ITEMS, GEOJSON, HTML, JSON, link
from geo.errors import NotFound
from geo.layers.schema import Layer
from geo.store.base import FeaturePage, Query, Store

# Counting ends here: numberMatched is exact up to it and left out above (/req/core/fc-numberMatched allows that).
COUNT_TO = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """A page of features and the links of it."""

    found: FeaturePage
    links: list[dict[str, Any]]

    def text(self) -> str:
        """The FeatureCollection (/req/core/fc-response, fc-timeStamp, fc-numberReturned)."""
        head: dict[str, Any] = {
            "type": "FeatureCollection",
            "timeStamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "numberReturned": len(self.found.features),
        }
        if self.found.matched is not None:
            head["numberMatched"] = self.found.matched
        head["links"] = self.links
        return f'{json.dumps(head, ensure_ascii=False)[:-1]},"features":[{",".join(self.found.features)}]}}'


def page_of(store: Store, asked: Asked, base_url: str, given: Mapping[str, str], form: str = "geojson") -> Page:
    """The page that a GET asks for; ``next`` leads on from its last row, whatever comes or goes meanwhile."""
    found = store.features(asked.query, crs=asked.crs, count_to=COUNT_TO)
    here = f"{base_url}/collections/{asked.layer.name}"

    def asked_again(*left_out: str) -> str:
        kept = {name: text for name, text in given.items() if name not in left_out}
        return f"{here}/items?{urlencode(kept)}{'&' if kept else ''}"

    same = asked_again("f")
    links = [link("self", f"{same}f={form}", FORMATS_OF_ITEMS[form])]
    links += [
        link("alternate", f"{same}f={word}", kind)
        for word, kind in FORMATS_OF_ITEMS.items()
        if word != form and (word != "fgb" or asked.layer.geometry is not None)
    ]
    links.append(link("collection", f"{here}?f=json", JSON))
    if found.following is not None:
        further = f"{asked_again('after', 'f')}after={found.following.token()}&f={form}"
        links.append(link("next", further, FORMATS_OF_ITEMS[form]))
    return Page(found, links)


def posted_page(store: Store, asked: Asked, base_url: str, body: Mapping[str, Any]) -> Page:
    """The page that a posted question asks for; its ``next`` is another post (``method``, ``body``)."""
    found = store.features(asked.query, crs=asked.crs, count_to=COUNT_TO)
    here = f"{base_url}/collections/{asked.layer.name}"
    links: list[dict[str, Any]] = [link("collection", f"{here}?f=json", JSON)]
    if found.following is not None:
        following = {**body, "after": found.following.token()}
        links.append({**link("next", f"{here}/search", GEOJSON), "method": "POST", "body": following})
    return Page(found, links)


def feature_text(store: Store, layer: Layer, key: str, crs: str | None, base_url: str, form: str = "geojson") -> str:
    """One feature with its links (/req/core/f-success, f-links).

    Raises
    ------
    NotFound
        There is no such row.
    """
    found = store.features(Query(layer.name, equals={layer.key: key}, limit=1), crs=crs)
    if not found.features:
        raise NotFound(f"{layer.zh}中没有“{key[:80]}”", where=layer.name)
    here = f"{base_url}/collections/{layer.name}"
    item = f"{here}/items/{quote(key, safe='')}"
    forms = {"geojson": GEOJSON, "html": HTML}
    links = [link("self" if word == form else "alternate", f"{item}?f={word}", kind) for word, kind in forms.items()]
    links.append(link("collection", f"{here}?f=json", JSON))
    return f'{found.features[0][:-1]},"links":{json.dumps(links, ensure_ascii=False)}}}'


def nearest_text(store: Store, asked: Asked, distances_m: Mapping[str, float], base_url: str) -> str:
    """Features with ``distance_m`` beside their properties, nearest first."""
    key = asked.layer.key
    query = replace(
        asked.query, bbox=None, filter=None, equals={key: tuple(distances_m)}, limit=max(len(distances_m), 1), sort=()
    )
    found = store.features(query, crs=asked.crs)
    texts = dict(zip(found.keys, found.features, strict=True))
    features = [
        f'{texts[name][:-1]},"distance_m":{round(distance_m, 3)}}}'
        for name, distance_m in distances_m.items()
        if name in texts  # it may have gone between the two questions
    ]
    links = [link("collection", f"{base_url}/collections/{asked.layer.name}?f=json", JSON)]
    told = FeaturePage(list(texts), features, None, len(features))
    return Page(told, links).text()
