// Carries a file to the server, and says how far it is: what `fetch` cannot.

import type { Uploaded } from "./model/frames";
import type { Carry } from "./model/uploads";

export const carry: Carry = (file, name, progress) => {
  const request = new XMLHttpRequest();
  const done = new Promise<Uploaded>((resolve, reject) => {
    request.open("POST", `/files/?name=${encodeURIComponent(name)}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => resolve((request.response as Uploaded | null) ?? { error: "unavailable" });
    request.onerror = request.onabort = () => reject(new Error("the file did not get there"));
    request.send(file);
  });
  return { done, cancel: () => request.abort() };
};
