"""The service over either store, and how the tests of requirements ask it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import geopandas as gpd
import httpx
import pytest

from geo.layers.schema import LAYERS
from geo.store.base import Query, Store
from tests.district import Analysed, served


@dataclass(frozen=True)
class Api:
    """A client of the service, and the store behind it as the oracle."""

    client: httpx.Client
    store: Store

    @property
    def base_url(self) -> str:
        """The address of the service without a slash at its end."""
        return str(self.client.base_url).rstrip("/")

    def get(self, path: str, accept: str = "", status: int = 200, **parameters: Any) -> httpx.Response:
        """An answer of the stated status; ``filter_lang`` stands for ``filter-lang``."""
        given = {name.replace("_", "-") if name.startswith(("filter", "bbox")) else name: value
                 for name, value in parameters.items()}  # fmt: skip
        answer = self.client.get(path, params=given or None, headers={"Accept": accept} if accept else None)
        assert answer.status_code == status, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
        return answer

    def json(self, path: str, **parameters: Any) -> Any:
        """The JSON of an answer."""
        return self.get(path, **parameters).json()

    def keys(self, layer: str = "parcels", **parameters: Any) -> list[str]:
        """The keys that a question gives, of all pages."""
        page = self.json(
            f"/collections/{layer}/items", **{"limit": 10_000, "properties": LAYERS[layer].key, **parameters}
        )
        return [feature["id"] for feature in page["features"]]


@pytest.fixture(scope="session")
def api(analysed: Analysed) -> Iterator[Api]:
    """The service over either store."""
    with served(analysed) as running, httpx.Client(base_url=running.url, timeout=60) as client:
        yield Api(client, running.store)


@pytest.fixture(scope="session")
def parcels(api: Api) -> gpd.GeoDataFrame:
    """What the store holds, read without the interface."""
    frame = api.store.read(Query("parcels"))
    assert isinstance(frame, gpd.GeoDataFrame)
    return frame.set_index("parcel_id", drop=False)


@pytest.fixture(autouse=True)
def requirement(request: pytest.FixtureRequest) -> str | None:
    """The requirement that a test stands for."""
    return getattr(request, "param", None)


class Page(HTMLParser):
    """What a page says and where it leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.text = ""
        self.begins_as_html5 = text.lstrip().lower().startswith("<!doctype html>")
        self._in_body = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_body = self._in_body or tag == "body"
        href = dict(attrs).get("href")
        if tag == "a" and self._in_body and href:
            self.links.add(href)

    def handle_data(self, data: str) -> None:
        if self._in_body:
            self.text += data


def relations(document: dict[str, Any], rel: str) -> list[dict[str, Any]]:
    """The links of a document with a relation."""
    return [link for link in document["links"] if link["rel"] == rel]
