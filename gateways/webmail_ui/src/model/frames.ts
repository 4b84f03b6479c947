// What is said on the socket: the types of engine/webmail/frames.py. What is absent is empty, false or zero.

export const VERSION = 1;

export type Status = "Available" | "Away" | "Busy" | "Offline";

export interface Person {
  address: string;
  name: string;
  alias?: boolean;
  title?: string;
  department?: string;
  phone?: string;
  members?: string[];
}

/** The presence of one device: address, resource, status, the person's own words. */
export type Seen = [address: string, resource: string, status: Status, text: string];

/** A file that a message carries; `path`: where this host serves it. */
export interface SharedFile {
  id: string;
  name: string;
  size: number;
  type: string;
  path: string;
}

/** The answer to an upload; `file`: what a message says that carries it. */
export interface Uploaded extends Partial<SharedFile> {
  error?: string;
  limit?: number;
  file?: string;
}

export interface ChatFrame {
  t: "chat";
  n?: number;
  id: string;
  from: string;
  to: string;
  via?: string;
  body?: string;
  origin?: string;
  name?: string;
  reply?: string;
  replaces?: string;
  retracts?: string;
  file?: SharedFile;
}

export interface DisplayedFrame {
  t: "displayed";
  n?: number;
  id: string;
  from: string;
  to: string;
  name?: string;
}

export interface RecentEntry {
  peer: string;
  newest: ChatFrame | DisplayedFrame;
  unread?: number;
  read?: string;
}

export interface Welcome {
  t: "welcome";
  v: number;
  epoch: string;
  n: number;
  you: { address: string; resource: string };
  status: Status;
  text?: string;
  fresh?: boolean;
  fileBytes?: number;
}

export type Told = { n?: number; q?: number } & (
  | Welcome
  | { t: "contacts"; contacts?: Person[]; removed?: string[]; all?: boolean }
  | { t: "presences"; devices?: Seen[]; all?: boolean }
  | { t: "own-status"; status: Status; text?: string }
  | ChatFrame
  | DisplayedFrame
  | { t: "typing"; peer: string; on?: boolean }
  | { t: "failed"; origin: string; condition: string; text?: string }
  | { t: "conversations"; conversations?: RecentEntry[]; complete?: boolean }
  | { t: "history"; items?: (ChatFrame | DisplayedFrame)[]; complete?: boolean }
  | { t: "found"; addresses?: string[]; complete?: boolean }
  | { t: "card"; address: string; photo?: string }
  | { t: "done" }
  | { t: "since"; address: string; seconds?: number }
  | { t: "refused"; condition: string; text?: string }
  | { t: "pong" }
  | { t: "bye"; reason: string }
);

export type Answer<T extends Told["t"]> = Extract<Told, { t: T }>;

/** When a message of the archive was said, in milliseconds since 1970. */
export function timeOf(id: string): number {
  return parseInt(id, 16) / 1000;
}

/** The id that a message would have which was said at this time, in milliseconds since 1970. */
export function idAt(time: number): string {
  return Math.floor(time * 1000).toString(16).padStart(16, "0");
}

/** Whether this host serves the file: nothing else is ever fetched or linked to as one. */
export function isServedHere(file: SharedFile | undefined): file is SharedFile {
  return file?.path.startsWith("/files/") ?? false;
}
