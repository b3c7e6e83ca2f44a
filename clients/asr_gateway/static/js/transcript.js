/** One recording or file on the page: its sentences, their sound, and the files made of them. */

import { readableTime } from "./clock.js";
import { TEXT_FORMATS, save } from "./downloads.js";
import { say, textLanguage, translate } from "./i18n.js";
import { Player } from "./player.js";
import { Speakers, speakerOf } from "./speakers.js";
import { toTxt } from "./subtitles.js";

const FOLLOWED_PX = 80; // the end of a text may be hidden by this much: a line, and the recorder

let count = 0;

const LANGUAGES = {
  zh: "languageZh",
  en: "languageEn",
  yue: "languageYue",
  ja: "languageJa",
  ko: "languageKo",
};

/** Return what says which language was heard. */
function languageTag(language) {
  const tag = document.createElement("span");
  tag.className = "language";
  say(tag, LANGUAGES[language]);
  return tag;
}

export class Transcript {
  /**
   * @param {object} source
   * @param {string} source.baseName of the files to save.
   * @param {boolean} source.live whether screen readers say each sentence as it comes.
   * @param {() => void} source.onRemove the reader wants to be rid of it, complete or not.
   */
  constructor({ baseName, live, onRemove }) {
    this.baseName = baseName;
    this.sentences = [];
    this.rows = [];
    this.playable = false;
    const template = document.getElementById("transcript-template");
    this.element = template.content.firstElementChild.cloneNode(true);
    translate(this.element);
    this.title = this.#part("h3");
    this.list = this.#part(".sentences");
    this.audio = this.#part("audio");
    this.progress = this.#part("progress");
    this.#connectNames();
    this.speakers = new Speakers(this.#part(".speakers"), this.title.id);
    // A file brings hundreds of sentences in a minute: too many to be told each.
    this.list.ariaLive = live ? "polite" : "off";
    this.player = new Player(this.audio, (index) => this.#highlight(index));
    this.player.sentences = this.sentences;
    this.audio.addEventListener("error", () => this.#playableNoMore());
    this.#part(".remove").addEventListener("click", () => {
      this.element.closest("section").focus(); // this button is going
      onRemove();
    });
  }

  /** Whether it offers to be cancelled or removed itself. */
  setRemovable(removable) {
    this.#part(".remove").hidden = !removable;
  }

  /** Say what is going on. */
  setState(key, values) {
    say(this.#part(".state"), key, values);
  }

  /** Show how much is done, 0 to 1, or null where that is not known. */
  setProgress(share) {
    if (share === null) this.progress.removeAttribute("value");
    else this.progress.value = share;
    this.progress.hidden = false;
  }

  /** Show the sentence that is not settled yet; "" for none. */
  setPartial(text) {
    const inSight = this.#endInSight;
    const partial = this.#part(".partial");
    partial.textContent = text;
    partial.lang = textLanguage(text);
    partial.hidden = text === "";
    if (inSight) partial.scrollIntoView({ block: "nearest" });
  }

  /** Append a sentence; see subtitles.js. */
  addSentence(sentence) {
    const inSight = this.#endInSight;
    this.sentences.push(sentence);
    const row = document.createElement("li");
    const body = document.createElement("div");
    const time = document.createElement("time");
    time.dateTime = `PT${sentence.startMs / 1000}S`;
    time.textContent = readableTime(sentence.startMs);
    const text = document.createElement("span");
    text.textContent = sentence.text;
    text.lang = sentence.language || textLanguage(sentence.text);
    body.className = "sentence";
    body.append(time, text);
    if (sentence.speaker) text.prepend(this.#speakerMark(sentence.speaker));
    if (LANGUAGES[sentence.language]) body.append(languageTag(sentence.language));
    row.append(body);
    this.rows.push(row);
    if (this.playable) this.#makeButton(this.rows.length - 1);
    this.list.append(row);
    if (inSight) row.scrollIntoView({ block: "nearest" });
  }

  /** Say once more whose the sentences are, by turns {speaker, startMs, endMs}. */
  correctSpeakers(turns) {
    this.sentences.forEach((sentence, index) => {
      const speaker = speakerOf(sentence, turns);
      if (speaker === null) return;
      sentence.speaker = speaker;
      const mark = this.rows[index].querySelector(".speaker");
      if (mark) this.speakers.mark(mark, speaker);
      else this.rows[index].querySelector("time + span").prepend(this.#speakerMark(speaker));
    });
    this.speakers.forgetUnused();
  }

  /** Give the sentences their sound. */
  setAudio(blob) {
    this.blob = blob;
    this.playable = true;
    this.player.load(blob);
    this.audio.hidden = false;
    this.rows.forEach((_, index) => this.#makeButton(index));
  }

  /** Length of the sound in ms; null while the browser does not know it. */
  get durationMs() {
    return Number.isFinite(this.audio.duration) ? 1000 * this.audio.duration : null;
  }

  /** Tell the reader of something that went wrong; `detail` is what the server says of it. */
  warn(key, detail = "") {
    const notice = this.#part(".notice");
    notice.hidden = false; // before the text, or screen readers miss it
    say(notice.querySelector(".message"), key);
    notice.querySelector(".detail").textContent = detail;
    notice.querySelector("details").hidden = detail === "";
  }

  /** It ends before everything is there. */
  fail(key, detail) {
    this.warn(key, detail);
    this.#end("failed");
  }

  /** Everything is there. */
  complete() {
    this.#end(this.sentences.length ? "complete" : "completeSilent");
  }

  /** Take it off the page. */
  remove() {
    this.player.close();
    this.element.remove();
  }

  /** Whether the reader follows the text of a recording: its end is on the screen. */
  get #endInSight() {
    if (this.list.ariaLive === "off") return false;
    const { bottom } = this.element.getBoundingClientRect();
    return bottom > 0 && bottom < window.innerHeight + FOLLOWED_PX;
  }

  /** The sentences as they are saved: with the names that the reader gave. */
  get #named() {
    return this.sentences.map((sentence) =>
      sentence.speaker
        ? { ...sentence, speaker: this.speakers.nameOf(sentence.speaker) }
        : sentence,
    );
  }

  #speakerMark(speaker) {
    const mark = document.createElement("span");
    mark.className = "speaker";
    this.speakers.mark(mark, speaker);
    return mark;
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }

  /** Name the controls by the title, in whatever language it is. */
  #connectNames() {
    count += 1;
    this.title.id = `transcript-${count}`;
    this.element.setAttribute("aria-labelledby", this.title.id);
    for (const part of [this.list, this.audio, this.progress]) {
      part.setAttribute("aria-labelledby", this.title.id);
    }
    const button = this.#part(".remove");
    button.id = `${this.title.id}-remove`;
    button.setAttribute("aria-labelledby", `${button.id} ${this.title.id}`);
  }

  #end(stateKey) {
    this.setState(stateKey);
    say(this.#part(".remove"), "remove");
    this.progress.hidden = true;
    this.#offerDownloads();
  }

  #offerDownloads() {
    const group = this.#part(".downloads");
    const offer = (key, format, action) => {
      const button = document.createElement("button");
      button.type = "button";
      say(button, key, { format });
      button.addEventListener("click", () => action(button));
      group.append(button);
    };
    if (this.sentences.length) {
      for (const [format, mediaType, write] of TEXT_FORMATS) {
        offer("download", format.toUpperCase(), () =>
          this.#save(new Blob([write(this.#named)], { type: mediaType }), format),
        );
      }
      if (navigator.clipboard) {
        offer("copy", "", async (button) => {
          await navigator.clipboard.writeText(toTxt(this.#named));
          say(button, "copied");
        });
      }
    }
    // What was recorded exists nowhere else.
    if (this.blob && !(this.blob instanceof File)) {
      offer("download", "WAV", () => this.#save(this.blob, "wav"));
    }
    group.hidden = !group.children.length;
  }

  #save(blob, extension) {
    save(blob, `${this.baseName}.${extension}`);
  }

  #makeButton(index) {
    const body = this.rows[index].firstElementChild;
    const button = document.createElement("button");
    button.type = "button";
    button.className = body.className;
    button.setAttribute("aria-describedby", "play-hint");
    button.append(...body.childNodes);
    button.addEventListener("click", () => this.player.toggle(index));
    body.replaceWith(button);
  }

  /** The browser does not know the format: the text stays, without its sound. */
  #playableNoMore() {
    this.playable = false;
    this.audio.hidden = true;
    for (const row of this.rows) {
      const body = document.createElement("div");
      body.className = "sentence";
      body.append(...row.firstElementChild.childNodes);
      row.firstElementChild.replaceWith(body);
    }
    const note = document.createElement("p");
    note.className = "hint";
    say(note, "notPlayable");
    this.audio.after(note);
  }

  #highlight(heard) {
    this.rows.forEach((row, index) => {
      if (index === heard) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
    if (heard >= 0) this.rows[heard].scrollIntoView({ block: "nearest" });
  }
}
