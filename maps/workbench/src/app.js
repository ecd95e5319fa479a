// The page: one state, one map, one panel, one card.
import { ParcelCard } from "./cards/parcel.js";
import { PlotCard } from "./cards/plot.js";
import { Headline } from "./headline.js";
import { DistrictMap, boundsOf, unionOf } from "./map.js";
import { FindingsPanel } from "./panels/findings.js";
import { LayersPanel } from "./panels/layers.js";
import { PlotsPanel } from "./panels/plots.js";
import { EMPTY_SEARCH, SitesPanel } from "./panels/sites.js";
import { formatPlace, parsePlace } from "./permalink.js";
import * as service from "./service.js";
import { Swatch } from "./swatch.js";
import { html, render, useCallback, useEffect, useMemo, useRef, useState } from "./view.js";
import { day } from "./wording.js";

/** @typedef {import("./permalink.js").CardRef} CardRef */

const TABS = /** @type {const} */ ([["plots", "连片地块"], ["sites", "找地"], ["findings", "闲置低效"], ["layers", "图层"]]);
const NARROW = window.matchMedia("(max-width: 760px)");
const KEY_GROUPS = ["plots", "idle", "inefficient", "due", "not_assessed", "constraints"];

/** Part of the map that an open card covers, in pixels. */
const covered = () => (NARROW.matches ? { bottom: window.innerHeight * 0.48 } : { right: 400 });

/** @param {{run: service.Run | null, style: any}} props */
function Workbench({ run, style }) {
  const start = useMemo(() => parsePlace(location.hash), []);
  const [tab, setTab] = useState(TABS.some(([key]) => key === start.tab) ? start.tab : "plots");
  const [open, setOpen] = useState(!NARROW.matches);
  const [card, setCard] = useState(/** @type {CardRef | null} */ (start.card));
  const [view, setView] = useState(start.view);
  const [point, setPoint] = useState(/** @type {[number, number] | null} */ (null));
  const [plots, setPlots] = useState(/** @type {service.Feature[] | null} */ (null));
  const [search, setSearch] = useState(EMPTY_SEARCH);
  const [mapProblem, setMapProblem] = useState("");
  const groups = style.metadata["lianpian:legend"];
  const patterns = style.metadata["lianpian:patterns"];
  const landUses = style.metadata["lianpian:land-use"];
  const [shown, setShown] = useState(/** @type {Record<string, boolean>} */ (
    Object.fromEntries(groups.map((/** @type {any} */ group) => [group.key, group.visible]))
  ));
  const levels = useMemo(
    () => Object.fromEntries(groups.flatMap((/** @type {any} */ group) => group.entries.map((/** @type {any} */ entry) => [entry.key, entry]))),
    [groups],
  );
  const plotNames = useMemo(
    () => new Map((plots ?? []).map((plot) => [plot.properties.plot_id, plot.properties.name ?? plot.properties.plot_id])),
    [plots],
  );
  const holder = useRef(/** @type {HTMLDivElement | null} */ (null));
  const map = useRef(/** @type {DistrictMap | null} */ (null));

  const openCard = useCallback((/** @type {CardRef | null} */ ref) => {
    setCard(ref);
    if (ref && NARROW.matches) setOpen(false);
  }, []);

  useEffect(() => {
    try {
      map.current = new DistrictMap(/** @type {HTMLDivElement} */ (holder.current), style, {
        view: start.view, bounds: run?.bounds ?? null, onPick: openCard, onMove: setView,
        onPoint: (lon, lat) => setPoint([lon, lat]),
      });
      /** @type {any} */ (window).lianpian = { map: map.current.map };
    } catch {
      // Lists, cards and the search work without a map.
      setMapProblem("此浏览器未启用 WebGL 2，无法绘制地图；清单、查询与找地仍可使用。");
    }
    service.allPlots().then(setPlots, () => setPlots([]));
    return () => map.current?.map.remove();
  }, []);
  useEffect(() => {
    history.replaceState(null, "", formatPlace({ view, card, run: run?.run_id ?? "", tab }));
  }, [view, card, tab, run]);
  useEffect(() => {
    // A link that names a card and no place shows where it is.
    if (start.card?.kind === "parcel" && !start.view) void openParcel(start.card.id);
  }, []);
  useEffect(() => void map.current?.select(card), [card]);
  useEffect(() => void map.current?.setGroups(groups, shown), [shown]);
  useEffect(() => {
    const sites = search.matches?.sites ?? [];
    void map.current?.showMatches(sites);
    if (sites.length) {
      setCard(null);
      map.current?.fly(unionOf(sites.map((site) => site.bbox)), NARROW.matches ? covered() : {});
    }
  }, [search.matches]);
  useEffect(() => {
    const close = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && setCard(null);
    const follow = () => openCard(parsePlace(location.hash).card);
    window.addEventListener("keydown", close);
    window.addEventListener("hashchange", follow);
    return () => {
      window.removeEventListener("keydown", close);
      window.removeEventListener("hashchange", follow);
    };
  }, []);

  const flyTo = (/** @type {any} */ bounds) => bounds && map.current?.fly(bounds, covered());
  const openPlot = (/** @type {string} */ id) => {
    openCard({ kind: "plot", id });
    flyTo(boundsOf(plots?.find((plot) => plot.properties.plot_id === id)?.geometry));
  };
  const openParcel = async (/** @type {string} */ id) => {
    openCard({ kind: "parcel", id });
    const found = await service.feature("parcels", id).catch(() => null);
    flyTo(boundsOf(found?.geometry));
  };
  const pointTo = async (/** @type {string} */ id) => {
    const found = await service.feature("parcels", id).catch(() => null);
    void map.current?.point(found?.geometry ?? null);
    flyTo(boundsOf(found?.geometry));
  };
  const drawPlot = (/** @type {import("./map.js").Drawn} */ shapes) => {
    void map.current?.draw(shapes);
    // Where a building goes is seen within the whole plot.
    if (shapes.placement) flyTo(boundsOf(plots?.find((plot) => plot.properties.plot_id === card?.id)?.geometry));
  };
  const openSite = (/** @type {service.Site} */ site) => {
    openCard({ kind: site.kind, id: site.site_id });
    flyTo(site.bbox);
  };
  const openId = (/** @type {string} */ id) => (plotNames.has(id) ? openPlot(id) : void openParcel(id));
  const choose = (/** @type {string} */ key) => {
    setOpen(key !== tab || !open || !NARROW.matches);
    setTab(key);
  };
  const onTabKey = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = TABS.findIndex(([key]) => key === tab);
    const [key] = TABS[(place + step + TABS.length) % TABS.length];
    choose(key);
    document.getElementById(`tab-${key}`)?.focus();
  };
  const selected = card?.id ?? "";

  return html`<${Headline} run=${run} />
    <main class=${`workbench ${open ? "open" : "closed"} ${card ? "with-card" : ""}`}>
      <section class="panel" aria-label="工作面板">
        <div class="tabs" role="tablist" aria-label="内容" onKeyDown=${onTabKey}>
          ${TABS.map(([key, title]) => html`<button role="tab" key=${key} id=${`tab-${key}`} aria-controls="panel" aria-selected=${tab === key}
            tabindex=${tab === key ? 0 : -1} onClick=${() => choose(key)}>${title}</button>`)}
        </div>
        <div class="panel-body" id="panel" role="tabpanel" aria-labelledby=${`tab-${tab}`} tabindex="-1">
          ${start.run && run && start.run !== run.run_id && html`<p class="notice">链接引用的分析批次 ${start.run} 已不是最新，现显示 ${run.run_id}。</p>`}
          ${!run && html`<${NothingYet} />`}
          ${run && tab === "plots" && html`<${PlotsPanel} plots=${plots} run=${run} selected=${selected} onOpen=${openPlot} onShow=${flyTo} />`}
          ${run && tab === "sites" && html`<${SitesPanel} search=${search} selected=${selected} onSearch=${setSearch} onOpen=${openSite} onOpenId=${openId} />`}
          ${run && tab === "findings" && html`<${FindingsPanel} levels=${levels} run=${run} selected=${selected} onOpen=${openParcel} />`}
          ${(run || tab === "layers") && tab === "layers" && html`<${LayersPanel} groups=${groups} patterns=${patterns} shown=${shown} run=${run}
            onToggle=${(/** @type {string} */ key) => setShown({ ...shown, [key]: !shown[key] })} />`}
        </div>
      </section>
      <section class="map-area" aria-label="地图">
        <div id="map" ref=${holder}></div>
        ${mapProblem && html`<p class="no-map" role="alert">${mapProblem}</p>`}
        <${MapKey} groups=${groups} patterns=${patterns} shown=${shown} />
        <div class="marks">
          <span class="stamp">内部使用</span>
          ${isDemo(run) && html`<span class="demo">示例数据，不代表真实地块</span>`}
          <span class="coordinates">${coordinates(point ?? (view && [view.lon, view.lat]))}</span>
        </div>
      </section>
      ${card?.kind === "plot" && html`<${PlotCard} id=${card.id} landUses=${landUses} levels=${levels} onClose=${() => setCard(null)}
        onDraw=${drawPlot} onPoint=${pointTo} onOpenParcel=${openParcel} onOpenPlot=${openPlot} />`}
      ${card?.kind === "parcel" && html`<${ParcelCard} id=${card.id} landUses=${landUses} levels=${levels} plotNames=${plotNames}
        onClose=${() => setCard(null)} onOpenPlot=${openPlot} />`}
    </main>`;
}

/** What the strongest colours mean, on the map itself. @param {{groups: any[], patterns: any, shown: Record<string, boolean>}} props */
function MapKey({ groups, patterns, shown }) {
  const listed = groups.filter((group) => KEY_GROUPS.includes(group.key) && shown[group.key]);
  if (!listed.length) return null;
  return html`<details class="map-key" open=${!NARROW.matches}>
    <summary>图例</summary>
    <ul class="legend-list">${listed.flatMap((group) => group.entries).map((/** @type {any} */ entry) => html`<li key=${entry.key}>
      <${Swatch} entry=${entry} patterns=${patterns} /> <span>${entry.zh}</span>
    </li>`)}</ul>
  </details>`;
}

function NothingYet() {
  return html`<div class="empty">
    <h2>还没有分析结果</h2>
    <p>导入全区宗地并运行一次分析后，这里会显示闲置、低效用地和 500 亩以上连片地块。</p>
    <pre>lianpian import 宗地.gpkg
lianpian analyse</pre>
    <p>想先看看样子：</p>
    <pre>lianpian demo</pre>
  </div>`;
}

/** @param {service.Run | null} run */
const isDemo = (run) =>
  Boolean(run && (run.ruleset === "demo" || run.loads.some((load) => /demo|示例/i.test(load.file_name))));

/** @param {[number, number] | null | undefined} point */
const coordinates = (point) => (point
  ? `${degrees(point[0], "E", "W")} ${degrees(point[1], "N", "S")} · CGCS2000` : "CGCS2000");

/** @param {number} value @param {string} positive @param {string} negative */
const degrees = (value, positive, negative) => `${Math.abs(value).toFixed(5)}°${value < 0 ? negative : positive}`;

async function start() {
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  try {
    const [run, style] = await Promise.all([
      service.latestRun().catch((error) => {
        if (error.status === 404) return null;
        throw error;
      }),
      service.districtStyle(),
    ]);
    root.replaceChildren();
    document.title = run ? `连片 · ${day(run.as_of)}` : "连片 · 土地等项目";
    render(html`<${Workbench} run=${run} style=${style} />`, root);
  } catch (error) {
    const { message, remedy } = /** @type {service.ServiceError} */ (error);
    root.replaceChildren();
    render(html`<p class="splash problem" role="alert">${message}${remedy ? `。${remedy}` : ""}</p>`, root);
  }
}

void start();
