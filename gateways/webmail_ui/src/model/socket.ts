// The socket of one tab: it opens, greets, says when it is up, and comes back by itself, sooner at first and later when that
// goes on for long. It knows nothing of what is said but the greeting, the ping and the goodbye.

import type { Told } from "./frames";

/** As much of a WebSocket as is needed. */
export interface Line {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Timers {
  set(callback: () => void, milliseconds: number): number;
  clear(timer: number): void;
  random(): number;
}

export interface SocketOptions {
  connect: () => Line;
  timers: Timers;
  /** The greeting, made anew for each line. */
  hello: () => object;
  heard: (frame: Told) => void;
  /** The line is up (welcomed), or it is down. */
  changed: (isUp: boolean) => void;
  /** The server does not want this page any more: why. */
  ended: (reason: string) => void;
}

export const PING_MS = 30_000;
/** Until something is heard after a ping or a greeting; then the line is taken for dead. */
export const PATIENCE_MS = 10_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 15_000;
const FINAL = new Set(["signed-out", "reload", "misunderstood"]);

export class Socket {
  private line: Line | null = null;
  private attempts = 0;
  private isUp = false;
  private isEnded = false;
  private waiting: number | null = null;
  private ping: number | null = null;
  private patience: number | null = null;

  constructor(private readonly options: SocketOptions) {}

  open(): void {
    this.isEnded = false;
    this.connect();
  }

  /** Say something; false: the line is down. */
  send(frame: object): boolean {
    if (!this.isUp || this.line === null) return false;
    this.line.send(JSON.stringify(frame));
    return true;
  }

  /** Try at once: the network is said to be back. */
  hurry(): void {
    if (this.line === null && !this.isEnded) this.connect();
  }

  close(): void {
    this.isEnded = true;
    this.drop();
  }

  private connect(): void {
    this.clear();
    const line = this.options.connect();
    this.line = line;
    line.onopen = () => line.send(JSON.stringify(this.options.hello()));
    line.onmessage = (event) => {
      if (this.line === line && typeof event.data === "string") this.hear(JSON.parse(event.data) as Told);
    };
    line.onclose = () => {
      if (this.line === line) this.drop();
    };
    this.expect();
  }

  private hear(frame: Told): void {
    if (this.patience !== null) {
      this.options.timers.clear(this.patience);
      this.patience = null;
    }
    if (frame.t === "bye") {
      if (FINAL.has(frame.reason)) {
        this.close();
        this.options.ended(frame.reason);
      }
      return;
    }
    if (frame.t === "pong") return;
    this.options.heard(frame);
    if (frame.t === "welcome") {
      this.attempts = 0;
      this.isUp = true;
      this.schedulePing();
      this.options.changed(true);
    }
  }

  private schedulePing(): void {
    this.ping = this.options.timers.set(() => {
      if (this.send({ t: "ping" })) this.expect();
      this.schedulePing();
    }, PING_MS);
  }

  private expect(): void {
    this.patience ??= this.options.timers.set(() => this.drop(), PATIENCE_MS);
  }

  private drop(): void {
    const line = this.line;
    this.clear();
    this.line = null;
    line?.close();
    const wasUp = this.isUp;
    this.isUp = false;
    if (wasUp) this.options.changed(false);
    if (this.isEnded) return;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** this.attempts, LONGEST_WAIT_MS);
    this.attempts += 1;
    // Spread, so that not everybody comes back in the same moment after a restart.
    this.waiting = this.options.timers.set(() => this.connect(), wait * (0.5 + this.options.timers.random()));
  }

  private clear(): void {
    for (const timer of [this.waiting, this.ping, this.patience]) if (timer !== null) this.options.timers.clear(timer);
    this.waiting = this.ping = this.patience = null;
  }
}
