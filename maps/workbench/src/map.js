// The map: built from the service's style, told what to select, and saying what was clicked.

import {
  Map as MapLibre, NavigationControl, ScaleControl, setWorkerUrl,
} from "maplibre-gl";
import { provideHatches } from "./hatches.js";

/** @typedef {import("./permalink.js").CardRef} CardRef */
/** @typedef {import("./permalink.js").View} View */
/** @typedef {[number, number, number, number]} Bounds */
/** @typedef {{key: string, zh: string, layers: string[]}} Group */
/** What is drawn of a plot: its largest circle and rectangle, and where a building was asked for and fits.
 * @typedef {{circle?: {lon: number, lat: number, radius_m: number} | null,
 *   rectangle?: {corners: [number, number][] | null, length_m: number, width_m: number} | null,
 *   placement?: [number, number][] | null}} Drawn */

const LOCALE = {
  "NavigationControl.ZoomIn": "放大",
  "NavigationControl.ZoomOut": "缩小",
  "NavigationControl.ResetBearing": "回到正北",
  "ScaleControl.Meters": "米",
  "ScaleControl.Kilometers": "公里",
  "Map.Title": "全区地图",
};
const FONTS = "'Noto Sans CJK SC','Noto Sans SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif";
/** Below this zoom a click means the plot, above it the parcel. */
export const PARCEL_ZOOM = 13;
const INK = "#10201d";
const EMPTY = { type: /** @type {const} */ ("FeatureCollection"), features: [] };

export class DistrictMap {
  /**
   * @param {HTMLElement} container
   * @param {any} style answer of the service
   * @param {{view: View | null, bounds: Bounds | null, onPick: (ref: CardRef) => void,
   *   onMove: (view: View) => void, onPoint: (lon: number, lat: number) => void}} options
   */
  constructor(container, style, { view, bounds, onPick, onMove, onPoint }) {
    setWorkerUrl("/static/worker.js");
    this.container = container;
    const start = view ? { center: /** @type {[number, number]} */ ([view.lon, view.lat]), zoom: view.zoom } : {};
    this.map = new MapLibre({
      container,
      style,
      ...start,
      ...(!view && bounds ? { bounds, fitBoundsOptions: { padding: 24 } } : {}),
      localIdeographFontFamily: FONTS,
      attributionControl: false,
      maxZoom: 19,
      maxPitch: 0,
      dragRotate: false,
      pitchWithRotate: false,
      locale: LOCALE,
    });
    this.map.touchZoomRotate.disableRotation();
    provideHatches(this.map, style.metadata["lianpian:patterns"]);
    this.map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    this.map.addControl(new ScaleControl({ maxWidth: 110, unit: "metric" }), "bottom-left");

    // Tests and screenshots wait for this mark.
    container.dataset.idle = "false";
    this.map.on("idle", () => (container.dataset.idle = "true"));
    for (const event of /** @type {const} */ (["movestart", "sourcedataloading", "styledata"])) {
      this.map.on(event, () => (container.dataset.idle = "false"));
    }
    /** @type {Promise<void>} */
    this.ready = new Promise((resolve) => {
      this.map.on("load", () => {
        this.#addSelectionLayers();
        resolve();
      });
    });
    this.map.on("moveend", () => onMove(this.view()));
    this.map.on("click", (event) => {
      const ref = this.#pick(event.point);
      if (ref) onPick(ref);
      else if (this.#isGathered(event.point)) this.map.easeTo({ center: event.lngLat, zoom: this.map.getZoom() + 2 });
    });
    this.map.on("mousemove", (event) => {
      onPoint(event.lngLat.lng, event.lngLat.lat);
      const cursor = this.#pick(event.point) ? "pointer" : this.#isGathered(event.point) ? "zoom-in" : "";
      this.map.getCanvas().style.cursor = cursor;
    });
  }

  /** @returns {View} */
  view() {
    const { lng, lat } = this.map.getCenter();
    return { zoom: this.map.getZoom(), lat, lon: lng };
  }

  /** @param {{x: number, y: number}} point @returns {CardRef | null} */
  #pick({ x, y }) {
    if (!this.map.getLayer("matches-rank")) return null;
    const match = this.map.queryRenderedFeatures([[x - 4, y - 4], [x + 4, y + 4]], { layers: ["matches-disc"] })[0];
    if (match) return { kind: match.properties.kind, id: match.properties.site_id };
    const under = this.map.queryRenderedFeatures([x, y]);
    const plot = under.find((item) => item.source === "plots" && item.layer.type === "fill");
    const parcel = under.find((item) => item.properties.parcel_id !== undefined
      && (item.source === "parcels" || item.source === "findings") && item.layer.type === "fill");
    const asPlot = plot && { kind: /** @type {const} */ ("plot"), id: String(plot.properties.plot_id) };
    const asParcel = parcel && { kind: /** @type {const} */ ("parcel"), id: String(parcel.properties.parcel_id) };
    return (this.map.getZoom() < PARCEL_ZOOM ? (asPlot ?? asParcel) : (asParcel ?? asPlot)) ?? null;
  }

  /** Whether many features stand there as one: a closer look shows them. @param {{x: number, y: number}} point */
  #isGathered({ x, y }) {
    return this.map.queryRenderedFeatures([x, y]).some((item) => item.properties.count !== undefined);
  }

  #addSelectionLayers() {
    const { map } = this;
    const nothing = /** @type {any} */ (["literal", false]);
    map.addSource("inscribed", { type: "geojson", data: EMPTY });
    map.addSource("matches", { type: "geojson", data: EMPTY });
    map.addSource("pointed", { type: "geojson", data: EMPTY });
    const above = "road-label";
    for (const [kind, source] of /** @type {const} */ ([["plot", "plots"], ["parcel", "parcels"]])) {
      const shared = { type: /** @type {const} */ ("line"), source, "source-layer": source, filter: nothing };
      const layout = { "line-join": /** @type {const} */ ("round") };
      map.addLayer({ id: `selected-${kind}-halo`, ...shared, layout, paint: { "line-color": "#ffe58a", "line-width": 9 } }, above);
      map.addLayer({ id: `selected-${kind}`, ...shared, layout, paint: { "line-color": INK, "line-width": 3 } }, above);
    }
    map.addLayer({
      id: "pointed-halo", type: "line", source: "pointed", layout: { "line-join": "round" },
      paint: { "line-color": "#fff", "line-width": 8 },
    }, above);
    map.addLayer({
      id: "pointed-line", type: "line", source: "pointed", layout: { "line-join": "round" },
      paint: { "line-color": "#b03a22", "line-width": 3.5 },
    }, above);
    map.addLayer({
      id: "placement-fill", type: "fill", source: "inscribed", filter: ["==", ["get", "kind"], "placement"],
      paint: { "fill-color": "#0c5f54", "fill-opacity": 0.45 },
    }, above);
    map.addLayer({
      id: "placement-line", type: "line", source: "inscribed", filter: ["==", ["get", "kind"], "placement"],
      paint: { "line-color": INK, "line-width": 3 },
    }, above);
    map.addLayer({
      id: "inscribed-line", type: "line", source: "inscribed", filter: ["in", ["get", "kind"], ["literal", ["circle", "rectangle"]]],
      paint: { "line-color": INK, "line-width": 1.6, "line-dasharray": [3, 2] },
    }, above);
    map.addLayer({
      id: "inscribed-label", type: "symbol", source: "inscribed", filter: ["==", ["geometry-type"], "Point"],
      layout: { "text-field": ["get", "text"], "text-font": ["Noto Sans CJK SC"], "text-size": 11, "text-offset": [0, 3.6] },
      paint: { "text-color": INK, "text-halo-color": "#fff", "text-halo-width": 1.6 },
    });
    map.addLayer({
      id: "matches-disc", type: "circle", source: "matches",
      paint: { "circle-radius": 13, "circle-color": "#b03a22", "circle-stroke-color": "#fff", "circle-stroke-width": 2 },
    });
    map.addLayer({
      id: "matches-rank", type: "symbol", source: "matches",
      layout: {
        "text-field": ["to-string", ["get", "rank"]], "text-font": ["Noto Sans CJK SC"], "text-size": 13,
        "text-allow-overlap": true, "symbol-sort-key": ["get", "rank"],
      },
      paint: { "text-color": "#fff" },
    });
  }

  /** @param {CardRef | null} ref */
  async select(ref) {
    await this.ready;
    for (const kind of ["plot", "parcel"]) {
      const filter = /** @type {any} */ (
        ref?.kind === kind ? ["==", ["to-string", ["get", `${kind}_id`]], ref.id] : ["literal", false]
      );
      this.map.setFilter(`selected-${kind}`, filter);
      this.map.setFilter(`selected-${kind}-halo`, filter);
    }
    this.#source("pointed").setData(EMPTY);
    if (ref?.kind !== "plot") await this.draw({});
  }

  /** Outline something that is not selected. @param {any} geometry GeoJSON, or nothing */
  async point(geometry) {
    await this.ready;
    this.#source("pointed").setData(geometry ? { type: "Feature", properties: {}, geometry } : EMPTY);
  }

  /** @param {Drawn} shapes */
  async draw({ circle, rectangle, placement }) {
    await this.ready;
    const features = [
      ...(circle?.radius_m ? circleFeatures(circle) : []),
      ...(rectangle?.corners ? rectangleFeatures(rectangle.corners, "rectangle", rectangleCaption(rectangle)) : []),
      ...(placement ? rectangleFeatures(placement, "placement", "") : []),
    ];
    this.#source("inscribed").setData(/** @type {any} */ ({ type: "FeatureCollection", features }));
  }

  /** @param {import("./service.js").Site[]} sites */
  async showMatches(sites) {
    await this.ready;
    this.#source("matches").setData({
      type: "FeatureCollection",
      features: sites.map((site) => ({
        type: "Feature",
        geometry: { type: "Point", coordinates: site.centroid },
        properties: { site_id: site.site_id, kind: site.kind, rank: site.rank },
      })),
    });
  }

  /** @param {Group[]} groups @param {Record<string, boolean>} shown by group key */
  async setGroups(groups, shown) {
    await this.ready;
    for (const group of groups) {
      for (const name of group.layers) {
        if (!this.map.getLayer(name)) continue;
        const visibility = shown[group.key] ? "visible" : "none";
        if ((this.map.getLayoutProperty(name, "visibility") ?? "visible") !== visibility) {
          this.map.setLayoutProperty(name, "visibility", visibility);
        }
      }
    }
  }

  /** @param {Bounds} bounds @param {{right?: number, bottom?: number}} covered pixels that a card covers */
  fly(bounds, { right = 0, bottom = 0 } = {}) {
    const edge = Math.min(60, this.container.clientWidth * 0.08);
    this.map.fitBounds(bounds, {
      padding: { top: edge, left: edge, right: edge + right, bottom: edge + bottom },
      maxZoom: 16,
      duration: 900,
    });
  }

  /** @param {string} name @returns {import("maplibre-gl").GeoJSONSource} */
  #source(name) {
    return /** @type {any} */ (this.map.getSource(name));
  }
}

/** West, south, east, north of any GeoJSON geometry. @param {any} geometry @returns {Bounds | null} */
export function boundsOf(geometry) {
  /** @type {Bounds} */
  const bounds = [Infinity, Infinity, -Infinity, -Infinity];
  /** @param {any} part */
  const visit = (part) => {
    if (typeof part?.[0] === "number") {
      bounds[0] = Math.min(bounds[0], part[0]);
      bounds[1] = Math.min(bounds[1], part[1]);
      bounds[2] = Math.max(bounds[2], part[0]);
      bounds[3] = Math.max(bounds[3], part[1]);
    } else if (Array.isArray(part)) part.forEach(visit);
  };
  visit(geometry?.coordinates);
  return Number.isFinite(bounds[0]) ? bounds : null;
}

/** @param {Bounds[]} all at least one @returns {Bounds} */
export function unionOf(all) {
  return all.reduce((a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])]);
}

/**
 * A circle as a ring and its caption; metres to degrees on the sphere are good enough for a drawing.
 * @param {{lon: number, lat: number, radius_m: number}} circle
 */
function circleFeatures({ lon, lat, radius_m }) {
  const perDegree = 111_320;
  const ring = Array.from({ length: 73 }, (_, step) => {
    const angle = (step / 72) * 2 * Math.PI;
    return [
      lon + (radius_m * Math.cos(angle)) / (perDegree * Math.cos((lat * Math.PI) / 180)),
      lat + (radius_m * Math.sin(angle)) / perDegree,
    ];
  });
  const text = `内切圆 半径 ${Math.round(radius_m)} 米`;
  return [
    { type: "Feature", properties: { kind: "circle" }, geometry: { type: "Polygon", coordinates: [ring] } },
    { type: "Feature", properties: { text }, geometry: { type: "Point", coordinates: [lon, lat] } },
  ];
}

/** @param {{length_m: number, width_m: number}} rectangle */
const rectangleCaption = ({ length_m, width_m }) => `内接矩形 ${Math.round(length_m)} × ${Math.round(width_m)} 米`;

/** A closed ring and its caption at the first corner. @param {[number, number][]} corners @param {string} kind @param {string} text */
function rectangleFeatures(corners, kind, text) {
  const ring = { type: "Feature", properties: { kind }, geometry: { type: "Polygon", coordinates: [[...corners, corners[0]]] } };
  const caption = { type: "Feature", properties: { text }, geometry: { type: "Point", coordinates: corners[0] } };
  return text ? [ring, caption] : [ring];
}
