"""Which layers are drawn, from which zoom, and with which columns (slim: the rest comes with a click)."""

from __future__ import annotations

from dataclasses import dataclass

from geo.layers.schema import LAYERS


@dataclass(frozen=True, slots=True)
class TileLayer:
    """A layer of vector tiles.

    Parameters
    ----------
    source : canonical layer
    columns : attributes that a tile carries unless others are asked for
    min_zoom : first zoom at which the layer is drawn
    states : fields by which the many features of a low zoom are gathered
    labels : whether one point inside stands for each feature
    """

    name: str
    source: str
    columns: tuple[str, ...]
    min_zoom: int
    states: tuple[str, ...] = ()
    labels: bool = False

    @property
    def key(self) -> str:
        """Column that identifies a feature."""
        return LAYERS[self.source].key


TILE_LAYERS: dict[str, TileLayer] = {
    layer.name: layer
    for layer in (
        TileLayer(
            "parcels", "parcels", ("parcel_id", "land_use", "town", "status", "area_m2"), 6, ("land_use", "status")
        ),
        TileLayer(
            "findings",
            "findings",
            ("finding_id", "parcel_id", "kind", "level", "rule", "area_m2"),
            6,
            ("kind", "level"),
        ),
        TileLayer("plots", "plots", ("plot_id", "name", "area_m2"), 6),
        TileLayer(
            "plot_members", "plot_members", ("member_id", "plot_id", "parcel_id", "area_m2", "share"), 10, ("plot_id",)
        ),
        TileLayer("sites", "sites", ("site_id", "kind", "name", "area_m2"), 8, ("kind",)),
        TileLayer("control_lines", "control_lines", ("line_id", "kind", "name"), 6, ("kind",)),
        TileLayer("barriers", "barriers", ("barrier_id", "kind", "name", "width_m"), 6, ("kind",)),
        TileLayer("towns", "towns", ("town_id", "name"), 5),
        TileLayer("network", "network", ("edge_id", "mode", "road_class", "name"), 6, ("mode", "road_class")),
        TileLayer("terminals", "terminals", ("terminal_id", "kind", "name"), 6),
        TileLayer("markets", "markets", ("market_id", "name", "direction"), 4),
        TileLayer("buildings", "buildings", ("building_id", "floors"), 14),
        TileLayer("zoning", "zoning", ("zone_id", "land_use"), 8, ("land_use",)),
        TileLayer("leftovers", "leftovers", ("leftover_id", "area_m2"), 10),
        TileLayer("plot_labels", "plots", ("plot_id", "name", "area_m2"), 6, labels=True),
        TileLayer("town_labels", "towns", ("town_id", "name"), 5, labels=True),
    )
}
