import { expect, test } from "vitest";
import { hashOf, type Place, spotOf } from "../src/model/place";

const place = (more: Partial<Place>): Place => ({ kind: "chat", peer: "bob@example.com", id: "", words: "", ...more });

test.each([
  ["", { selected: "", place: null }],
  ["#/bob%40example.com", { selected: "bob@example.com", place: null }],
  ["#/bob%40example.com/chat", { selected: "bob@example.com", place: place({}) }],
  ["#/bob%40example.com/history/00ab/50%25%20%2F%20more", { selected: "bob@example.com", place: place({ kind: "history", id: "00ab", words: "50% / more" }) }],
])("the address %j leads to where it was made", (hash, spot) => {
  expect(hashOf(spot)).toBe(hash);
  expect(spotOf(hash)).toEqual(spot);
});

test("an address that is none of ours is the start, or a contact's", () => {
  expect(spotOf("#/%E0%A4%A")).toEqual({ selected: "", place: null });
  expect(spotOf("#/bob/elsewhere/1")).toEqual({ selected: "bob", place: null });
});
