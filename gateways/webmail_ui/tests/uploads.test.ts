import { expect, test } from "vitest";
import type { Uploaded } from "../src/model/frames";
import { Uploads } from "../src/model/uploads";
import { BOB, chat, ME, World } from "./server";

const ROOM = { id: "f1", name: "plan.pdf", size: 3, type: "application/pdf", path: "/files/f1/plan.pdf" };

/** Uploads whose carrier the test answers for. */
function desk(limit = 0): { uploads: Uploads; carried: { name: string; answer: (uploaded: Uploaded) => void; progress: (sent: number) => void; isCancelled: boolean }[]; shared: string[] } {
  const carried: ReturnType<typeof desk>["carried"] = [];
  const shared: string[] = [];
  let ids = 0;
  const uploads = new Uploads({
    carry: (_, name, progress) => {
      const one = { name, answer: (_: Uploaded): void => undefined, progress, isCancelled: false };
      const done = new Promise<Uploaded>((resolve, reject) => {
        one.answer = resolve;
        carried.push(one);
        cancels.push(() => {
          one.isCancelled = true;
          reject(new Error("cancelled"));
        });
      });
      return { done, cancel: () => cancels[carried.indexOf(one)]?.() };
    },
    newId: () => `u${++ids}`,
    limit: () => limit,
    share: (peer, file) => shared.push(`${peer} ${file}`),
    changed: () => undefined,
  });
  const cancels: (() => void)[] = [];
  return { uploads, carried, shared };
}

const file = (name: string, size = 3): File => new File(["x".repeat(size)], name);
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

test("files go one after the other, and are said when they are there", async () => {
  const { uploads, carried, shared } = desk();
  uploads.add(BOB, [file("a"), file("b")]);
  expect(carried.map((one) => one.name)).toEqual(["a"]);
  carried[0]?.progress(2);
  expect(uploads.of(BOB).map((one) => [one.name, one.sent])).toEqual([["a", 2], ["b", 0]]);
  expect(uploads.of(ME)).toEqual([]);
  carried[0]?.answer({ ...ROOM, file: "one" });
  await settle();
  expect(shared).toEqual([`${BOB} one`]);
  carried[1]?.answer({ ...ROOM, file: "two" });
  await settle();
  expect(shared).toEqual([`${BOB} one`, `${BOB} two`]);
  expect(uploads.of(BOB)).toEqual([]);
});

test("what is too large or empty is not sent at all; what was refused says why, and does not stop the others", async () => {
  const { uploads, carried, shared } = desk(5);
  uploads.add(BOB, [file("large", 6), file("empty", 0), file("refused"), file("good")]);
  expect(carried.map((one) => one.name)).toEqual(["refused"]);
  carried[0]?.answer({ error: "quota" });
  await settle();
  carried[1]?.answer({ ...ROOM, file: "good" });
  await settle();
  expect(uploads.of(BOB).map((one) => one.error)).toEqual(["too-large", "empty", "quota"]);
  expect(shared).toEqual([`${BOB} good`]);
  for (const one of uploads.of(BOB)) uploads.remove(one.key);
  expect(uploads.of(BOB)).toEqual([]);
});

test("what is taken back on its way is not said", async () => {
  const { uploads, carried, shared } = desk();
  uploads.add(BOB, [file("a"), file("b")]);
  uploads.remove(uploads.of(BOB)[0]?.key ?? "");
  expect(carried[0]?.isCancelled).toBe(true);
  await settle();
  expect(carried.map((one) => one.name)).toEqual(["a", "b"]);
  expect([shared, uploads.of(BOB).length]).toEqual([[], 1]);
});

test("a message that carries a file shows it at once, and only files of this host are shown", () => {
  const world = new World();
  world.begin();
  world.model.say(BOB, "", { file: "one", shared: ROOM });
  expect(world.line.of("say")).toEqual([{ t: "say", id: "id-1", to: BOB, body: "", file: "one" }]);
  expect(world.model.conversation(BOB).messages[0]?.file).toEqual(ROOM);
  world.line.says({ ...chat(BOB, ""), file: { ...ROOM, path: "javascript:alert(1)" }, n: 1 });
  world.line.says({ ...chat(BOB, ""), file: ROOM, n: 2 });
  expect(world.model.conversation(BOB).messages.map((message) => message.file?.path)).toEqual([undefined, ROOM.path, ROOM.path]);
  expect(world.model.unread).toBe(2);
});

test("the files of a conversation, the newest first", async () => {
  const world = new World();
  world.begin();
  const page = world.model.findFiles(BOB, "");
  expect(world.line.of("history")[0]).toMatchObject({ peer: BOB, files: true });
  const [one, two] = [{ ...chat(BOB, ""), file: ROOM }, { ...chat(ME, ""), file: ROOM }];
  world.line.says({ t: "history", q: 1, items: [one, two], complete: true });
  expect(await page).toMatchObject({ chats: [{ id: two.id }, { id: one.id }], isComplete: true });
});
