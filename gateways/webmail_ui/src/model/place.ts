// Where the person is in the page, as an address: what a reload, the browser's back button and a window of its own begin with.

/** What is shown beside the contacts: a chat, or a part of a history, from the message of this id on, with these words marked. */
export interface Place {
  kind: "chat" | "history";
  peer: string;
  id: string;
  words: string;
}

/** `place` null: the details of the contact that is `selected`; both empty: the start. */
export interface Spot {
  selected: string;
  place: Place | null;
}

/** Such as `#/bob@example.com/chat`. */
export function hashOf({ selected, place }: Spot): string {
  const parts = place ? [place.peer, place.kind, place.id, place.words] : [selected];
  const said = parts.map(encodeURIComponent).join("/").replace(/\/+$/, "");
  return said ? `#/${said}` : "";
}

/** What cannot be an address of ours is the start. */
export function spotOf(hash: string): Spot {
  let parts: string[];
  try {
    parts = hash.replace(/^#\//, "").split("/").map(decodeURIComponent);
  } catch {
    parts = [];
  }
  const [selected = "", kind, id = "", words = ""] = parts;
  const isPlace = selected !== "" && (kind === "chat" || kind === "history");
  return { selected, place: isPlace ? { kind, peer: selected, id, words } : null };
}
