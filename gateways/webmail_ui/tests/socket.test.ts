import { expect, test } from "vitest";
import { PATIENCE_MS, PING_MS } from "../src/model/socket";
import { World } from "./server";

test("it comes back by itself, later each time, and at once when the network is back", () => {
  const world = new World();
  world.begin();
  world.line.breaks();
  const waits: number[] = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const before = world.timers.now;
    const count = world.lines.length;
    while (world.lines.length === count) world.timers.pass(50);
    waits.push(world.timers.now - before);
    world.line.breaks();
  }
  expect(waits[0]).toBeLessThanOrEqual(300);
  expect([...waits].sort((a, b) => a - b)).toEqual(waits);
  expect(waits.at(-1)).toBeLessThanOrEqual(15_050);
  const count = world.lines.length;
  world.model.hurry();
  expect(world.lines.length).toBe(count + 1);
});

test("a line that is silent after a ping is dropped", () => {
  const world = new World();
  world.begin();
  world.timers.pass(PING_MS);
  expect(world.line.of("ping").length).toBe(1);
  world.line.says({ t: "pong" });
  world.timers.pass(PING_MS);
  expect(world.lines.length).toBe(1);
  world.timers.pass(PATIENCE_MS);
  expect(world.lines[0]?.isClosed).toBe(true);
  world.timers.pass(1_000);
  expect(world.lines.length).toBe(2);
});

test("a server that says goodbye for good is not asked again", () => {
  for (const reason of ["signed-out", "reload"]) {
    const world = new World();
    world.begin();
    world.line.says({ t: "bye", reason });
    world.timers.pass(60_000);
    expect(world.ended).toEqual([reason]);
    expect(world.lines.length).toBe(1);
  }
});

test("one that goes for a while is", () => {
  const world = new World();
  world.begin();
  world.line.says({ t: "bye", reason: "again" });
  world.line.breaks();
  world.timers.pass(1_000);
  expect(world.lines.length).toBe(2);
});
