import { expect, test } from "vitest";
import { type ChatFrame, type DisplayedFrame, timeOf } from "../src/model/frames";
import { Reader } from "../src/model/reader";
import { transcript } from "../src/model/transcript";
import { BOB, chat, ME } from "./server";

type Item = ChatFrame | DisplayedFrame;

/** An archive that is asked two messages at a time. */
function archive(items: Item[]): (frame: object) => Promise<{ t: "history"; items: Item[]; complete: boolean }> {
  return (frame) => {
    const { before, after, start } = frame as { before?: string; after?: string; start?: string };
    const fits = before ? items.filter((one) => one.id < before).slice(-3) : items.filter((one) => (after ? one.id > after : one.id >= (start ?? ""))).slice(0, 3);
    const page = before ? fits.slice(-2) : fits.slice(0, 2);
    return Promise.resolve({ t: "history", items: page, complete: fits.length < 3 });
  };
}

const bodies = (reader: Reader): string[] => reader.messages.map((message) => message.body);

test("a part of a history is read page by page, and goes on in both directions", async () => {
  const items = ["a", "b", "c", "d", "e", "f", "g", "h"].map((body) => chat(BOB, body) as ChatFrame);
  const reader = new Reader(archive(items), BOB, ME);
  const [from, to] = [items[2] as ChatFrame, items[4] as ChatFrame];
  await reader.open(timeOf(from.id), (id) => id < to.id);
  expect(bodies(reader)).toEqual(["c", "d"]);
  await reader.earlier();
  expect(bodies(reader)).toEqual(["a", "b", "c", "d"]);
  expect([reader.isStart, reader.isEnd]).toEqual([true, false]);
  await reader.later();
  await reader.later();
  expect(bodies(reader).join("")).toBe("abcdefgh");
  expect(reader.isEnd).toBe(true);
});

test("a part that is longer than a page is read to its end, which may be that of everything", async () => {
  const items = ["a", "b", "c", "d", "e"].map((body) => chat(BOB, body) as ChatFrame);
  const reader = new Reader(archive(items), BOB, ME);
  await reader.open(timeOf((items[0] as ChatFrame).id), () => true);
  expect(bodies(reader).join("")).toBe("abcde");
  expect(reader.isEnd).toBe(true);
});

test("a correction leads to the message that it changed", async () => {
  const first = chat(BOB, "helo") as ChatFrame;
  const correction = chat(BOB, "hello", { replaces: first.name }) as ChatFrame;
  const reader = new Reader(archive([first, correction]), BOB, ME);
  await reader.open(timeOf(first.id), () => true);
  expect(reader.rowOf(correction.id)).toBe(reader.rowOf(first.id));
  expect(reader.rowOf(correction.id)).toMatchObject({ id: first.id, body: "hello" });
});

test("a transcript has a line for each message, under its day", async () => {
  const reader = new Reader(archive([chat(BOB, "hello\nyou") as ChatFrame, chat(ME, "yes") as ChatFrame]), BOB, ME);
  await reader.open(0, () => true);
  const text = transcript(reader.messages, (address) => address.split("@")[0] ?? "", { day: () => "Monday", time: () => "09:00" });
  expect(text).toBe("Monday\n\n09:00 bob: hello\n      you\n09:00 alice: yes\n");
});
