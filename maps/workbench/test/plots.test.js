import assert from "node:assert/strict";
import { test } from "node:test";
import { boundText, rectangleText } from "../src/cards/plot_shape.js";
import { REASONS, byReason } from "../src/cards/why_not.js";
import { caveats } from "../src/panels/caveats.js";
import { withCurrent } from "../src/panels/ladder.js";
import { chiefHelp } from "../src/panels/near_misses.js";

const STEPS = [{ gap_m: 0, plots: 0, mu: 0, groups: 1 }, { gap_m: 20, plots: 2, mu: 1200, groups: 3 }];

test("the run's own gap is marked on the ladder, and put in its place where it is no rung", () => {
  assert.deepEqual(withCurrent(STEPS, 20, { plots: 2, plots_mu: 1200 }).map((step) => step.current), [false, true]);
  const between = withCurrent(STEPS, 12, { plots: 1, plots_mu: 700 });
  assert.deepEqual(between.map((step) => [step.gap_m, step.plots, step.current]), [[0, 0, false], [12, 1, true], [20, 2, false]]);
  assert.equal(between[1].groups, undefined);
  assert.deepEqual(withCurrent(STEPS, undefined, undefined), STEPS);
});

test("reasons are counted in the order of what they would add, and each has a name", () => {
  const entries = [
    { reason: "barrier", area_m2: 500 }, { reason: "too_far", area_m2: 300 }, { reason: "barrier", area_m2: 100 },
  ];
  assert.deepEqual(byReason(entries), [["barrier", 2, 600], ["too_far", 1, 300]]);
  for (const reason of ["barrier", "short_frontage", "corner", "too_far", "cut_corridor", "other_plot", "excluded", "not_eligible"]) {
    assert.ok(REASONS[reason]);
  }
});

test("of what would help the first that is enough is told, else what adds most", () => {
  assert.equal(chiefHelp([{ parcel_id: "A", enough: false }, { parcel_id: "B", enough: true }]).parcel_id, "B");
  assert.equal(chiefHelp([{ parcel_id: "A", enough: false }]).parcel_id, "A");
  assert.equal(chiefHelp([]), undefined);
});

test("a rectangle is told with its direction, and not at all where there is none", () => {
  assert.equal(rectangleText({ length_m: 812.4, width_m: 400.2, angle_deg: 12.3 }), "812 × 400 米，与正东夹角 12°");
  assert.equal(rectangleText({ length_m: 0, corners: null }), "");
  assert.equal(rectangleText(undefined), "");
});

test("how far a rectangle is from the largest is told, and that it is not proven where the search ended early", () => {
  assert.equal(boundText({ area_m2: 20_000, upper_bound_m2: 20_000 }), "");
  assert.equal(boundText({ area_m2: 20_000, upper_bound_m2: 20_400 }), "（上限 30.6 亩）");
  assert.equal(boundText({ area_m2: 20_000, upper_bound_m2: 240_000 }), "（已找到的，未证明最大）");
});

test("what a run could not assess is told in words, and nothing where all is known", () => {
  const summary = /** @type {any} */ ({
    coverage: { dirty: true, apart_m: 134.4, overlap_m2: 2000 }, unassessed_barriers: ["R1", "R2"],
    unassessed_setbacks: [{ kind: "railway", missing: ["grade", "setting"], barrier_id: ["B1"] }], slope: { assessed: false },
  });
  assert.deepEqual(caveats(summary), [
    "参选宗地的图形衔接有误差：相邻界线不重合 134 米，重叠 2,000 平方米；连片按距离判断，重叠只计一次。",
    "2 条地方道路没有宽度，按不可跨接处理。", "退让未能评估：铁路 1 条，缺少等级、所处位置。", "坡度未评估：没有高程。",
  ]);
  assert.deepEqual(caveats(/** @type {any} */ ({ coverage: { dirty: false }, slope: { assessed: true, not_assessed_m2: 0 } })), []);
});
