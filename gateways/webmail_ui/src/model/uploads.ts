// Files on their way to the server: one at a time, so that they arrive in the order in which they were chosen. When one is there,
// it is said in its conversation; one that is refused stays in the list and says why until it is dismissed.

import type { SharedFile, Uploaded } from "./frames";

export interface Upload {
  key: string;
  peer: string;
  name: string;
  size: number;
  /** Bytes that are there already. */
  sent: number;
  /** Of `Uploaded`; empty: it waits or is under way. */
  error: string;
  limit: number;
}

/** Carries one file; `cancel` makes `done` fail. */
export type Carry = (file: Blob, name: string, progress: (sent: number) => void) => { done: Promise<Uploaded>; cancel: () => void };

export interface UploadOptions {
  carry: Carry;
  newId: () => string;
  /** The largest file, in bytes; 0: there is no limit. */
  limit: () => number;
  /** It is there. */
  share: (peer: string, file: string, shared: SharedFile) => void;
  changed: () => void;
}

export class Uploads {
  private list: Upload[] = [];
  private readonly files = new Map<string, Blob>();
  private current: { key: string; cancel: () => void } | null = null;

  constructor(private readonly options: UploadOptions) {}

  of(peer: string): Upload[] {
    return this.list.filter((upload) => upload.peer === peer);
  }

  add(peer: string, files: Iterable<File>): void {
    for (const file of files) {
      const key = this.options.newId();
      const limit = this.options.limit();
      const error = limit && file.size > limit ? "too-large" : file.size === 0 ? "empty" : "";
      this.list = [...this.list, { key, peer, name: file.name || "image.png", size: file.size, sent: 0, error, limit }];
      if (!error) this.files.set(key, file);
    }
    this.options.changed();
    this.next();
  }

  /** Send it no further, or forget that it failed. */
  remove(key: string): void {
    this.files.delete(key);
    this.list = this.list.filter((upload) => upload.key !== key);
    if (this.current?.key === key) this.current.cancel();
    this.options.changed();
  }

  private next(): void {
    const upload = this.current === null ? this.list.find((one) => this.files.has(one.key)) : undefined;
    const file = upload && this.files.get(upload.key);
    if (upload === undefined || file === undefined) return;
    const { done, cancel } = this.options.carry(file, upload.name, (sent) => this.change(upload.key, { sent }));
    this.current = { key: upload.key, cancel };
    void done
      .catch((): Uploaded => ({ error: "unavailable" }))
      .then((answer) => {
        this.current = null;
        this.files.delete(upload.key);
        if (answer.error) this.change(upload.key, { error: answer.error, limit: answer.limit ?? 0 });
        else if (this.list.some((one) => one.key === upload.key)) {
          this.remove(upload.key);
          const { file: named = "", id = "", name = "", size = 0, type = "", path = "" } = answer;
          this.options.share(upload.peer, named, { id, name, size, type, path });
        }
        this.next();
      });
  }

  private change(key: string, more: Partial<Upload>): void {
    this.list = this.list.map((upload) => (upload.key === key ? { ...upload, ...more } : upload));
    this.options.changed();
  }
}
