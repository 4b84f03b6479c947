// What the person wrote and the archive does not have yet. Drafts outlive the line and the page, and all tabs of a browser have the
// same: what was written in a window that is closed goes out from another one. Each goes out again, under its one id, whenever the
// line is back, until it is kept or refused: however often and from wherever it was sent, it is one message.

import type { Draft } from "./conversation";

/** What outlives the page. */
export interface Store {
  get(key: string): string | null;
  set(key: string, value: string | null): void;
  keys(): string[];
}

export interface OutboxOptions {
  send: (frame: object) => void;
  store: Store;
  /** The drafts to these peers are others now. */
  changed: (peers: Iterable<string>) => void;
}

export class Outbox {
  private drafts: Draft[] = [];
  private prefix = "draft  ";

  constructor(private readonly options: OutboxOptions) {}

  /** Those of this account that are left from before. */
  open(account: string): void {
    this.prefix = `draft ${account} `;
    this.drafts = [];
    for (const key of this.options.store.keys()) this.take(key, this.options.store.get(key));
  }

  /** Another tab changed what is kept. */
  take(key: string, value: string | null): void {
    if (!key.startsWith(this.prefix)) return;
    const id = key.slice(this.prefix.length);
    const before = this.drafts;
    this.drafts = before.filter((draft) => draft.id !== id);
    if (value !== null) this.drafts.push(JSON.parse(value) as Draft);
    this.drafts.sort((a, b) => a.at - b.at);
    this.options.changed([...before, ...this.drafts].filter((draft) => draft.id === id).map((draft) => draft.to));
  }

  of(peer: string): Draft[] {
    return this.drafts.filter((draft) => draft.to === peer);
  }

  add(draft: Draft): void {
    this.put(draft);
    this.send(draft);
  }

  /** Try a message that was refused once more; it stays the same message. */
  addAgain(id: string): void {
    const failed = this.drafts.find((draft) => draft.id === id);
    if (failed === undefined) return;
    const { failure: _, ...draft } = failed;
    this.add(draft);
  }

  /** It is kept, or the person gave it up. */
  remove(id: string): void {
    if (!this.drafts.some((draft) => draft.id === id)) return;
    this.options.store.set(this.prefix + id, null);
    this.take(this.prefix + id, null);
  }

  fail(id: string, failure: string): void {
    const draft = this.drafts.find((one) => one.id === id);
    if (draft !== undefined) this.put({ ...draft, failure });
  }

  /** The line is back. */
  sendAll(): void {
    for (const draft of this.drafts) this.send(draft);
  }

  private send(draft: Draft): void {
    const { at: _, shared: __, failure, ...frame } = draft;
    if (failure === undefined) this.options.send({ t: "say", ...frame });
  }

  private put(draft: Draft): void {
    const value = JSON.stringify(draft);
    this.options.store.set(this.prefix + draft.id, value);
    this.take(this.prefix + draft.id, value);
  }
}
