import { expect, test } from "vitest";
import { alertFor, isWithin } from "../src/model/alerts";
import { marked } from "../src/model/marks";
import { Photos } from "../src/model/photos";
import { Rows } from "../src/model/rows";

const shown = (text: string, search: string): string => marked(text, search).map((part) => (part.isHit ? `[${part.text}]` : part.text)).join("");

test.each([
  ["Noon is perfect", "no", "[No]on is perfect"],
  ["known and unknown", "know", "[know]n and unknown"],
  ["Grüße aus Köln", "gruss koln", "[Grüß]e aus [Köln]"],
  ["Straße", "STRASSE", "[Straße]"],
  ["re-send, resend", "send re", "[re]-[send], [re]send"],
  ["明日の会議は十時です", "会議", "明日の[会議]は十時です"],
  ["<b>no</b>", "b", "<[b]>no</[b]>"],
  ["anything", "  ", "anything"],
  ["", "x", ""],
  ["Łódź øre", "lodz ore", "[Łódź] [øre]"],
])("what a search finds in %j for %j", (text, search, expected) => {
  expect(shown(text, search)).toBe(expected);
});

test("quiet hours go over midnight", () => {
  expect(["17:59", "18:00", "23:30", "07:59", "08:00"].map((time) => isWithin(time, "18:00", "08:00"))).toEqual([false, true, true, true, false]);
  expect(["11:59", "12:00", "13:00"].map((time) => isWithin(time, "12:00", "13:00"))).toEqual([false, true, false]);
  expect([isWithin("12:00", "", ""), isWithin("12:00", "12:00", "12:00")]).toEqual([false, false]);
});

test("Busy and quiet hours are silent; who looks at the page hears only", () => {
  const wishes = { isShown: true, isHeard: true, quietFrom: "18:00", quietTo: "08:00" };
  const moment = { status: "Available", time: "12:00", isFocused: false } as const;
  expect(alertFor(wishes, moment)).toEqual({ isShown: true, isHeard: true });
  expect(alertFor(wishes, { ...moment, isFocused: true })).toEqual({ isShown: false, isHeard: true });
  expect(alertFor({ ...wishes, isHeard: false }, moment)).toEqual({ isShown: true, isHeard: false });
  for (const silent of [{ status: "Busy" as const }, { time: "20:00" }]) {
    expect(alertFor(wishes, { ...moment, ...silent })).toEqual({ isShown: false, isHeard: false });
  }
});

test("rows in sight are found by their heights", () => {
  const rows = new Rows([34, 52, 52, 34, 52]);
  expect(rows.height).toBe(224);
  expect(rows.between(0, 34)).toEqual([0, 2]);
  expect(rows.between(35, 100)).toEqual([1, 3]);
  expect(rows.between(-500, -400)).toEqual([0, 0]);
  expect(rows.between(0, 10_000)).toEqual([0, 5]);
  expect(rows.topOf(3)).toBe(138);
  expect(new Rows([]).between(0, 100)).toEqual([0, 0]);
});

test("photos are fetched a few at a time, what is wished for last first, and once", async () => {
  const asked: string[] = [];
  const answers = new Map<string, (photo: string) => void>();
  let changes = 0;
  const photos = new Photos(
    (address) => {
      asked.push(address);
      return new Promise((resolve) => answers.set(address, resolve));
    },
    () => (changes += 1),
  );
  for (let number = 0; number < 100; number += 1) photos.get(`m${number}`);
  expect(asked).toEqual(["m0", "m1", "m2", "m3"]);
  answers.get("m0")?.("data:image/png;base64,");
  answers.get("m1")?.("");
  await new Promise((resolve) => setTimeout(resolve));
  expect(asked.slice(4)).toEqual(["m99", "m98"]);
  expect([photos.get("m0"), photos.get("m1"), changes]).toEqual(["data:image/png;base64,", undefined, 1]);
  expect(asked.length).toBe(6);
  photos.get("m50"); // was forgotten or waits: it comes before the others now, or in its turn
  photos.get("m5"); // was forgotten: wished for again
  answers.get("m2")?.("");
  await new Promise((resolve) => setTimeout(resolve));
  expect(asked.at(-1)).toBe("m5");
});
