"""Pages that a person can read, in Chinese and English: no script, no style but a file of this host."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from api.dependencies import get_base_url
from api.ogc.answers import Page
from api.ogc.asking import Asked
from api.ogc.negotiating import Language, wanted_language
from api.ogc.words import WORDS, layer_title
from geo.layers.schema import LAYERS, Layer

_FORM_WORDS = {"geojson": "GeoJSON", "csv": "CSV", "fgb": "FlatGeobuf", "geoparquet": "GeoParquet", "html": "HTML"}


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("api.ogc"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Pages:
    """The pages of one request, in its language."""

    def __init__(self, request: Request, language: Language | None = None) -> None:
        self.language = language or wanted_language(request)
        self.base_url = get_base_url(request)
        self._path = request.url.path
        self._given = {name: text for name, text in request.query_params.items() if name != "lang"}

    @staticmethod
    def stylesheet() -> str:
        """The one style of all pages."""
        return (files("api.ogc") / "templates" / "page.css").read_text(encoding="utf-8")

    def landing(self, document: dict[str, Any]) -> str:
        """Where everything is."""
        return self._written("landing.html", [], document=document)

    @staticmethod
    def links_of(document: dict[str, Any]) -> str:
        """The links of a document for a page of another kind, which does not show them."""
        return _templates().get_template("links.html").render(links=document["links"], title=document["title"])

    def conformance(self, document: dict[str, Any]) -> str:
        """The classes that are met."""
        return self._written("conformance.html", [("conformance", "")], document=document)

    def collections(self, document: dict[str, Any]) -> str:
        """All layers."""
        titles = {name: layer_title(layer, self.language) for name, layer in LAYERS.items()}
        return self._written("collections.html", [("collections", "")], document=document, titles=titles)

    def collection(self, document: dict[str, Any]) -> str:
        """One layer: its fields, its extent, its forms."""
        layer = LAYERS[document["id"]]
        forms = {_FORM_WORDS[word]: word for word in _FORM_WORDS if word != "html"}
        if layer.geometry is None:
            del forms["FlatGeobuf"]
        return self._written("collection.html", self._above(layer), document=document, layer=layer, forms=forms)

    def fields(self, layer: Layer, document: dict[str, Any]) -> str:
        """The fields that can be asked or sorted by."""
        where = [*self._above(layer), (document["$id"].rpartition("/")[2], "")]
        return self._written("fields.html", where, document=document, layer=layer)

    def items(self, asked: Asked, page: Page) -> str:
        """A page of features as a table; columns without any value are left out."""
        features = [json.loads(text) for text in page.found.features]
        layer = asked.layer
        shown = [
            field
            for field in layer.fields
            if any(feature["properties"].get(field.name) not in (None, {}) for feature in features)
        ]
        links = {one["rel"]: one["href"] for one in page.links if one["rel"] == "next"}
        forms = [(_FORM_WORDS[_word(one["href"])], one["href"]) for one in page.links if one["rel"] == "alternate"]
        return self._written(
            "items.html",
            [*self._above(layer), ("items", "")],
            layer=layer,
            fields=shown,
            features=features,
            matched=page.found.matched,
            following=self._spoken(links["next"]) if links else "",
            first=self._spoken(f"{self.base_url}{self._path}?{urlencode(_without(self._given, 'after'))}")
            if "after" in self._given
            else "",
            forms=forms,
            links=page.links,
        )

    def item(self, layer: Layer, key: str, text: str) -> str:
        """One feature: every field with its unit."""
        above = [*self._above(layer), ("items", f"{self._here(layer)}/items"), (key, "")]
        feature = json.loads(text)
        return self._written("item.html", above, layer=layer, key=key, feature=feature, links=feature["links"])

    def _here(self, layer: Layer) -> str:
        return f"{self.base_url}/collections/{layer.name}"

    def _above(self, layer: Layer) -> list[tuple[str, str]]:
        return [
            ("collections", f"{self.base_url}/collections"),
            (layer_title(layer, self.language), self._here(layer)),
        ]

    def _spoken(self, address: str) -> str:
        """An address of this service as a page in the language of this one."""
        path, _, query = address.partition("?")
        kept = [part for part in query.split("&") if part and not part.startswith(("f=", "lang="))]
        return f"{path}?{'&'.join([*kept, 'f=html', f'lang={self.language}'])}"

    def _written(self, name: str, above: list[tuple[str, str]], **told: Any) -> str:
        words = WORDS[self.language]
        return (
            _templates()
            .get_template(name)
            .render(
                words=words,
                language=self.language,
                base_url=self.base_url,
                above=[(words.get(word, word), self._spoken(address) if address else "") for word, address in above],
                spoken=self._spoken,
                other=f"{self.base_url}{self._path}?"
                + urlencode({**self._given, "f": "html", "lang": "en" if self.language == "zh" else "zh"}),
                as_json=f"{self.base_url}{self._path}?" + urlencode({**self._given, "f": "json"}),
                title_of=lambda field: field.zh if self.language == "zh" else field.name,
                layer_title=lambda layer: layer_title(layer, self.language),
                quoted=lambda text: quote(str(text), safe=""),
                plain=_plain,
                **{"links": told.get("document", {}).get("links", []), **told},
            )
        )


def _plain(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, float):
        return f"{value:.10g}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _word(address: str) -> str:
    return address.rpartition("f=")[2].split("&")[0]


def _without(given: dict[str, str], name: str) -> dict[str, str]:
    return {one: text for one, text in given.items() if one != name}
