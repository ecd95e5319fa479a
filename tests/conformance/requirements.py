"""The requirements of every conformance class that the service may declare, by the numbers of their standards.

OGC 17-069r4 (Features, core), 18-058r1 (coordinate reference systems), 19-079r2 (filtering), 21-065r2 (CQL2),
20-057 (Tiles).
"""

from __future__ import annotations

import pytest

FEATURES_1 = "ogcapi-features-1/1.0"
FEATURES_2 = "ogcapi-features-2/1.0"
FEATURES_3 = "ogcapi-features-3/1.0"
CQL2 = "cql2/1.0"
TILES = "ogcapi-tiles-1/1.0"
SPEC = "http://www.opengis.net/spec/"

REQUIREMENTS: dict[tuple[str, str], tuple[str, ...]] = {
    (FEATURES_1, "core"): (
        "root-op", "root-success", "api-definition-op", "api-definition-success", "conformance-op",
        "conformance-success", "http", "query-param-unknown", "query-param-invalid", "crs84", "fc-md-op",
        "fc-md-success", "fc-md-links", "fc-md-items", "fc-md-items-links", "fc-md-extent", "sfc-md-op",
        "sfc-md-success", "fc-op", "fc-limit-definition", "fc-limit-response-1", "fc-bbox-definition",
        "fc-bbox-response", "fc-time-definition", "fc-time-response", "fc-response", "fc-links", "fc-rel-type",
        "fc-timeStamp", "fc-numberMatched", "fc-numberReturned", "f-op", "f-success", "f-links",
    ),
    (FEATURES_1, "geojson"): ("definition", "content"),
    (FEATURES_1, "html"): ("definition", "content"),
    (FEATURES_1, "oas30"): (
        "oas-definition-1", "oas-definition-2", "oas-impl", "completeness", "exceptions-codes", "security",
    ),
    (FEATURES_2, "crs"): (
        "crs-uri", "fc-md-crs-list", "fc-md-storageCrs", "fc-md-storageCrs-valid-value", "fc-md-crs-list-global",
        "fc-bbox-crs-definition", "fc-bbox-crs-valid-value", "fc-bbox-crs-default-value", "fc-bbox-crs-action",
        "fc-crs-definition", "fc-crs-valid-value", "fc-crs-default-value", "fc-crs-action", "ogc-crs-header",
        "ogc-crs-header-value", "geojson",
    ),
    (FEATURES_3, "queryables"): (
        "queryables-link", "get-queryables-op", "get-queryables-response", "expression-construction",
    ),
    (FEATURES_3, "queryables-query-parameters"): ("parameters",),
    (FEATURES_3, "filter"): (
        "filter-param", "filter-lang-param", "filter-crs-wgs84", "filter-crs-param", "mixing-expressions", "response",
    ),
    (FEATURES_3, "features-filter"): (
        "get-queryables-op", "queryables-link", "filter-param", "filter-lang-param", "filter-crs-param", "response",
    ),
    (CQL2, "cql2-text"): (
        "basic-cql2", "escaping", "advanced-comparison-operators", "basic-spatial-functions",
    ),
    (CQL2, "cql2-json"): ("basic-cql2", "advanced-comparison-operators", "basic-spatial-functions"),
    (CQL2, "basic-cql2"): ("cql2-filter", "property", "binary-comparison-predicate", "null-predicate"),
    (CQL2, "advanced-comparison-operators"): ("like-predicate", "between-predicate", "in-predicate"),
    (CQL2, "basic-spatial-functions"): ("spatial-predicate", "spatial-functions"),
    (TILES, "core"): (
        "tc-op", "tc-tilematrix-definition", "tc-tilerow-definition", "tc-tilecol-definition", "tc-success",
        "tc-error", "conformance-success",
    ),
    (TILES, "tileset"): ("description", "conformance-success"),
    (TILES, "tilesets-list"): ("tileset-links", "conformance-success"),
    (TILES, "geodata-tilesets"): ("operation", "desc-links", "conformance-success"),
    (TILES, "mvt"): ("content",),
}  # fmt: skip

# What a class stands on.
NEEDS: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    (FEATURES_1, "geojson"): ((FEATURES_1, "core"),),
    (FEATURES_1, "html"): ((FEATURES_1, "core"),),
    (FEATURES_1, "oas30"): ((FEATURES_1, "core"),),
    (FEATURES_2, "crs"): ((FEATURES_1, "core"),),
    (FEATURES_3, "filter"): ((FEATURES_3, "queryables"),),
    (FEATURES_3, "queryables-query-parameters"): ((FEATURES_3, "queryables"),),
    (FEATURES_3, "features-filter"): ((FEATURES_3, "filter"), (FEATURES_1, "core")),
    (CQL2, "cql2-text"): ((CQL2, "basic-cql2"),),
    (CQL2, "cql2-json"): ((CQL2, "basic-cql2"),),
    (CQL2, "advanced-comparison-operators"): ((CQL2, "basic-cql2"),),
    (CQL2, "basic-spatial-functions"): ((CQL2, "basic-cql2"),),
    (TILES, "tileset"): ((TILES, "core"),),
    (TILES, "tilesets-list"): ((TILES, "tileset"),),
    (TILES, "geodata-tilesets"): ((TILES, "tilesets-list"),),
    (TILES, "mvt"): ((TILES, "core"),),
}


def requirement(standard: str, *names: str) -> pytest.MarkDecorator:
    """Mark a test as that of requirements; it runs once for each, under its number.

    Parameters
    ----------
    names : class and requirement, as ``core/root-op``
    """
    numbers = [f"{standard}/req/{name}" for name in names]
    return pytest.mark.parametrize("requirement", numbers, ids=numbers, indirect=True)


def listed() -> set[str]:
    """The numbers of all requirements above."""
    return {f"{standard}/req/{name}/{one}" for (standard, name), ones in REQUIREMENTS.items() for one in ones}


def class_address(one: tuple[str, str]) -> str:
    """The address of a conformance class."""
    return f"{SPEC}{one[0]}/conf/{one[1]}"
