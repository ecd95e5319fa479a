// The frame of every card: a heading, a way out and a way to pass it on.
import { html, useEffect, useRef, useState } from "../view.js";

/**
 * @param {{kind: "parcel" | "plot", id: string, eyebrow: string, title: string, ready: boolean, problem: string,
 *   onClose: () => void, children?: any}} props
 */
export function Card({ kind, id, eyebrow, title, ready, problem, onClose, children }) {
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    setCopied(false);
    heading.current?.focus({ preventScroll: true });
    heading.current?.closest(".card")?.scrollTo({ top: 0 });
  }, [kind, id]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      setCopied(true);
    } catch {
      setCopied(false);
    }
  };
  return html`<aside class="card" aria-label=${`${eyebrow} ${title}`} data-card=${ready ? `${kind}:${id}` : undefined} aria-busy=${!ready && !problem}>
    <header class="card-head">
      <p class="eyebrow">${eyebrow}</p>
      <h2 tabindex="-1" ref=${heading}>${title}</h2>
      <button class="close" aria-label="关闭" onClick=${onClose}>×</button>
    </header>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${!ready && !problem && html`<p class="hint" role="status">正在载入…</p>`}
    ${children}
    ${ready && html`<footer class="card-foot">
      <button class="plain" onClick=${copy}>${copied ? "已复制" : "复制链接"}</button>
      <a class="plain" href=${`/collections/${kind}s/items/${encodeURIComponent(id)}`} download=${`${id}.geojson`}>下载 GeoJSON</a>
    </footer>`}
  </aside>`;
}

/** A list of names and values; rows without a value are left out. @param {{rows: [string, any][]}} props */
export function Facts({ rows }) {
  const stated = rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== "—");
  return html`<dl class="facts">${stated.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** The area as the first thing to read. @param {{mu: string, ha: string, note?: string}} props */
export function Area({ mu, ha, note }) {
  return html`<p class="area"><b>${mu}</b> 亩 <span>${ha} 公顷</span>${note && html`<em>${note}</em>`}</p>`;
}
