// Small pictures of how land is drawn: the legend's symbols.
import { html } from "./view.js";

/** @typedef {{key: string, zh: string, en: string, colour: string, symbol: string, pattern: string, stroke: string}} Entry */
/** @typedef {import("./hatches.js").Pattern} Pattern */

/** @param {{entry: Entry, patterns: Record<string, Pattern>}} props */
export function Swatch({ entry, patterns }) {
  return html`<svg class="swatch" width="26" height="16" viewBox="0 0 26 16" aria-hidden="true">${draw(entry, patterns)}</svg>`;
}

/** @param {Entry} entry @param {Record<string, Pattern>} patterns */
function draw(entry, patterns) {
  const { colour, symbol, stroke } = entry;
  switch (symbol) {
    case "outline":
      return html`<rect x="2" y="2" width="22" height="12" fill=${colour} fill-opacity="0.14" stroke=${colour} stroke-width="2.6" />`;
    case "line":
      return html`<path d="M1 8h24" stroke=${stroke || colour} stroke-width="6" /><path d="M1 8h24" stroke=${colour} stroke-width="3.6" />`;
    case "dash":
      return html`<path d="M1 8h24" stroke=${colour} stroke-width="2.2" stroke-dasharray="6 2 1.5 2" />`;
    case "rail":
      return html`<path d="M1 8h24" stroke=${colour} stroke-width="4" /><path d="M1 8h24" stroke="#fff" stroke-width="2" stroke-dasharray="5 5" />`;
    case "point":
      return html`<circle cx="13" cy="8" r="5.5" fill=${colour} stroke="#fff" stroke-width="1.4" />`;
    default:
      return html`<rect x="1.5" y="1.5" width="23" height="13" fill=${colour || "none"} stroke=${stroke || "#00000022"} />${
        symbol === "hatch" ? hatch(patterns[entry.pattern]) : null
      }`;
  }
}

/** @param {Pattern | undefined} pattern */
function hatch(pattern) {
  if (!pattern) return null;
  const lines = [];
  if (pattern.angle === 0) for (let y = 4; y < 15; y += 4) lines.push(`M2 ${y}h22`);
  for (let x = -12; x < 26; x += 6) {
    if (pattern.angle === 45 || pattern.cross) lines.push(clip(x, 14, 1));
    if (pattern.angle === 135 || pattern.cross) lines.push(clip(x, 2, -1));
  }
  return html`<path d=${lines.join("")} stroke=${pattern.colour} stroke-width=${pattern.width_px} fill="none" />`;
}

/** A diagonal that stays within the swatch. @param {number} x @param {number} y @param {1 | -1} rise */
function clip(x, y, rise) {
  const from = Math.max(x, 2);
  const to = Math.min(x + 12, 24);
  return to > from ? `M${from} ${y - rise * (from - x)}L${to} ${y - rise * (to - x)}` : "";
}
