// What this tab knows, and what can be done with it. Knows no page: the views read it and are told when something changed.
//
// The server's snapshot fills it, its events keep it current; what is asked is answered once, also when the line breaks
// meanwhile. What the person writes is a draft until the archive has it; drafts outlive the page.

import { Conversation, type Draft } from "./conversation";
import {
  type Answer,
  type ChatFrame,
  type DisplayedFrame,
  isServedHere,
  type Person,
  type RecentEntry,
  type Status,
  type Told,
  VERSION,
} from "./frames";
import { Photos } from "./photos";
import { type Presence, Presences } from "./presences";
import { Questions, Refusal } from "./questions";
import { Reader } from "./reader";
import { type Carry, Uploads } from "./uploads";
import { Socket, type SocketOptions } from "./socket";

/** What outlives the page. */
export interface Store {
  get(key: string): string | null;
  set(key: string, value: string | null): void;
}

export interface ModelOptions {
  connect: SocketOptions["connect"];
  timers: SocketOptions["timers"];
  store: Store;
  now: () => number;
  newId: () => string;
  /** Carries a file to the server. */
  carry: Carry;
  /** Whether the person looks at the conversation with this peer just now. */
  isLookedAt: (peer: string) => boolean;
  /** Somebody wrote, and the person may not be looking. */
  arrived: (chat: ChatFrame) => void;
  ended: (reason: string) => void;
}

export const PAGE = 50;
/** Somebody who stops typing without a word is taken to have stopped after this. */
export const TYPING_MS = 12_000;
const TYPING_AGAIN_MS = 4_000;

export class Model {
  you = "";
  status: Status = "Available";
  statusText = "";
  isUp = false;
  /** The first snapshot is here. */
  isReady = false;
  /** The largest file that may be shared; 0: there is no limit. */
  fileBytes = 0;
  readonly uploads: Uploads;
  readonly people = new Map<string, Person>();
  readonly conversations = new Map<string, Conversation>();

  private readonly socket: Socket;
  private readonly presences: Presences;
  private readonly questions = new Questions((frame) => void this.socket.send(frame));
  private readonly photos = new Photos(
    async (address) => (await this.ask<"card">({ t: "card", address })).photo ?? "",
    () => this.changed(),
  );
  private readonly listeners = new Set<() => void>();
  private readonly typingSent = new Map<string, number>();
  private drafts: Draft[] = [];
  private epoch = "";
  private last = 0;
  private sorted: Person[] | null = null;
  private isTellDue = false;
  private snapshot = new Set<string>();
  /** What is heard of others is news, and no first look at them. */
  private isLooking = false;

  constructor(private readonly options: ModelOptions) {
    this.presences = new Presences(options.now);
    this.uploads = new Uploads({
      carry: options.carry,
      newId: options.newId,
      limit: () => this.fileBytes,
      share: (peer, file, shared) => this.say(peer, "", { file, shared }),
      changed: () => this.changed(),
    });
    this.status = (options.store.get("status") as Status | null) ?? "Available";
    this.statusText = options.store.get("status-text") ?? "";
    this.socket = new Socket({
      connect: options.connect,
      timers: options.timers,
      hello: () => ({ t: "hello", v: VERSION, epoch: this.epoch, last: this.last, status: this.status, text: this.statusText }),
      heard: (frame) => this.hear(frame),
      changed: (isUp) => this.lineChanged(isUp),
      ended: (reason) => this.options.ended(reason),
    });
  }

  start(): void {
    this.socket.open();
  }

  stop(): void {
    this.socket.close();
  }

  hurry(): void {
    this.socket.hurry();
  }

  /** Be told of changes, once for all that happen together. The answer ends it. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // -- what is known ---------------------------------------------------------------------------------------------------

  /** Aliases, then people; each by name; without oneself. */
  get contacts(): Person[] {
    this.sorted ??= [...this.people.values()]
      .filter((person) => person.address !== this.you)
      .sort((a, b) => Number(b.alias ?? false) - Number(a.alias ?? false) || collator.compare(a.name, b.name));
    return this.sorted;
  }

  get me(): Person {
    return this.person(this.you);
  }

  person(address: string): Person {
    return this.people.get(address) ?? { address, name: address.split("@")[0] ?? address };
  }

  statusOf(address: string): Presence {
    return this.presences.of(address);
  }

  /** Since when a contact has its status, in milliseconds since 1970; asked for when it is not known. */
  sinceOf(address: string): number | undefined {
    const known = this.presences.sinceOf(address);
    if (known === undefined && this.isUp && this.status !== "Offline") void this.askSince(address);
    return known || undefined;
  }

  /** Those with something said, the newest first. */
  get recent(): Conversation[] {
    return [...this.conversations.values()]
      .filter((conversation) => conversation.newest !== null)
      .sort((a, b) => ((a.newest?.id ?? "") < (b.newest?.id ?? "") ? 1 : -1));
  }

  get unread(): number {
    let sum = 0;
    for (const conversation of this.conversations.values()) sum += conversation.unread;
    return sum;
  }

  conversation(peer: string): Conversation {
    let found = this.conversations.get(peer);
    if (found === undefined) {
      found = new Conversation(peer, this.you);
      found.setDrafts(this.drafts.filter((draft) => draft.to === peer));
      this.conversations.set(peer, found);
    }
    return found;
  }

  isTyping(peer: string): boolean {
    const since = this.conversations.get(peer)?.typingSince ?? 0;
    return since > 0 && this.options.now() - since < TYPING_MS;
  }

  // -- what can be done ------------------------------------------------------------------------------------------------

  setStatus(status: Status, text: string): void {
    this.options.store.set("status", status);
    this.options.store.set("status-text", text || null);
    this.showStatus(status, text);
  }

  /** A status that the person has not chosen, and that the next page does not begin with. */
  showStatus(status: Status, text = this.statusText): void {
    if (!this.socket.send({ t: "status", status, text })) {
      this.status = status;
      this.statusText = text;
    }
    this.changed();
  }

  say(to: string, body: string, more: Partial<Omit<Draft, "id" | "to" | "body" | "at">> = {}): void {
    const draft: Draft = { id: this.options.newId(), to, body, at: this.options.now(), ...more };
    this.typingSent.delete(to);
    this.setDrafts([...this.drafts, draft]);
    this.sendDraft(draft);
  }

  /** Try a message that was refused once more; it stays the same message. */
  sayAgain(id: string): void {
    this.setDrafts(
      this.drafts.map((draft) => {
        if (draft.id !== id) return draft;
        const { failure: _, ...rest } = draft;
        return rest;
      }),
    );
    const draft = this.drafts.find((one) => one.id === id);
    if (draft !== undefined) this.sendDraft(draft);
  }

  discard(id: string): void {
    this.setDrafts(this.drafts.filter((draft) => draft.id !== id));
  }

  /** Let the other side know that the person types, or stopped; not more often than needed. */
  typing(peer: string, on: boolean): void {
    const now = this.options.now();
    const sent = this.typingSent.get(peer);
    if (on && sent !== undefined && now - sent < TYPING_AGAIN_MS) return;
    if (!on && sent === undefined) return;
    if (on) this.typingSent.set(peer, now);
    else this.typingSent.delete(peer);
    this.socket.send({ t: "typing", peer, on });
  }

  /** The person has seen everything in this conversation. */
  markRead(peer: string): void {
    const conversation = this.conversations.get(peer);
    if (conversation === undefined || !this.isUp) return;
    const newest = conversation.messages.findLast((message) => !message.isOwn && message.id !== "");
    if (newest === undefined || newest.id <= conversation.read) {
      if (conversation.unread) {
        conversation.unread = 0;
        this.changed();
      }
      return;
    }
    const name = newest.via ? "" : newest.name;
    if (this.socket.send({ t: "read", peer, id: newest.id, name })) {
      conversation.read = newest.id;
      conversation.unread = 0;
      this.changed();
    }
  }

  /** Fetch the newest page, if it is not here; or the one before what is here. */
  async load(peer: string, isOlder = false): Promise<void> {
    const conversation = this.conversation(peer);
    if (conversation.isLoading || (isOlder ? conversation.isComplete : conversation.isLoaded)) return;
    conversation.isLoading = true;
    const before = isOlder ? conversation.oldest : "";
    try {
      const page = await this.ask<"history">({ t: "history", peer, before, limit: PAGE });
      const items = page.items ?? [];
      conversation.addPage(items, !isOlder);
      if (page.complete) conversation.isComplete = true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      conversation.isLoaded = conversation.isComplete = true;
    } finally {
      conversation.isLoading = false;
      this.changed();
    }
  }

  async find(text: string): Promise<string[]> {
    const found = await this.ask<"found">({ t: "find", text });
    return found.addresses ?? [];
  }

  /** Messages with these words, the newest first. */
  async findMessages(text: string, peer = "", limit = PAGE): Promise<ChatFrame[]> {
    const page = await this.ask<"history">({ t: "history", peer, text, limit });
    return (page.items ?? []).filter((item): item is ChatFrame => item.t === "chat").reverse();
  }

  /** A page of the messages of a conversation that carry files, the newest first; `before`: older than this id. */
  async findFiles(peer: string, before: string): Promise<{ chats: ChatFrame[]; isComplete: boolean }> {
    const page = await this.ask<"history">({ t: "history", peer, files: true, limit: PAGE, ...(before ? { before } : {}) });
    const chats = (page.items ?? []).filter((item): item is ChatFrame => item.t === "chat" && isServedHere(item.file));
    return { chats: chats.reverse(), isComplete: page.complete ?? false };
  }

  /** The photo of a contact as a data URL; undefined: there is none, or it is not here yet. */
  photo(address: string): string | undefined {
    return this.people.get(address)?.alias ? undefined : this.photos.get(address);
  }

  /** Look whether a contact has another photo by now. */
  refreshPhoto(address: string): void {
    if (!this.people.get(address)?.alias) this.photos.refresh(address);
  }

  /** The person's own photo from now on, in base64; empty: none. */
  async setPhoto(photo: string): Promise<void> {
    await this.ask<"done">({ t: "photo", photo });
    this.photos.refresh(this.you);
  }

  /** Read in the history of a conversation, from anywhere. */
  reader(peer: string): Reader {
    return new Reader((frame) => this.ask<"history">(frame), peer, this.you);
  }

  /** Ask the server; the answer comes, if need be over another line. */
  ask<T extends Told["t"]>(frame: object): Promise<Answer<T>> {
    return this.questions.ask(frame);
  }

  private async askSince(address: string): Promise<void> {
    this.presences.setSince(address, 0); // asked
    const { seconds } = await this.ask<"since">({ t: "since", address });
    if (seconds === undefined || this.presences.sinceOf(address) !== 0) return;
    this.presences.setSince(address, this.options.now() - seconds * 1000);
    this.changed();
  }

  // -- what the server says --------------------------------------------------------------------------------------------

  private hear(frame: Told): void {
    if (frame.n !== undefined && frame.t !== "welcome") {
      if (frame.n <= this.last) return;
      this.last = frame.n;
    }
    if (!this.questions.take(frame)) this.take(frame);
    this.changed();
  }

  private take(frame: Told): void {
    switch (frame.t) {
      case "welcome":
        this.welcomed(frame);
        break;
      case "contacts":
        this.takeContacts(frame);
        break;
      case "presences":
        if (frame.all) this.presences.clear();
        for (const seen of frame.devices ?? []) this.presences.see(seen, this.isLooking);
        this.isLooking = true;
        break;
      case "own-status":
        this.status = frame.status;
        this.statusText = frame.text ?? "";
        if (frame.status !== "Offline") break;
        this.presences.clear();
        this.isLooking = false;
        break;
      case "chat":
        this.takeChat(frame);
        break;
      case "displayed":
        this.takeDisplayed(frame);
        break;
      case "typing":
        this.conversation(frame.peer).typingSince = frame.on ? this.options.now() : 0;
        if (frame.on) this.options.timers.set(() => this.changed(), TYPING_MS + 50);
        break;
      case "failed":
        this.setDrafts(this.drafts.map((d) => (d.id === frame.origin ? { ...d, failure: frame.text || frame.condition } : d)));
        break;
      case "conversations":
        this.takeConversations(frame.conversations ?? []);
        break;
    }
  }

  private welcomed(welcome: Answer<"welcome">): void {
    if (this.you !== welcome.you.address) {
      this.you = welcome.you.address;
      this.sorted = null;
      this.conversations.clear();
      this.drafts = JSON.parse(this.options.store.get(`drafts ${this.you}`) ?? "[]") as Draft[];
      for (const draft of this.drafts) this.conversation(draft.to);
    }
    this.epoch = welcome.epoch;
    this.fileBytes = welcome.fileBytes ?? 0;
    this.status = welcome.status;
    this.statusText = welcome.text ?? "";
    if (welcome.fresh) {
      this.last = welcome.n;
      this.presences.clear();
      this.isLooking = false;
      for (const conversation of this.conversations.values()) conversation.forget();
      this.snapshot = new Set(["contacts"]);
    }
  }

  private takeContacts(frame: Answer<"contacts">): void {
    if (frame.all) this.people.clear();
    for (const person of frame.contacts ?? []) this.people.set(person.address, person);
    for (const address of frame.removed ?? []) this.people.delete(address);
    this.sorted = null;
    this.snapshot.delete("contacts");
    this.isReady ||= this.snapshot.size === 0;
  }

  private takeChat(chat: ChatFrame): void {
    const isOwn = chat.from === this.you;
    const peer = isOwn ? chat.via || chat.to : chat.from;
    const conversation = this.conversation(peer);
    const isNew = conversation.add(chat);
    if (isOwn) {
      const left = this.drafts.filter((draft) => draft.id !== chat.origin);
      if (left.length !== this.drafts.length) this.setDrafts(left);
      if (isNew && !chat.replaces && !chat.retracts) conversation.unread = 0; // an own reply, from whatever device, says that the rest was read
      return;
    }
    conversation.typingSince = 0;
    if (!isNew || chat.replaces || chat.retracts || !(chat.body || chat.file) || chat.id <= conversation.read) return;
    if (chat.id <= conversation.counted) return;
    conversation.unread += 1;
    if (this.options.isLookedAt(peer)) this.markRead(peer);
    else this.options.arrived(chat);
  }

  private takeDisplayed(frame: DisplayedFrame): void {
    const isOwn = frame.from === this.you;
    const conversation = this.conversation(isOwn ? frame.to : frame.from);
    conversation.add(frame);
    if (isOwn) {
      const read = conversation.messages.findLast((message) => !message.isOwn && message.name === frame.name);
      if (read !== undefined && read.id > conversation.read) conversation.read = read.id;
      conversation.unread = conversation.messages.filter((m) => !m.isOwn && m.id > conversation.read && !m.isRetracted).length;
      if (read === undefined) conversation.unread = 0;
    }
  }

  private takeConversations(entries: RecentEntry[]): void {
    for (const entry of entries) {
      const conversation = this.conversation(entry.peer);
      if ((entry.read ?? "") >= conversation.read) {
        conversation.read = entry.read ?? "";
        // What was heard since that was counted comes on top; see also `takeChat`.
        conversation.counted = entry.newest.id;
        conversation.unread = (entry.unread ?? 0) + conversation.messages.filter((m) => !m.isOwn && m.id > entry.newest.id).length;
      }
      if (entry.newest.t === "chat" && (conversation.newest?.id ?? "") <= entry.newest.id) conversation.newest = entry.newest;
    }
  }

  private lineChanged(isUp: boolean): void {
    this.isUp = isUp;
    if (isUp) {
      this.questions.askAgain();
      for (const draft of this.drafts) this.sendDraft(draft);
    }
    this.changed();
  }

  private sendDraft(draft: Draft): void {
    const { at: _, shared: __, failure, ...frame } = draft;
    if (failure === undefined) this.socket.send({ t: "say", ...frame });
  }

  private setDrafts(drafts: Draft[]): void {
    const peers = new Set([...this.drafts, ...drafts].map((draft) => draft.to));
    this.drafts = drafts;
    for (const peer of peers) this.conversation(peer).setDrafts(drafts.filter((draft) => draft.to === peer));
    this.options.store.set(`drafts ${this.you}`, drafts.length > 0 ? JSON.stringify(drafts) : null);
    this.changed();
  }

  private changed(): void {
    if (this.isTellDue) return;
    this.isTellDue = true;
    queueMicrotask(() => {
      this.isTellDue = false;
      for (const listener of [...this.listeners]) listener();
    });
  }
}

const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });
