import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPlace, parsePlace } from "../src/permalink.js";

test("a place survives the address", () => {
  const place = { view: { zoom: 13.25, lat: 31.322, lon: 120.035 }, card: { kind: "plot", id: "LP0003" }, run: "R1", tab: "sites" };
  assert.equal(formatPlace(place), "#map=13.25/31.32200/120.03500&card=plot:LP0003&tab=sites&run=R1");
  assert.deepEqual(parsePlace(formatPlace(place)), place);
});

test("an id may hold any sign", () => {
  for (const id of ["3208:99/00 1", "甲&乙=丙", "100%", "#1", "a+b"]) {
    const place = { view: null, card: { kind: "parcel", id }, run: "", tab: "" };
    assert.deepEqual(parsePlace(formatPlace(place)).card, place.card);
  }
});

test("nonsense is no place", () => {
  for (const hash of ["", "#", "#map=a/b/c", "#map=1/2", "#map=10/95/120", "#map=10/30/190", "#card=farm:1", "#map=//"]) {
    const { view, card } = parsePlace(hash);
    assert.equal(view, null, hash);
    assert.equal(card, null, hash);
  }
});
