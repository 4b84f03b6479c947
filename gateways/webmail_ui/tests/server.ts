// A server for tests of the model, a line at a time: the tests say what it says.

import type { Line } from "../src/model/socket";
import { Model, type ModelOptions } from "../src/model/model";

export class FakeLine implements Line {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly heard: Record<string, unknown>[] = [];
  isClosed = false;

  send(text: string): void {
    this.heard.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.isClosed = true;
  }
  says(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  breaks(): void {
    this.onclose?.();
  }
  of(kind: string): Record<string, unknown>[] {
    return this.heard.filter((frame) => frame["t"] === kind);
  }
}

export class FakeTimers {
  now = 1_000_000;
  private timers = new Map<number, { at: number; callback: () => void }>();
  private last = 0;

  set = (callback: () => void, milliseconds: number): number => {
    this.timers.set(++this.last, { at: this.now + milliseconds, callback });
    return this.last;
  };
  clear = (timer: number): void => void this.timers.delete(timer);
  random = (): number => 0.5;

  pass(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const due = [...this.timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.timers.delete(due[0]);
      this.now = due[1].at;
      due[1].callback();
    }
    this.now = end;
  }
}

export class World {
  readonly lines: FakeLine[] = [];
  readonly timers = new FakeTimers();
  readonly kept = new Map<string, string>();
  readonly arrived: string[] = [];
  readonly ended: string[] = [];
  lookedAt = "";
  model: Model;
  private ids = 0;

  constructor() {
    this.model = this.open();
  }

  /** The page is loaded (again): what was kept is there, nothing else. */
  open(): Model {
    const options: ModelOptions = {
      connect: () => {
        const line = new FakeLine();
        this.lines.push(line);
        return line;
      },
      timers: this.timers,
      store: {
        get: (key) => this.kept.get(key) ?? null,
        keys: () => [...this.kept.keys()],
        set: (key, value) => void (value === null ? this.kept.delete(key) : this.kept.set(key, value)),
      },
      now: () => this.timers.now,
      newId: () => `id-${++this.ids}`,
      carry: () => ({ done: new Promise(() => undefined), cancel: () => undefined }),
      isLookedAt: (peer) => peer === this.lookedAt,
      arrived: (chat) => this.arrived.push(chat.body ?? ""),
      ended: (reason) => this.ended.push(reason),
    };
    this.model = new Model(options);
    return this.model;
  }

  get line(): FakeLine {
    return this.lines.at(-1) as FakeLine;
  }

  /** The line comes up with a snapshot. */
  begin(more: object = {}): void {
    this.model.start();
    this.line.onopen?.();
    this.line.says({ ...WELCOME, fresh: true, ...more });
    this.line.says({ t: "contacts", all: true, contacts: PEOPLE });
    this.line.says({ t: "conversations", conversations: [] });
  }

  /** The line breaks and comes up again where it was. */
  comeBack(more: object = {}): void {
    this.line.breaks();
    this.timers.pass(1_000);
    this.line.onopen?.();
    this.line.says({ ...WELCOME, ...more });
  }
}

export const ME = "alice@example.com";
export const BOB = "bob@example.com";
export const TEAM = "team@example.com";
export const PEOPLE = [
  { address: BOB, name: "Bob Baker" },
  { address: ME, name: "Alice Archer" },
  { address: "anna@example.com", name: "Änna Zorn" },
  { address: TEAM, name: "The team", alias: true, members: [BOB] },
];
const WELCOME = { t: "welcome", v: 1, epoch: "e", n: 0, you: { address: ME, resource: "r" }, status: "Available" };

let clock = 0x5f00000000000;
/** A chat as the archive has it; ids grow. */
export function chat(from: string, body: string, more: object = {}): { t: "chat"; id: string; from: string; to: string } & Record<string, unknown> {
  clock += 1_000_000;
  const id = clock.toString(16).padStart(16, "0");
  return { t: "chat", id, from, to: from === ME ? BOB : ME, body, name: `name-${id}`, origin: `name-${id}`, ...more };
}
