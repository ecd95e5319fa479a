import assert from "node:assert/strict";
import { test } from "node:test";
import { ROW, axisOf, counted, labelsOf, pushedApart } from "../src/cards/axis.js";

const title = (level) => ({ warning: "即将到期", overdue: "逾期未动工", idle_1y: "闲置满一年", idle_2y: "闲置满两年" })[level] ?? level;
const excuse = (from, to, days, extra = {}) => ({
  from, to, running: to === null, zh: "规划依法修改", counts: days > 0, why_not: days > 0 ? null : "期满之后才开始，不再扣除",
  days_counted_1y: days, days_counted_2y: days, days_counted_stop: 0, ...extra,
});
const timeline = (more = {}) => ({
  as_of: "2026-06-30", level: "idle_1y", next_level: "idle_2y", started: false, started_on_computed: null, missing: [], excuses: [],
  events: [
    { date: "2024-03-10", kind: "contract", zh: "合同签订", seen: true },
    { date: "2025-03-15", kind: "start_due", zh: "约定动工", seen: true },
  ],
  milestones: [
    { date: "2025-03-16", level: "overdue", zh: "应动工日期已过", moving: false, passed: true },
    { date: "2026-03-16", level: "idle_1y", zh: "逾期满 1 年", moving: false, passed: true },
    { date: "2027-03-16", level: "idle_2y", zh: "逾期满 2 年", moving: false, passed: false },
  ],
  ...more,
});

test("labels are pushed apart no further than needed and stay inside", () => {
  assert.deepEqual(pushedApart([10, 50, 90], 19, 0, 100), [10, 50, 90]);
  assert.deepEqual(pushedApart([10, 11, 90], 19, 0, 100), [10, 29, 90]);
  assert.deepEqual(pushedApart([95, 96, 97], 19, 0, 100), [62, 81, 100]);
});

test("labels never overlap, whatever the days", () => {
  let seed = 7;
  const next = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 200; round++) {
    const events = Array.from({ length: 1 + Math.floor(next() * 14) }, (_, i) => ({
      date: `20${10 + Math.floor(next() * 18)}-0${1 + Math.floor(next() * 9)}-15`, kind: `k${i}`, zh: `事${i}`, seen: true,
    }));
    const axis = axisOf(timeline({ events }), title);
    const places = axis.labels.map((label) => label.y);
    for (let i = 1; i < places.length; i++) assert.ok(places[i] - places[i - 1] >= ROW - 1e-6);
    assert.ok(places[0] >= 0 && places.at(-1) <= axis.height);
    assert.deepEqual(axis.labels.map((label) => label.date), axis.labels.map((label) => label.date).toSorted());
  }
});

test("a day's place on the rail is true to time", () => {
  const { labels } = axisOf(timeline(), title);
  const at = (date) => labels.find((label) => label.date === date).at;
  // 365 days each: from overdue to one year, from one year to two.
  assert.ok(Math.abs(at("2026-03-16") - at("2025-03-16") - (at("2027-03-16") - at("2026-03-16"))) < 1e-9);
});

test("each level colours the rail until the next one, and the last until today", () => {
  const axis = axisOf(timeline(), title);
  assert.deepEqual(axis.stretches.map((one) => one.level), ["overdue", "idle_1y"]);
  assert.equal(axis.stretches[1].from, axis.stretches[0].to);
  assert.equal(axis.stretches[1].to, axis.today);
});

test("a year of suspension is no finding where the rule is not met or could not be assessed", () => {
  const stopped = [{ date: "2025-11-06", level: "idle_stalled", zh: "停工满 1 年", moving: false, passed: true }];
  for (const level of ["ok", "not_assessed"]) {
    const axis = axisOf(timeline({ level, milestones: stopped }), title);
    assert.equal(axis.stretches.length, 0);
    assert.ok(axis.labels.some((label) => label.text === "停工满 1 年" && label.level === ""));
  }
  assert.equal(axisOf(timeline({ level: "idle_stalled", milestones: stopped }), title).stretches.length, 1);
});

test("a start ends what its lateness had begun", () => {
  const started = timeline({ started: true, started_on_computed: "2025-09-01", milestones: timeline().milestones.slice(0, 1) });
  const axis = axisOf(started, title);
  assert.equal(axis.stretches.length, 1);
  assert.ok(axis.stretches[0].to < axis.today);
});

test("an excuse is a band with its days; overlapping ones stand side by side; one that runs ends today", () => {
  const two = timeline({ excuses: [excuse("2025-06-01", "2025-08-31", 92), excuse("2025-08-01", null, 303)] });
  const axis = axisOf(two, title);
  assert.deepEqual(axis.bands.map((band) => band.lane), [0, 1]);
  assert.equal(axis.bands[1].to, axis.today);
  assert.ok(labelsOf(two, title).some((label) => label.text === "规划依法修改，计 92 天"));
});

test("days are told for each period where they differ, and not at all where none count", () => {
  assert.equal(counted(excuse("2025-06-01", "2025-06-10", 10)), "计 10 天");
  assert.equal(counted(excuse("2026-05-01", null, 1, { days_counted_1y: 0, days_counted_2y: 61 })), "一年期计 0 天，两年期计 61 天");
  assert.equal(counted(excuse("2025-10-01", "2026-05-31", 0)), "不计");
  assert.equal(counted({ counts: true, days_counted: 5 }), "计 5 天");
});

test("an excuse without a day and a milestone that still moves have no place on the rail", () => {
  const odd = timeline({
    excuses: [excuse(null, "2025-05-01", 0)],
    milestones: [{ date: null, level: "idle_1y", zh: "逾期满 1 年", moving: true, passed: false }],
  });
  const axis = axisOf(odd, title);
  assert.equal(axis.bands.length, 0);
  assert.deepEqual(axis.labels.map((label) => label.kind), ["event", "event", "as_of"]);
});

test("without any day there is no chart", () => {
  assert.equal(axisOf(timeline({ events: [], milestones: [] }), title), null);
});
