// Icons, drawn for this page: 20 by 20, in the colour of the text around them.

import { svg, type SVGTemplateResult } from "lit";

const icon = (body: SVGTemplateResult): SVGTemplateResult =>
  svg`<svg class="icon" viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.6"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${body}</svg>`;

export const icons = {
  search: icon(svg`<circle cx="9" cy="9" r="5.2"/><path d="m13 13 4 4"/>`),
  chat: icon(svg`<path d="M3.5 5.5a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H9l-3.5 3v-3a2 2 0 0 1-2-2z"/>`),
  mail: icon(svg`<rect x="2.5" y="4.5" width="15" height="11" rx="1.8"/><path d="m3 6 7 5 7-5"/>`),
  window: icon(svg`<path d="M8 4H5a1.5 1.5 0 0 0-1.5 1.5v9A1.5 1.5 0 0 0 5 16h9a1.5 1.5 0 0 0 1.5-1.5V12M11.5 3.5h5v5M16 4l-6.5 6.5"/>`),
  pane: icon(svg`<rect x="2.5" y="4" width="15" height="12" rx="1.8"/><path d="M8 4v12"/>`),
  close: icon(svg`<path d="m5 5 10 10M15 5 5 15"/>`),
  back: icon(svg`<path d="M12 4.5 6.5 10l5.5 5.5"/>`),
  down: icon(svg`<path d="m5 8 5 5 5-5"/>`),
  up: icon(svg`<path d="m5 12 5-5 5 5"/>`),
  print: icon(svg`<path d="M6 7V3.500h8V7M6 13.500H4A1.500 1.500 0 0 1 2.500 12V8.500A1.500 1.500 0 0 1 4 7h12a1.500 1.500 0 0 1 1.500 1.500V12a1.500 1.500 0 0 1-1.500 1.500h-2M6 11.500h8v5H6z"/>`),
  download: icon(svg`<path d="M10 3.500v9M6.500 9.200 10 12.700l3.500-3.500M4 16.500h12"/>`),
  clip: icon(svg`<path d="m15.500 9.500-5.800 5.800a3.300 3.300 0 0 1-4.700-4.700l6.500-6.500a2.200 2.200 0 0 1 3.100 3.100L8.300 13.500a1.100 1.100 0 0 1-1.600-1.600l5.500-5.500"/>`),
  file: icon(svg`<path d="M5.500 2.500h6l4 4v11h-10zM11.500 2.500v4h4"/>`),
  send: icon(svg`<path d="M3.5 10 17 3.5 13 17l-3-6z"/><path d="m10 11 7-7.5"/>`),
  people: icon(svg`<circle cx="7.2" cy="7" r="2.6"/><path d="M2.5 15.5c0-2.6 2-4.2 4.7-4.2s4.7 1.6 4.7 4.2"/><path d="M13 4.7a2.4 2.4 0 0 1 0 4.6M14.2 11.6c2 .3 3.3 1.8 3.3 3.9"/>`),
  reply: icon(svg`<path d="M8 5 3.5 9.5 8 14M4 9.5h7.5c3 0 5 2 5 5"/>`),
  edit: icon(svg`<path d="M4 16h3l8.5-8.5a2 2 0 0 0-3-3L4 13z"/>`),
  retract: icon(svg`<path d="M4.5 6h11M8 6V4.2h4V6M6 6l.7 10h6.6L14 6"/>`),
  emoji: icon(svg`<circle cx="10" cy="10" r="7"/><path d="M7 11.8c.8 1.1 1.8 1.7 3 1.7s2.200-.6 3-1.700M7.600 8v.1M12.400 8v.1"/>`),
  clock: icon(svg`<circle cx="10" cy="10" r="6.5"/><path d="M10 6.500V10l2.500 1.500"/>`),
  check: icon(svg`<path d="m4.500 10.500 3.500 3.500 7.500-8"/>`),
  checks: icon(svg`<path d="m1.500 10.500 3.500 3.500 7.500-8M9.500 13.200l.8.8 7.500-8"/>`),
  warning: icon(svg`<path d="M10 3.500 17.500 16h-15zM10 8.500v3.500M10 14v.1"/>`),
};
