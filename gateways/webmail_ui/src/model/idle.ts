// Away by itself: who is Available and touches nothing for a while is Away until he comes back. A status that was chosen from the
// menu is never changed.

import type { Status } from "./frames";

export const IDLE_MS = 10 * 60_000;

/** How often, at most, the other tabs are told that the person is there. */
const TELL_MS = 5_000;

export interface IdleOptions {
  now: () => number;
  /** When the person did something in any tab of this browser; and that he does now. */
  touched: { get: () => number; set: (at: number) => void };
  status: () => Status;
  /** Show this status for now; it is not the person's choice. */
  show: (status: Status) => void;
}

export class Idle {
  private isAway = false;

  constructor(private readonly options: IdleOptions) {
    options.touched.set(options.now());
  }

  /** The person did something. */
  touch(): void {
    const { now, touched } = this.options;
    if (this.isAway || now() - touched.get() > TELL_MS) touched.set(now());
    if (this.isAway) this.look();
  }

  /** Look at the clock; to be called now and then. */
  look(): void {
    const { now, touched, status, show } = this.options;
    const isIdle = now() - touched.get() >= IDLE_MS;
    if (isIdle === this.isAway) return;
    if (isIdle && status() !== "Available") return;
    this.isAway = isIdle;
    if (isIdle) show("Away");
    else if (status() === "Away") show("Available");
  }
}
