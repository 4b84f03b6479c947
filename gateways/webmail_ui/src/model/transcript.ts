// A conversation as plain text, to be kept as a file.

import type { Message } from "./conversation";

/** One line for each message, under the days. `texts`: how days and times are written. */
export function transcript(
  messages: Message[],
  name: (address: string) => string,
  texts: { day: (at: number) => string; time: (at: number) => string },
): string {
  const lines: string[] = [];
  let day = "";
  for (const message of messages) {
    const text = message.body || (message.file && `[${message.file.name}]`);
    if (!text || !message.id) continue;
    const of = texts.day(message.at);
    if (of !== day) lines.push(...(lines.length > 0 ? [""] : []), of, "");
    day = of;
    const via = message.via ? ` (${name(message.via)})` : "";
    lines.push(`${texts.time(message.at)} ${name(message.from)}${via}: ${text.replaceAll("\n", "\n      ")}`);
  }
  return `${lines.join("\n")}\n`;
}
