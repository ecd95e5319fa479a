// The address after "#": view, opened card and run, so that a link shows the receiver what the sender saw.

/** @typedef {{kind: "parcel" | "plot", id: string}} CardRef */
/** @typedef {{zoom: number, lat: number, lon: number}} View */
/** @typedef {{view: View | null, card: CardRef | null, run: string, tab: string}} Place */

/** @param {string} hash with or without "#" @returns {Place} */
export function parsePlace(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const numbers = (parts.get("map") ?? "").split("/").map((text) => (text ? Number(text) : Number.NaN));
  const [zoom, lat, lon] = numbers;
  const valid =
    numbers.length === 3 && numbers.every(Number.isFinite) && Math.abs(lat) <= 85 && Math.abs(lon) <= 180 && zoom >= 0;
  const card = /^(parcel|plot):(.+)$/.exec(parts.get("card") ?? "");
  return {
    view: valid ? { zoom: Math.min(zoom, 22), lat, lon } : null,
    card: card ? { kind: /** @type {"parcel" | "plot"} */ (card[1]), id: card[2] } : null,
    run: parts.get("run") ?? "",
    tab: parts.get("tab") ?? "",
  };
}

/** @param {Place} place @returns {string} with "#" */
export function formatPlace({ view, card, run, tab }) {
  const parts = new URLSearchParams();
  if (view) parts.set("map", `${view.zoom.toFixed(2)}/${view.lat.toFixed(5)}/${view.lon.toFixed(5)}`);
  if (card) parts.set("card", `${card.kind}:${card.id}`);
  if (tab) parts.set("tab", tab);
  if (run) parts.set("run", run);
  return `#${parts.toString().replaceAll("%2F", "/").replaceAll("%3A", ":")}`;
}
