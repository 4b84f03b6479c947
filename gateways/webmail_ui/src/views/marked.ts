// Text as it is: with its links, and with what a search found in it. Nothing of it is ever taken for markup.

import { html, type TemplateResult } from "lit";
import { marked } from "../model/marks";

type Piece = string | TemplateResult;
const LINK = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

export function hits(text: string, search: string): Piece[] {
  if (!search) return [text];
  return marked(text, search).map((part) => (part.isHit ? html`<mark>${part.text}</mark>` : part.text));
}

export function linked(text: string, search = ""): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    const url = found[0];
    pieces.push(...hits(text.slice(end, found.index), search));
    pieces.push(html`<a href=${url} target="_blank" rel="noopener noreferrer nofollow">${hits(url, search)}</a>`);
    end = found.index + url.length;
  }
  pieces.push(...hits(text.slice(end), search));
  return pieces;
}

/** A text that is shown in one short line, from shortly before its first hit. */
export function excerpt(text: string, search: string): Piece[] {
  const [first] = marked(text, search);
  const before = first !== undefined && !first.isHit ? first.text.length : 0;
  if (before === text.length || before < 24) return hits(text, search);
  const from = text.lastIndexOf(" ", before - 12) + 1;
  return ["… ", ...hits(text.slice(from), search)];
}
