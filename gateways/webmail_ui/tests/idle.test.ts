import { expect, test } from "vitest";
import type { Status } from "../src/model/frames";
import { Idle, IDLE_MS } from "../src/model/idle";

function person(status: Status): { idle: Idle; at: { now: number; status: Status; touched: number }; shown: Status[] } {
  const at = { now: 0, status, touched: 0 };
  const shown: Status[] = [];
  const idle = new Idle({
    now: () => at.now,
    touched: { get: () => at.touched, set: (now) => void (at.touched = now) },
    status: () => at.status,
    show: (one) => {
      shown.push(one);
      at.status = one;
    },
  });
  return { idle, at, shown };
}

test("who touches nothing is Away until he comes back", () => {
  const { idle, at, shown } = person("Available");
  at.now = IDLE_MS - 1;
  idle.look();
  expect(shown).toEqual([]);
  at.now = IDLE_MS;
  idle.look();
  idle.look();
  expect(shown).toEqual(["Away"]);
  idle.touch();
  idle.touch();
  expect(shown).toEqual(["Away", "Available"]);
});

test("a chosen status is not changed", () => {
  for (const status of ["Busy", "Away", "Offline"] as Status[]) {
    const { idle, at, shown } = person(status);
    at.now = 10 * IDLE_MS;
    idle.look();
    idle.touch();
    expect(shown).toEqual([]);
  }
  const { idle, at, shown } = person("Available");
  at.now = IDLE_MS;
  idle.look();
  at.status = "Busy"; // from another tab
  idle.touch();
  expect(shown).toEqual(["Away"]);
});

test("who is there in another tab is there", () => {
  const { idle, at, shown } = person("Available");
  at.now = IDLE_MS;
  at.touched = IDLE_MS - 1;
  idle.look();
  expect(shown).toEqual([]);
  at.now = 3 * IDLE_MS;
  idle.look();
  at.touched = at.now;
  idle.look();
  expect(shown).toEqual(["Away", "Available"]);
});
