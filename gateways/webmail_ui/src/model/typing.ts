// That the person types, told to the other side: when it begins, now and then while it goes on, and when it ends.

const AGAIN_MS = 4_000;

export class Typing {
  private readonly told = new Map<string, number>();

  constructor(
    private readonly send: (peer: string, on: boolean) => void,
    private readonly now: () => number,
  ) {}

  set(peer: string, on: boolean): void {
    const at = this.told.get(peer);
    if (on ? at !== undefined && this.now() - at < AGAIN_MS : at === undefined) return;
    if (on) this.told.set(peer, this.now());
    else this.told.delete(peer);
    this.send(peer, on);
  }

  /** A message went out: that says it, too. */
  forget(peer: string): void {
    this.told.delete(peer);
  }
}
