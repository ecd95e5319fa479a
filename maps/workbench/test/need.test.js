import assert from "node:assert/strict";
import { test } from "node:test";
import { formOf, needOf } from "../src/panels/need.js";

const need = {
  industry: "3841",
  area_mu: { min: 600, max: 1100 },
  land_use: ["1001", "16"],
  max_km: { motorway_ramp: 8, port: 15 },
  min_factors: { power_kva: 20000, water_m3d: 4000 },
  max_price_yuan_per_mu: 420000,
  min_inscribed_radius_m: 180,
  deadline: "2027-06-30",
};

test("a stored need comes back from the form as it was", () => {
  assert.deepEqual(needOf(formOf(need)), { ...need, limit: 20 });
});

test("an empty form asks for nothing", () => {
  assert.deepEqual(needOf({}), { limit: 20 });
  assert.deepEqual(needOf(formOf({})), { limit: 20 });
});

test("prices are given in ten thousand yuan, figures may have commas", () => {
  assert.deepEqual(needOf({ price_wan: "42", area_min: "1,200" }), { area_mu: { min: 1200 }, max_price_yuan_per_mu: 420000, limit: 20 });
});

test("zero is a limit, not an empty field", () => {
  assert.deepEqual(needOf({ km_port: "0" }), { max_km: { port: 0 }, limit: 20 });
});

test("text that is no number is left out", () => {
  assert.deepEqual(needOf({ area_min: "很多" }), { limit: 20 });
});
