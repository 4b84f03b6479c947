// Text with its links: nothing of it is ever taken for markup.

import { html, type TemplateResult } from "lit";

const LINK = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

export function linked(text: string): (string | TemplateResult)[] {
  const parts: (string | TemplateResult)[] = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    const url = found[0];
    parts.push(text.slice(end, found.index));
    parts.push(html`<a href=${url} target="_blank" rel="noopener noreferrer nofollow">${url}</a>`);
    end = found.index + url.length;
  }
  parts.push(text.slice(end));
  return parts;
}
