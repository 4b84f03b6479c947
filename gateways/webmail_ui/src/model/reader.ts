// A part of a conversation that is read from the archive from some time on, and goes on in both directions as far as the person
// wants to read.

import { Conversation, type Message } from "./conversation";
import { type Answer, idAt } from "./frames";

const PAGE = 50;

export class Reader {
  /** There is nothing older, or nothing newer, than what is here. */
  isStart = false;
  isEnd = false;
  isLoading = false;
  private readonly conversation: Conversation;
  private newest = "";

  /** `ask`: for a page of the archive; see `AskHistory` in engine/webmail/frames.py. */
  constructor(
    private readonly ask: (frame: object) => Promise<Answer<"history">>,
    readonly peer: string,
    me: string,
  ) {
    this.conversation = new Conversation(peer, me);
  }

  get messages(): Message[] {
    return this.conversation.messages;
  }

  /** See `Conversation.rowOf`. */
  rowOf(id: string): Message | undefined {
    return this.conversation.rowOf(id);
  }

  /** Read from a time on (milliseconds since 1970) what `isPart` says of the ids, and no more. */
  async open(from: number, isPart: (id: string) => boolean): Promise<void> {
    let goesOn = await this.forward({ start: idAt(from) }, isPart);
    while (goesOn) goesOn = await this.forward({ after: this.newest }, isPart);
  }

  async earlier(): Promise<void> {
    if (this.isLoading || this.isStart || !this.conversation.oldest) return;
    const page = await this.page({ before: this.conversation.oldest });
    this.isStart = page.complete ?? false;
    this.conversation.addPage(page.items ?? [], false);
  }

  async later(): Promise<void> {
    if (!this.isLoading && !this.isEnd) await this.forward({ after: this.newest }, () => true);
  }

  /** One page of what `isPart`; whether the next one may have more of it. */
  private async forward(edge: object, isPart: (id: string) => boolean): Promise<boolean> {
    const { items = [], complete = false } = await this.page(edge);
    const part = items.filter((item) => isPart(item.id));
    this.isEnd = complete && part.length === items.length;
    this.newest = part.at(-1)?.id ?? this.newest;
    this.conversation.addPage(part, false);
    return !complete && items.length > 0 && part.length === items.length;
  }

  private async page(edge: object): Promise<Answer<"history">> {
    this.isLoading = true;
    try {
      return await this.ask({ t: "history", peer: this.peer, limit: PAGE, ...edge });
    } finally {
      this.isLoading = false;
    }
  }
}
