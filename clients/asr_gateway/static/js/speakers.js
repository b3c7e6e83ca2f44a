/** Who speaks in a transcript: a colour and a name for each, which the reader can change. */

import { say } from "./i18n.js";

const COLOURS = 8; // of page.css; more speakers begin with the first again

export class Speakers {
  /**
   * @param {HTMLElement} legend where the names are changed; hidden while nobody is told apart.
   * @param {string} id prefix of the fields' ids.
   */
  constructor(legend, id) {
    this.legend = legend;
    this.id = id;
    this.names = new Map(); // what the server calls somebody → what the reader does
    this.marks = new Map(); // the same → elements that show it
  }

  /** What somebody is called. */
  nameOf(speaker) {
    return this.names.get(speaker) ?? speaker;
  }

  /** Show in an element whose a sentence is; a speaker who is new comes into the legend. */
  mark(element, speaker) {
    for (const marked of this.marks.values()) marked.delete(element);
    if (!this.names.has(speaker)) this.#add(speaker);
    this.marks.get(speaker).add(element);
    element.dataset.colour = this.#colour(speaker);
    element.textContent = this.nameOf(speaker);
  }

  /** Leave only those in the legend who say something. */
  forgetUnused() {
    for (const [speaker, marked] of this.marks) {
      if (marked.size) continue;
      this.marks.delete(speaker);
      this.names.delete(speaker);
      this.legend.querySelector(`[data-speaker="${CSS.escape(speaker)}"]`).remove();
    }
  }

  #colour(speaker) {
    return [...this.names.keys()].indexOf(speaker) % COLOURS;
  }

  #add(speaker) {
    this.names.set(speaker, speaker);
    this.marks.set(speaker, new Set());
    const field = document.createElement("div");
    field.className = "speaker-name";
    field.dataset.speaker = speaker;
    field.dataset.colour = this.#colour(speaker);
    const label = document.createElement("label");
    label.className = "visually-hidden";
    say(label, "speakerName", { speaker });
    const input = document.createElement("input");
    input.type = "text";
    input.maxLength = 100;
    input.value = speaker;
    input.id = label.htmlFor = `${this.id}-speaker-${this.names.size}`;
    input.addEventListener("input", () => this.#rename(speaker, input.value.trim() || speaker));
    field.append(label, input);
    this.legend.append(field);
    this.legend.hidden = false;
  }

  #rename(speaker, name) {
    this.names.set(speaker, name);
    for (const element of this.marks.get(speaker)) element.textContent = name;
  }
}

/** Return who speaks for most of a stretch, of turns {speaker, startMs, endMs}; null for nobody. */
export function speakerOf({ startMs, endMs }, turns) {
  const shares = new Map();
  for (const turn of turns) {
    const shared = Math.min(turn.endMs, endMs) - Math.max(turn.startMs, startMs);
    if (shared > 0) shares.set(turn.speaker, (shares.get(turn.speaker) ?? 0) + shared);
  }
  return [...shares].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}
