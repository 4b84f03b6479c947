// The domain's contact list: people and aliases, by address and in their order.

import type { Answer, Person } from "./frames";

const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

export class People {
  private readonly byAddress = new Map<string, Person>();
  private sorted: Person[] | null = null;

  find(address: string): Person | undefined {
    return this.byAddress.get(address);
  }

  /** Aliases, then people; each by name; without `you`. The same array until something changes. */
  others(you: string): Person[] {
    this.sorted ??= [...this.byAddress.values()]
      .filter((person) => person.address !== you)
      .sort((a, b) => Number(b.alias ?? false) - Number(a.alias ?? false) || collator.compare(a.name, b.name));
    return this.sorted;
  }

  take(frame: Answer<"contacts">): void {
    if (frame.all) this.byAddress.clear();
    for (const person of frame.contacts ?? []) this.byAddress.set(person.address, person);
    for (const address of frame.removed ?? []) this.byAddress.delete(address);
    this.sorted = null;
  }
}
