// The shape of a plot in numbers, and whether a building fits into it.
import * as service from "../service.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { mu, number, percent } from "../wording.js";
import { Facts } from "./card.js";

/** @param {any} rectangle @returns {string} length × width and direction */
export function rectangleText(rectangle) {
  if (!rectangle?.length_m) return "";
  return `${number(rectangle.length_m)} × ${number(rectangle.width_m)} 米，与正东夹角 ${number(rectangle.angle_deg)}°`;
}

/** How far the rectangle may be from the largest; a bound far above it says only that the search ended early. @param {any} rectangle */
export function boundText(rectangle) {
  const excess = rectangle.upper_bound_m2 / rectangle.area_m2;
  if (!(excess > 1.001)) return "";
  return excess > 1.25 ? "（已找到的，未证明最大）" : `（上限 ${mu(rectangle.upper_bound_m2)} 亩）`;
}

/** @param {{plot: Record<string, any>, evidence: Record<string, any>}} props */
export function Shape({ plot, evidence }) {
  const [circle, rectangle] = [evidence.inscribed_circle, evidence.inscribed_rectangle];
  return html`<h3>形状</h3>
    <${Facts} rows=${[
      ["片数", plot.piece_count ? `${number(plot.piece_count)} 片` : ""],
      ["内切圆半径", circle?.radius_m ? `${number(circle.radius_m, 1)} 米` : plot.inscribed_radius_m ? `${number(plot.inscribed_radius_m)} 米` : ""],
      ["最大内接矩形", rectangleText(rectangle)],
      ["矩形面积", rectangle?.area_m2 ? `${mu(rectangle.area_m2)} 亩${boundText(rectangle)}` : ""],
      ["紧凑度", number(plot.compactness, 2)],
      ["外接圆比", number(plot.reock, 2)],
      ["矩形度", number(plot.rectangularity, 2)],
      ["临路长度", typeof plot.road_frontage_m === "number" ? `${number(plot.road_frontage_m)} 米` : ""],
      ["轮廓面积", plot.outline_area_m2 ? `${mu(plot.outline_area_m2)} 亩` : ""],
      ["其中跨接", typeof plot.bridged_m2 === "number" ? `${mu(plot.bridged_m2)} 亩` : ""],
      ["凸包面积", plot.convex_area_m2 ? `${mu(plot.convex_area_m2)} 亩` : ""],
      ["建筑密度", percent(plot.built_share)],
    ]} />`;
}

/**
 * A small form: length and width in metres, answered with a placement or with why there is none.
 * @param {{id: string, onPlacement: (corners: [number, number][] | null) => void}} props
 */
export function FitForm({ id, onPlacement }) {
  const [sides, setSides] = useState({ length: "", width: "" });
  const [asking, setAsking] = useState(false);
  const [answer, setAnswer] = useState(/** @type {service.Fit | null} */ (null));
  const [problem, setProblem] = useState("");
  const form = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    setAnswer(null);
    setProblem("");
  }, [id]);
  // On a phone the answer would come below the edge of the card.
  useEffect(() => {
    if (answer || problem) form.current?.lastElementChild?.scrollIntoView({ block: "nearest" });
  }, [answer, problem]);
  const [length, width] = [Number(sides.length), Number(sides.width)];
  const ready = length > 0 && width > 0 && !asking;
  const change = (/** @type {"length" | "width"} */ side) => (/** @type {any} */ event) =>
    setSides({ ...sides, [side]: event.target.value });
  const ask = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!ready) return;
    setAsking(true);
    setProblem("");
    try {
      const got = await service.fit(id, length, width);
      setAnswer(got);
      onPlacement(got.corners);
    } catch (error) {
      setAnswer(null);
      onPlacement(null);
      setProblem(/** @type {service.ServiceError} */ (error).message);
    } finally {
      setAsking(false);
    }
  };
  const outcome = answer && (answer.fits === null ? "unknown" : answer.fits ? "yes" : "no");
  return html`<section class="fit" aria-label="放得下吗" ref=${form}>
    <h3>放得下吗</h3>
    <form class="fit-form" onSubmit=${ask}>
      <label><span class="unseen">长（米）</span><input type="number" min="1" max="100000" step="any" inputmode="decimal" placeholder="长" value=${sides.length} onInput=${change("length")} /></label>
      <span aria-hidden="true">×</span>
      <label><span class="unseen">宽（米）</span><input type="number" min="1" max="100000" step="any" inputmode="decimal" placeholder="宽" value=${sides.width} onInput=${change("width")} /></label>
      <span>米</span>
      <button class="plain" disabled=${!ready}>${asking ? "正在判断…" : "判断"}</button>
    </form>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${answer && html`<p class=${`fit-answer ${outcome}`} role="status"><b>${number(answer.length_m, 1)} × ${number(answer.width_m, 1)} 米</b> ${answer.zh}</p>`}
  </section>`;
}
