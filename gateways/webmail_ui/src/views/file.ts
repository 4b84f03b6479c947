// A file in a message: a picture in its place, anything else as something to be saved.

import { html, nothing, type TemplateResult } from "lit";
import type { SharedFile } from "../model/frames";
import { bytesText, t } from "../text/text";
import { icons } from "./icons";

export function isPicture(file: SharedFile): boolean {
  return file.type.startsWith("image/");
}

export function fileInMessage(file: SharedFile): TemplateResult {
  if (!isPicture(file)) return fileCard(file);
  return html`<a class="picture" href=${file.path} target="_blank" rel="noopener" title=${file.name}>
    <img src=${file.path} alt=${t("file.picture", { name: file.name })} loading="lazy" /></a>`;
}

export function fileCard(file: SharedFile, about: unknown = nothing): TemplateResult {
  return html`<a class="file" href=${file.path} download=${file.name}>
    <span class="file-kind">${isPicture(file) ? html`<img src=${file.path} alt="" loading="lazy" />` : icons.file}</span>
    <span class="row-words"><span class="file-name"><span class="hidden">${t("file.save")} </span>${file.name}</span><small>${bytesText(file.size)}${about}</small></span>
    ${icons.download}</a>`;
}
