/**
 * Writes sentences as plain text and as subtitles (SRT, WebVTT), with the same cues as
 * `asr_client.text.subtitles`, so that a file from this page equals one from the server.
 *
 * A sentence is {text, startMs, endMs, words: {startMs, endMs}[], speaker}; `words` are those of
 * `textUnits(text)` in order, or empty; `speaker` is a name, or missing.
 */

import { textUnits } from "./text_units.js";

// Two lines of 42 letters, or of 21 Chinese characters, which are twice as wide.
const LINE_COLUMNS = 42;
// Where a reader pauses, and what belongs to the word behind it.
const CLAUSE_ENDS = new Set(",.;:!?…，。；：！？、—");
const OPENING = new Set("\"'([{<“‘（《〈「『【¿¡");
// How far from the middle, as a share of the width, a break at a pause is better than another.
const PAUSE_BONUS = 0.25;

// East Asian Width W and F (Unicode), for the scripts that speech recognition writes.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const COMBINING = /\p{Mn}/u;

/** Return the sentences as text, one a line. */
export function toTxt(sentences) {
  return sentences.map((sentence) => `${marked(squeeze(sentence.text), sentence)}\n`).join("");
}

/** Return a SubRip file. */
export function toSrt(sentences) {
  return makeCues(sentences)
    .map((cue, index) => {
      // SubRip cannot escape anything; only its arrow would break the file.
      const text = marked(cue.lines.join("\n").replace(/-+->/g, "->"), cue);
      return `${index + 1}\n${clock(cue.startMs, ",")} --> ${clock(cue.endMs, ",")}\n${text}\n\n`;
    })
    .join("");
}

/** Return a WebVTT file. */
export function toVtt(sentences) {
  const cues = makeCues(sentences).map((cue) => {
    const text = cue.lines.join("\n");
    const voice = cue.speaker ? `<v ${escape(cue.speaker)}>` : "";
    return `${clock(cue.startMs, ".")} --> ${clock(cue.endMs, ".")}\n${voice}${escape(text)}\n\n`;
  });
  return `WEBVTT\n\n${cues.join("")}`;
}

/** Return a text behind the name of who says it. */
function marked(text, { speaker }) {
  return speaker ? `[${speaker}] ${text}` : text;
}

/** Return a text for WebVTT. */
function escape(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/**
 * Return the cues of sentences in order of time, none empty and none overlapping.
 *
 * A sentence that does not fit into two lines becomes several cues, split near the middle and at
 * punctuation if possible, each with the time of its words; without word times the sentence's
 * time is shared by width.
 *
 * @returns {{lines: string[], startMs: number, endMs: number, speaker?: string}[]}
 */
export function makeCues(sentences) {
  const cues = [];
  let latestMs = 0;
  for (const sentence of sentences) {
    const text = [...squeeze(sentence.text)];
    const units = textUnits(text.join(""));
    const timed = units.length === sentence.words.length;
    const lengthMs = Math.max(sentence.endMs - sentence.startMs, 0);
    const timeAt = (position) =>
      sentence.startMs +
      Math.floor((lengthMs * columns(text.slice(0, position))) / columns(text));
    for (const [first, last] of pieces(text, units)) {
      let startMs = timeAt(first);
      let endMs = timeAt(last);
      const inside = sentence.words.filter(
        (_, index) => timed && units[index].end > first && units[index].start < last,
      );
      if (inside.length) {
        startMs = inside[0].startMs;
        endMs = inside[inside.length - 1].endMs;
      }
      if (first === 0) startMs = Math.min(startMs, sentence.startMs);
      if (last === text.length) endMs = Math.max(endMs, sentence.endMs);
      startMs = Math.max(startMs, latestMs);
      latestMs = Math.max(endMs, startMs + 1); // players drop cues without length
      const lines = twoLines(text.slice(first, last));
      cues.push({ lines, startMs, endMs: latestMs, speaker: sentence.speaker });
    }
  }
  return cues;
}

function squeeze(text) {
  return text.trim().split(/\s+/u).join(" ");
}

function clock(timeMs, point) {
  const padded = (number, digits) => String(number).padStart(digits, "0");
  const seconds = Math.floor(timeMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return (
    `${padded(hours, 2)}:${padded(minutes % 60, 2)}:${padded(seconds % 60, 2)}` +
    `${point}${padded(timeMs % 1000, 3)}`
  );
}

/** Return the width of characters in columns of a Latin letter. */
function columns(characters) {
  return characters.reduce((sum, character) => sum + characterColumns(character), 0);
}

function characterColumns(character) {
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Split characters into stretches [first, last + 1] that fit into a cue each. */
function pieces(text, units) {
  const found = [];
  const waiting = [[0, text.length]];
  while (waiting.length) {
    const [first, last] = waiting.pop();
    const lines = twoLines(text.slice(first, last));
    if (lines.every((line) => columns([...line]) <= LINE_COLUMNS)) {
      if (text.slice(first, last).join("").trim()) found.push([first, last]);
    } else {
      const inside = units.filter((unit) => first <= unit.start && unit.start < last);
      const position = bestBreak(text, first, last, inside);
      waiting.push([position, last], [first, position]);
    }
  }
  return found;
}

/** Return characters as one line, or as two of about the same width. */
function twoLines(characters) {
  const line = characters.join("").trim();
  const text = [...line];
  if (columns(text) <= LINE_COLUMNS) return [line];
  const position = bestBreak(text, 0, text.length, textUnits(line));
  return [text.slice(0, position).join("").trimEnd(), text.slice(position).join("").trimStart()];
}

/**
 * Return where to break text[first:last]: near the middle, at a pause if there is one; never
 * inside a word or figure nor before punctuation, unless there is no other place.
 */
function bestBreak(text, first, last, units) {
  const widths = [0];
  for (let index = first; index < last; index += 1) {
    widths.push(widths[index - first] + characterColumns(text[index]));
  }
  const total = Math.max(widths[last - first], 1);
  const badness = (position) => {
    const offMiddle = Math.abs(widths[position - first] / total - 0.5);
    const before = text.slice(first, position).join("").trimEnd();
    return offMiddle - (CLAUSE_ENDS.has(before.slice(-1)) ? PAUSE_BONUS : 0);
  };
  let places = breaks(text, first, units);
  if (!places.length) {
    places = Array.from({ length: last - first - 1 }, (_, index) => first + 1 + index);
  }
  return places.reduce((best, place) => (badness(place) < badness(best) ? place : best));
}

/** Return the places behind `first` where a line may end. */
function breaks(text, first, units) {
  const places = [];
  for (const unit of units) {
    let position = unit.start;
    while (position > first && OPENING.has(text[position - 1])) position -= 1;
    if (position > first) {
      const [before, after] = [text[position - 1], text[position]];
      if (before === " " || characterColumns(before) === 2 || characterColumns(after) === 2) {
        places.push(position);
      }
    }
  }
  return places;
}
