// What a search found in a text. The rule is that of the server (index/tokens.py): each word of the search is the beginning of a
// word of the text, without case and accents; in scripts without spaces, any part.

export interface Part {
  text: string;
  isHit: boolean;
}

const WORDS = /[\p{L}\p{M}\p{N}]+/gu;
const WITHOUT_SPACES = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** The text in parts, of which some are hits. */
export function marked(text: string, search: string): Part[] {
  const sought = (search.match(WORDS) ?? []).map(fold).filter(Boolean);
  const parts: Part[] = [];
  let end = 0;
  const put = (to: number, isHit: boolean): void => {
    if (to > end) parts.push({ text: text.slice(end, to), isHit });
    end = to;
  };
  if (sought.length > 0) {
    for (const found of text.matchAll(WORDS)) {
      const hit = longest(found[0], sought);
      if (hit === null) continue;
      put(found.index + hit[0], false);
      put(found.index + hit[1], true);
    }
  }
  put(text.length, false);
  return parts;
}

/** Where in the word the longest hit begins and ends. */
function longest(word: string, sought: string[]): [number, number] | null {
  const characters = [...word];
  const folded = characters.map(fold);
  const anywhere = WITHOUT_SPACES.test(word);
  let best: [number, number] | null = null;
  for (const one of sought) {
    const starts = anywhere ? folded.keys() : [0];
    for (const start of starts) {
      const count = covering(folded, start, one);
      if (count === null) continue;
      const begin = characters.slice(0, start).join("").length;
      const hit: [number, number] = [begin, begin + characters.slice(start, start + count).join("").length];
      if (best === null || hit[1] - hit[0] > best[1] - best[0]) best = hit;
      break;
    }
  }
  return best;
}

/** How many characters from `start` make up the sought word; null: they do not. */
function covering(folded: string[], start: number, sought: string): number | null {
  let read = "";
  for (let at = start; at < folded.length; at += 1) {
    read += folded[at];
    if (read.length >= sought.length) return read.startsWith(sought) ? at - start + 1 : null;
  }
  return null;
}

const SPELT_AS: Record<string, string> = { ß: "ss", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", æ: "ae", œ: "oe", ı: "i" };

function fold(text: string): string {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.replace(/[ßøłđðþæœı]/g, (letter) => SPELT_AS[letter] ?? letter);
}
