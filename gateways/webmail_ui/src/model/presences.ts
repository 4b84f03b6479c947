// Who is there: the devices of all contacts, what follows for each contact, and since when.

import type { Seen, Status } from "./frames";

export interface Presence {
  status: Status;
  /** The person's own words. */
  text: string;
}

const OFFLINE: Presence = { status: "Offline", text: "" };
/** A person is as reachable as the best device: engine/presence.py. */
const ORDER: Status[] = ["Available", "Busy", "Away"];

export class Presences {
  private readonly devices = new Map<string, Map<string, Seen>>();
  private readonly shown = new Map<string, Presence>();
  private readonly since = new Map<string, number>();

  constructor(private readonly now: () => number) {}

  of(address: string): Presence {
    return this.shown.get(address) ?? OFFLINE;
  }

  /** Since when the contact has this status, in milliseconds since 1970; undefined: it is not known here. */
  sinceOf(address: string): number | undefined {
    return this.since.get(address);
  }

  setSince(address: string, at: number): void {
    this.since.set(address, at);
  }

  /** `isNews`: it changed just now; otherwise it has been so for some time. */
  see(seen: Seen, isNews: boolean): void {
    const [address, resource, status] = seen;
    const before = this.of(address).status;
    const devices = this.devices.get(address) ?? new Map<string, Seen>();
    if (status === "Offline") devices.delete(resource);
    else devices.set(resource, seen);
    if (devices.size > 0) this.devices.set(address, devices);
    else this.devices.delete(address);
    const best = [...devices.values()].sort((a, b) => ORDER.indexOf(a[2]) - ORDER.indexOf(b[2]))[0];
    if (best === undefined) this.shown.delete(address);
    else this.shown.set(address, { status: best[2], text: best[3] });
    if (this.of(address).status === before) return;
    if (isNews) this.since.set(address, this.now());
    else this.since.delete(address);
  }

  clear(): void {
    this.devices.clear();
    this.shown.clear();
    this.since.clear();
  }
}
