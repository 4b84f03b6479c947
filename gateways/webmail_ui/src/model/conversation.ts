// One conversation as far as it is known here: what was said, what waits to go out, and how far both sides have read.

import { type ChatFrame, type DisplayedFrame, isServedHere, type RecentEntry, type SharedFile, timeOf } from "./frames";

/** What a person sees of one message. */
export interface Message {
  /** The archive's id; empty while it waits. */
  id: string;
  /** Stays the same from the moment it was written: what its row on the page is called. */
  key: string;
  from: string;
  via: string;
  body: string;
  file: SharedFile | null;
  at: number;
  name: string;
  origin: string;
  isOwn: boolean;
  isEdited: boolean;
  isRetracted: boolean;
  reply: string;
  state: "waiting" | "failed" | "kept" | "displayed";
  failure: string;
}

/** A message of one's own that is not in the archive yet. */
export interface Draft {
  id: string;
  to: string;
  body: string;
  at: number;
  reply?: string;
  replyTo?: string;
  replaces?: string;
  retracts?: string;
  /** What says the file that it carries, and what is shown of that. */
  file?: string;
  shared?: SharedFile;
  failure?: string;
}

export class Conversation {
  unread = 0;
  /** Up to which id the person has read. */
  read = "";
  /** Up to which id the server has counted what is unread. */
  private counted = "";
  /** The newest message, for lists; it may be none of those that are loaded. */
  newest: ChatFrame | null = null;
  isLoaded = false;
  /** There is nothing older than what is loaded. */
  isComplete = false;
  isLoading = false;
  /** When the other side was last said to type; 0: it does not. */
  typingSince = 0;

  private items: (ChatFrame | DisplayedFrame)[] = [];
  private ids = new Set<string>();
  private drafts: Draft[] = [];
  private view: Message[] | null = null;
  private rows = new Map<string, Message>();

  constructor(
    readonly peer: string,
    private readonly me: string,
  ) {}

  get oldest(): string {
    return this.items[0]?.id ?? "";
  }

  /** Everything, oldest first; the same array until something changes. */
  get messages(): Message[] {
    this.view ??= this.fold();
    return this.view;
  }

  /** What a person sees of the message with this id of the archive; of a correction: the message that it changed. */
  rowOf(id: string): Message | undefined {
    return this.messages.length > 0 ? this.rows.get(id) : undefined;
  }

  /** One more event; false: it was known. */
  add(item: ChatFrame | DisplayedFrame): boolean {
    if (item.t === "chat") {
      this.drafts = this.drafts.filter((draft) => item.from !== this.me || draft.id !== item.origin);
      if (!item.replaces && !item.retracts && (this.newest === null || this.newest.id < item.id)) this.newest = item;
    }
    this.view = null;
    return this.insert(item);
  }

  /** A page of the history. `isNewest`: nothing is newer than it but what came while it was under way. */
  addPage(items: (ChatFrame | DisplayedFrame)[], isNewest: boolean): void {
    const last = items.at(-1);
    if (isNewest && last !== undefined && !this.ids.has(last.id) && !items.some((item) => this.ids.has(item.id))) {
      // What is here and older is not known to be all that there was in between.
      this.items = this.items.filter((item) => item.id > last.id);
      this.ids = new Set(this.items.map((item) => item.id));
      this.isComplete = false;
    }
    for (const item of items) this.insert(item);
    this.isLoaded = true;
    this.view = null;
  }

  /** Forget the oldest when there are more than `most` items, down to `kept`; they can be loaded again. */
  trim(most: number, kept: number): boolean {
    if (this.items.length <= most) return false;
    this.items = this.items.slice(-kept);
    this.ids = new Set(this.items.map((item) => item.id));
    this.isComplete = false;
    this.view = null;
    return true;
  }

  /** It is not known any more whether something is missing at the end. */
  forget(): void {
    this.isLoaded = false;
    this.typingSince = 0;
  }

  // -- what was read ---------------------------------------------------------------------------------------------------

  /** An entry of the list of conversations. What was heard since it was made comes on top. */
  take(entry: RecentEntry): void {
    const { newest } = entry;
    if ((entry.read ?? "") >= this.read) {
      this.read = entry.read ?? "";
      this.counted = newest.id;
      this.unread = (entry.unread ?? 0) + this.messages.filter((message) => !message.isOwn && message.id > newest.id).length;
    }
    if (newest.t === "chat" && (this.newest?.id ?? "") <= newest.id) this.newest = newest;
  }

  /** Whether a message of somebody else is one more that is unread. */
  isNews(chat: ChatFrame): boolean {
    const isWord = !chat.replaces && !chat.retracts && Boolean(chat.body || chat.file);
    return isWord && chat.id > this.read && chat.id > this.counted;
  }

  /** The newest message that the person sees now and has not read before, as `Read` says it; its sender is told, but of an alias. */
  unseen(): { id: string; name: string } | undefined {
    const newest = this.messages.findLast((message) => !message.isOwn && message.id !== "");
    return newest !== undefined && newest.id > this.read ? { id: newest.id, name: newest.via ? "" : newest.name } : undefined;
  }

  /** Everything up to this id was read. */
  see(id: string): void {
    this.read = id;
    this.unread = 0;
  }

  /** The person has read up to the message of this name, on another device; if it is not loaded, everything. */
  seeNamed(name: string): void {
    const read = this.messages.findLast((message) => !message.isOwn && message.name === name);
    if (read !== undefined && read.id > this.read) this.read = read.id;
    const after = (message: Message): boolean => !message.isOwn && message.id > this.read && !message.isRetracted;
    this.unread = read === undefined ? 0 : this.messages.filter(after).length;
  }

  setDrafts(drafts: Draft[]): void {
    this.drafts = drafts;
    this.view = null;
  }

  private insert(item: ChatFrame | DisplayedFrame): boolean {
    if (!item.id || this.ids.has(item.id)) return false;
    this.ids.add(item.id);
    let at = this.items.length;
    while (at > 0 && (this.items[at - 1]?.id ?? "") > item.id) at -= 1;
    this.items.splice(at, 0, item);
    return true;
  }

  private fold(): Message[] {
    const messages: Message[] = [];
    const byName = new Map<string, Message>();
    this.rows.clear();
    let displayed = -1;
    for (const item of this.items) {
      if (item.t === "displayed") {
        if (item.from !== this.me) {
          const index = messages.findLastIndex((m) => m.isOwn && (m.name === item.name || m.origin === item.name));
          displayed = Math.max(displayed, index);
        }
        continue;
      }
      const changes = item.replaces || item.retracts;
      const changed = changes ? byName.get(`${item.from} ${changes}`) : undefined;
      if (changes) {
        if (changed === undefined || changed.isRetracted) continue;
        this.rows.set(item.id, changed);
        changed.isRetracted = Boolean(item.retracts);
        changed.isEdited = true;
        changed.body = item.retracts ? "" : (item.body ?? "");
        if (item.retracts) changed.file = null;
        continue;
      }
      const message = this.message(item);
      messages.push(message);
      this.rows.set(item.id, message);
      for (const name of [message.name, message.origin]) if (name) byName.set(`${item.from} ${name}`, message);
    }
    messages.forEach((message, index) => {
      if (message.isOwn && index <= displayed) message.state = "displayed";
    });
    for (const draft of this.drafts) {
      const changed = byName.get(`${this.me} ${draft.replaces ?? draft.retracts ?? ""}`);
      if (changed !== undefined) {
        changed.body = draft.retracts ? "" : draft.body;
        if (draft.retracts) changed.file = null;
        changed.isRetracted = Boolean(draft.retracts);
        changed.isEdited = true;
        changed.state = draft.failure ? "failed" : "waiting";
        changed.failure = draft.failure ?? "";
      } else if (!draft.replaces && !draft.retracts) messages.push(this.waiting(draft));
    }
    return messages;
  }

  private message(item: ChatFrame): Message {
    const isOwn = item.from === this.me;
    return {
      id: item.id,
      key: isOwn && item.origin ? item.origin : item.id,
      from: item.from,
      via: item.via ?? "",
      body: item.body ?? "",
      file: isServedHere(item.file) ? item.file : null,
      at: timeOf(item.id),
      name: item.name ?? item.id,
      origin: item.origin ?? "",
      isOwn,
      isEdited: false,
      isRetracted: false,
      reply: item.reply ?? "",
      state: "kept",
      failure: "",
    };
  }

  private waiting(draft: Draft): Message {
    return {
      id: "",
      key: draft.id,
      from: this.me,
      via: "",
      body: draft.body,
      file: draft.shared ?? null,
      at: draft.at,
      name: draft.id,
      origin: draft.id,
      isOwn: true,
      isEdited: false,
      isRetracted: false,
      reply: draft.reply ?? "",
      state: draft.failure ? "failed" : "waiting",
      failure: draft.failure ?? "",
    };
  }
}
