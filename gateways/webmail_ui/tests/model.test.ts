import { expect, test } from "vitest";
import { TYPING_MS } from "../src/model/model";
import { BOB, chat, ME, TEAM, World } from "./server";

const bodies = (world: World, peer = BOB): string[] => world.model.conversation(peer).messages.map((message) => message.body);
const states = (world: World, peer = BOB): string[] => world.model.conversation(peer).messages.map((message) => message.state);

test("contacts: aliases first, then people, by name and without oneself", () => {
  const world = new World();
  world.begin();
  expect(world.model.contacts.map((person) => person.name)).toEqual(["The team", "Änna Zorn", "Bob Baker"]);
  world.line.says({ t: "contacts", n: 1, contacts: [{ address: BOB, name: "Aaron" }], removed: ["anna@example.com"] });
  expect(world.model.contacts.map((person) => person.name)).toEqual(["The team", "Aaron"]);
});

test("a person is as reachable as the best device", () => {
  const world = new World();
  world.begin();
  const sees = (n: number, ...devices: unknown[]): void => world.line.says({ t: "presences", n, devices });
  sees(1, [BOB, "phone", "Away", "lunch"], [BOB, "desk", "Busy", "call"]);
  expect(world.model.statusOf(BOB)).toEqual({ status: "Busy", text: "call" });
  sees(2, [BOB, "web", "Available", ""]);
  expect(world.model.statusOf(BOB).status).toBe("Available");
  sees(3, [BOB, "web", "Offline", ""], [BOB, "desk", "Offline", ""]);
  expect(world.model.statusOf(BOB)).toEqual({ status: "Away", text: "lunch" });
  sees(4, [BOB, "phone", "Offline", ""]);
  expect(world.model.statusOf(BOB).status).toBe("Offline");
});

test("who is Offline here sees everybody as unavailable", () => {
  const world = new World();
  world.begin();
  world.line.says({ t: "presences", n: 1, devices: [[BOB, "phone", "Available", ""]] });
  world.model.setStatus("Offline", "");
  expect(world.line.of("status")).toEqual([{ t: "status", status: "Offline", text: "" }]);
  world.line.says({ t: "own-status", n: 2, status: "Offline" });
  expect(world.model.status).toBe("Offline");
  expect(world.model.statusOf(BOB).status).toBe("Offline");
});

test("a chosen status outlives the page", () => {
  const world = new World();
  world.begin();
  world.model.setStatus("Busy", "in a call");
  world.open().start();
  world.line.onopen?.();
  expect(world.line.heard[0]).toMatchObject({ t: "hello", status: "Busy", text: "in a call" });
});

test("a message waits until the archive has it", () => {
  const world = new World();
  world.begin();
  world.model.say(BOB, "hello");
  expect(world.line.of("say")).toEqual([{ t: "say", id: "id-1", to: BOB, body: "hello" }]);
  expect(states(world)).toEqual(["waiting"]);
  world.line.says({ ...chat(ME, "hello", { origin: "id-1" }), n: 1 });
  expect(bodies(world)).toEqual(["hello"]);
  expect(states(world)).toEqual(["kept"]);
});

test("what is written without a line goes out when it is back, once, in order", () => {
  const world = new World();
  world.begin();
  world.line.breaks();
  world.model.say(BOB, "one");
  world.model.say(BOB, "two");
  expect(world.model.isUp).toBe(false);
  world.timers.pass(1_000);
  world.line.onopen?.();
  world.line.says({ t: "welcome", v: 1, epoch: "e", n: 0, you: { address: ME, resource: "r" }, status: "Available" });
  expect(world.line.of("say").map((frame) => frame["id"])).toEqual(["id-1", "id-2"]);
  world.line.says({ ...chat(ME, "one", { origin: "id-1" }), n: 1 });
  world.comeBack();
  expect(world.line.of("say").map((frame) => frame["id"])).toEqual(["id-2"]);
  expect(bodies(world)).toEqual(["one", "two"]);
});

test("what is written outlives the page", () => {
  const world = new World();
  world.begin();
  world.model.say(BOB, "do not lose me");
  world.open();
  world.begin();
  expect(bodies(world)).toEqual(["do not lose me"]);
  expect(world.line.of("say").map((frame) => frame["id"])).toEqual(["id-1"]);
});

test("what was written in a window that is closed goes out from another one, once", () => {
  const world = new World();
  world.begin();
  const [main, line] = [world.model, world.line];
  world.open(); // the other window, which has no line
  world.model.start();
  line.breaks();
  world.line.breaks();
  const shared = world.kept;
  shared.set(`draft ${ME} x`, JSON.stringify({ id: "x", to: BOB, body: "left behind", at: 5 }));
  main.keptChanged(`draft ${ME} x`, shared.get(`draft ${ME} x`) ?? null);
  expect(main.conversation(BOB).messages.map((message) => message.body)).toEqual(["left behind"]);
  main.hurry();
  world.line.onopen?.();
  world.line.says({ t: "welcome", v: 1, epoch: "e", n: 0, you: { address: ME, resource: "r" }, status: "Available" });
  expect(world.line.of("say")).toEqual([{ t: "say", id: "x", to: BOB, body: "left behind" }]);
  world.line.says({ ...chat(ME, "left behind", { origin: "x" }), n: 1 });
  expect([...shared.keys()].filter((key) => key.startsWith("draft"))).toEqual([]);
  main.keptChanged(`draft ${ME} x`, null);
  expect(main.conversation(BOB).messages.map((message) => message.state)).toEqual(["kept"]);
});

test("a refused message says why, and can be tried again or discarded", () => {
  const world = new World();
  world.begin();
  world.model.say(BOB, "hello");
  world.line.says({ t: "failed", n: 1, origin: "id-1", condition: "resource-constraint", text: "the disk is full" });
  expect(world.model.conversation(BOB).messages[0]).toMatchObject({ state: "failed", failure: "the disk is full" });
  world.comeBack({ n: 1 });
  expect(world.line.of("say")).toEqual([]);
  world.model.sayAgain("id-1");
  expect(world.line.of("say").map((frame) => frame["id"])).toEqual(["id-1"]);
  expect(states(world)).toEqual(["waiting"]);
  world.model.discard("id-1");
  expect(bodies(world)).toEqual([]);
});

test("events are taken once, and the tab says how far it is", () => {
  const world = new World();
  world.begin();
  const one = chat(BOB, "one");
  world.line.says({ ...one, n: 1 });
  world.comeBack();
  expect(world.line.heard[0]).toMatchObject({ t: "hello", epoch: "e", last: 1 });
  world.line.says({ ...one, n: 1 });
  world.line.says({ ...chat(BOB, "two"), n: 2 });
  expect(bodies(world)).toEqual(["one", "two"]);
  expect(world.model.unread).toBe(2);
});

test("unread: counted when nobody looks, and read when somebody does", () => {
  const world = new World();
  world.begin();
  const one = chat(BOB, "one");
  world.line.says({ ...one, n: 1 });
  expect(world.model.unread).toBe(1);
  expect(world.arrived).toEqual(["one"]);
  world.model.markRead(BOB);
  expect(world.line.of("read")).toEqual([{ t: "read", peer: BOB, id: one.id, name: one["name"] }]);
  expect(world.model.unread).toBe(0);
  world.model.markRead(BOB);
  expect(world.line.of("read").length).toBe(1);
  world.lookedAt = BOB;
  world.line.says({ ...chat(BOB, "two"), n: 2 });
  expect(world.line.of("read").length).toBe(2);
  expect(world.arrived).toEqual(["one"]);
});

test("what the snapshot counts as unread is not counted again when it is told as an event, too", () => {
  const world = new World();
  const [one, two, three] = [chat(BOB, "one"), chat(BOB, "two"), chat(BOB, "three")];
  world.begin();
  world.line.says({ ...three, n: 1 }); // said after the server had counted
  world.line.says({ t: "conversations", conversations: [{ peer: BOB, newest: two, unread: 2 }] });
  world.line.says({ ...one, n: 2 });
  world.line.says({ ...two, n: 3 });
  expect(world.model.unread).toBe(3);
});

test("what another device has read, or answered, is read", () => {
  const world = new World();
  world.begin();
  const [one, two, three] = [chat(BOB, "one"), chat(BOB, "two"), chat(BOB, "three")];
  for (const [index, each] of [one, two, three].entries()) world.line.says({ ...each, n: index + 1 });
  world.line.says({ t: "displayed", n: 4, id: chat(ME, "").id, from: ME, to: BOB, name: two["name"] });
  expect(world.model.unread).toBe(1);
  world.line.says({ ...chat(ME, "answer"), n: 5 });
  expect(world.model.unread).toBe(0);
});

test("the sender of a message to an alias is not told that it was read", () => {
  const world = new World();
  world.begin();
  world.line.says({ ...chat(BOB, "all", { to: TEAM, via: TEAM }), n: 1 });
  world.model.markRead(BOB);
  expect(world.line.of("read")[0]).toMatchObject({ name: "" });
});

test("a mark says: displayed, up to here", () => {
  const world = new World();
  world.begin();
  const [one, two, three] = [chat(ME, "one"), chat(ME, "two"), chat(ME, "three")];
  for (const [index, each] of [one, two, three].entries()) world.line.says({ ...each, n: index + 1 });
  world.line.says({ t: "displayed", n: 4, id: chat(BOB, "").id, from: BOB, to: ME, name: two["name"] });
  expect(states(world)).toEqual(["displayed", "displayed", "kept"]);
});

test("corrections and retractions change the message that they mean, of the same sender only", () => {
  const world = new World();
  world.begin();
  const first = chat(BOB, "helo");
  world.line.says({ ...first, n: 1 });
  world.line.says({ ...chat(BOB, "hello", { replaces: first["origin"] }), n: 2 });
  world.line.says({ ...chat(ME, "forged", { replaces: first["origin"] }), n: 3 });
  expect(world.model.conversation(BOB).messages).toMatchObject([{ body: "hello", isEdited: true }]);
  expect(world.model.unread).toBe(1);
  world.line.says({ ...chat(BOB, "", { retracts: first["name"] }), n: 4 });
  expect(world.model.conversation(BOB).messages).toMatchObject([{ body: "", isRetracted: true }]);
});

test("own corrections show at once", () => {
  const world = new World();
  world.begin();
  world.line.says({ ...chat(ME, "helo", { origin: "o" }), n: 1 });
  world.model.say(BOB, "hello", { replaces: "o" });
  expect(world.model.conversation(BOB).messages).toMatchObject([{ body: "hello", state: "waiting", isEdited: true }]);
});

test("history is loaded page by page and merges with what came meanwhile", async () => {
  const world = new World();
  world.begin();
  const [one, two, three, four] = [chat(BOB, "one"), chat(ME, "two"), chat(BOB, "three"), chat(BOB, "four")];
  const loading = world.model.load(BOB);
  world.line.says({ ...four, n: 1 });
  world.line.says({ t: "history", q: 1, items: [three, four] });
  await loading;
  expect(bodies(world)).toEqual(["three", "four"]);
  const older = world.model.load(BOB, true);
  expect(world.line.of("history")[1]).toMatchObject({ before: three.id });
  world.line.says({ t: "history", q: 2, items: [one, two], complete: true });
  await older;
  expect(bodies(world)).toEqual(["one", "two", "three", "four"]);
  await world.model.load(BOB, true);
  expect(world.line.of("history").length).toBe(2);
});

test("a long conversation is trimmed at its beginning, and loaded again from there", async () => {
  const world = new World();
  world.begin();
  const chats = ["one", "two", "three", "four"].map((body) => chat(BOB, body));
  for (const [index, one] of chats.entries()) world.line.says({ ...one, n: index + 1 });
  const conversation = world.model.conversation(BOB);
  conversation.isLoaded = conversation.isComplete = true;
  expect(conversation.trim(4, 2)).toBe(false);
  expect(conversation.trim(3, 2)).toBe(true);
  expect(bodies(world)).toEqual(["three", "four"]);
  const older = world.model.load(BOB, true);
  expect(world.line.of("history")[0]).toMatchObject({ before: chats[2]?.id });
  world.line.says({ t: "history", q: 1, items: chats.slice(0, 2), complete: true });
  await older;
  expect(bodies(world)).toEqual(["one", "two", "three", "four"]);
});

test("older conversations are listed when they are asked for", async () => {
  const world = new World();
  const [old, recent] = [chat("anna@example.com", "old"), chat(BOB, "recent")];
  world.begin();
  world.line.says({ t: "conversations", conversations: [{ peer: BOB, newest: recent, unread: 1 }] });
  const loading = world.model.loadRecent();
  expect(world.line.of("conversations")[0]).toMatchObject({ before: recent.id });
  world.line.says({ t: "conversations", q: 1, conversations: [{ peer: "anna@example.com", newest: old, unread: 2 }], complete: true });
  await loading;
  expect(world.model.recent.map((one) => one.peer)).toEqual([BOB, "anna@example.com"]);
  expect([world.model.unread, world.model.isRecentComplete]).toEqual([3, true]);
  await world.model.loadRecent();
  expect(world.line.of("conversations").length).toBe(1);
});

test("after a long absence no gap is passed over", async () => {
  const world = new World();
  world.begin();
  world.line.says({ ...chat(BOB, "old"), n: 1 });
  const missed = chat(BOB, "missed");
  const newest = chat(BOB, "newest");
  world.comeBack({ epoch: "f", n: 0, fresh: true });
  const loading = world.model.load(BOB);
  world.line.says({ t: "history", q: 1, items: [newest] });
  await loading;
  expect(bodies(world)).toEqual(["newest"]);
  expect(world.model.conversation(BOB).isComplete).toBe(false);
  const older = world.model.load(BOB, true);
  world.line.says({ t: "history", q: 2, items: [missed] });
  await older;
  expect(bodies(world)).toEqual(["missed", "newest"]);
});

test("a question is answered over another line when the first one breaks", async () => {
  const world = new World();
  world.begin();
  const found = world.model.find("bo");
  world.comeBack();
  expect(world.line.of("find")).toEqual([{ t: "find", text: "bo", q: 1 }]);
  world.line.says({ t: "found", q: 1, addresses: [BOB] });
  expect(await found).toEqual({ addresses: [BOB], isComplete: false });
});

test("a refused question fails", async () => {
  const world = new World();
  world.begin();
  const found = world.model.find("bo");
  world.line.says({ t: "refused", q: 1, condition: "resource-constraint" });
  await expect(found).rejects.toThrow("resource-constraint");
});

test("typing ends by itself, by a word, or by a message", () => {
  const world = new World();
  world.begin();
  world.line.says({ t: "typing", n: 1, peer: BOB, on: true });
  expect(world.model.isTyping(BOB)).toBe(true);
  world.timers.pass(TYPING_MS);
  expect(world.model.isTyping(BOB)).toBe(false);
  world.line.says({ t: "typing", n: 2, peer: BOB, on: true });
  world.line.says({ ...chat(BOB, "done"), n: 3 });
  expect(world.model.isTyping(BOB)).toBe(false);
});

test("own typing is not told more often than needed", () => {
  const world = new World();
  world.begin();
  for (let key = 0; key < 5; key += 1) world.model.typing(BOB, true);
  world.timers.pass(5_000);
  world.model.typing(BOB, true);
  world.model.typing(BOB, false);
  world.model.typing(BOB, false);
  expect(world.line.of("typing").map((frame) => frame["on"])).toEqual([true, true, false]);
});

test("messages of an alias are in the sender's conversation, own ones in the alias's", () => {
  const world = new World();
  world.begin();
  world.line.says({ ...chat(BOB, "to all", { to: TEAM, via: TEAM }), n: 1 });
  world.line.says({ ...chat(ME, "mine", { to: TEAM, via: TEAM }), n: 2 });
  expect(bodies(world)).toEqual(["to all"]);
  expect(bodies(world, TEAM)).toEqual(["mine"]);
  expect(world.model.recent.map((one) => one.peer)).toEqual([TEAM, BOB]);
});
