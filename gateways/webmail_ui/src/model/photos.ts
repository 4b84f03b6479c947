// The photos of contacts, as data URLs: fetched when one is to be shown, a few at a time, what is wished for last first. Who
// scrolls past a thousand faces fetches those that he stops at.

const AT_ONCE = 4;
/** More than a screen shows; beyond, what was wished for first is forgotten until it is in sight again. */
const WAITING = 48;
/** Hundreds of photos of the usual size; the oldest go. */
const KEPT_CHARACTERS = 24 * 1024 * 1024;

export class Photos {
  private readonly known = new Map<string, string>();
  private wishes: string[] = [];
  private asking = 0;
  private characters = 0;

  /** `fetch`: the photo of an address, empty when there is none; `changed`: one more is known. */
  constructor(
    private readonly fetch: (address: string) => Promise<string>,
    private readonly changed: () => void,
  ) {}

  /** The photo; undefined: there is none, or it is not here yet. */
  get(address: string): string | undefined {
    const known = this.known.get(address);
    if (known === undefined && !this.wishes.includes(address)) {
      this.wishes.push(address);
      if (this.wishes.length > WAITING) this.wishes.shift();
      this.fetchMore();
    }
    return known || undefined;
  }

  /** Ask once more for what may have changed. */
  refresh(address: string): void {
    if (this.known.has(address) && !this.wishes.includes(address)) this.wishes.push(address);
    this.fetchMore();
  }

  private fetchMore(): void {
    while (this.asking < AT_ONCE) {
      const address = this.wishes.pop();
      if (address === undefined) return;
      const before = this.known.get(address);
      this.keep(address, before ?? "");
      this.asking += 1;
      void this.fetch(address)
        .then((photo) => {
          const now = photo.startsWith("data:image/") ? photo : "";
          this.keep(address, now);
          if (now !== (before ?? "")) this.changed();
        })
        .catch(() => undefined)
        .finally(() => {
          this.asking -= 1;
          this.fetchMore();
        });
    }
  }

  private keep(address: string, photo: string): void {
    this.characters += photo.length - (this.known.get(address)?.length ?? 0);
    this.known.delete(address);
    this.known.set(address, photo);
    for (const [oldest, dropped] of this.known) {
      if (this.characters <= KEPT_CHARACTERS) break;
      this.known.delete(oldest);
      this.characters -= dropped.length;
    }
  }
}
