// What the server was asked and has not answered yet. What is asked is answered once, also when the line breaks meanwhile:
// then it is asked again over the next one.

import type { Answer, Told } from "./frames";

/** The answer was no: a failure of the question, not of the line. */
export class Refusal extends Error {}

const ANSWERS = new Set(["history", "conversations", "found", "card", "since", "done", "refused"]);

interface Question {
  frame: object;
  resolve: (answer: Told) => void;
  reject: (error: Refusal) => void;
}

export class Questions {
  private readonly open = new Map<number, Question>();
  private last = 0;

  constructor(private readonly send: (frame: object) => void) {}

  ask<T extends Told["t"]>(frame: object): Promise<Answer<T>> {
    const q = ++this.last;
    const asked = { ...frame, q };
    return new Promise((resolve, reject) => {
      this.open.set(q, { frame: asked, resolve: resolve as (answer: Told) => void, reject });
      this.send(asked);
    });
  }

  /** The line is back. */
  askAgain(): void {
    for (const question of this.open.values()) this.send(question.frame);
  }

  /** Whether this frame was the answer to a question. */
  take(frame: Told): boolean {
    if (frame.q === undefined || !ANSWERS.has(frame.t)) return false;
    const question = this.open.get(frame.q);
    this.open.delete(frame.q);
    if (frame.t === "refused") question?.reject(new Refusal(frame.text || frame.condition));
    else question?.resolve(frame);
    return true;
  }
}
