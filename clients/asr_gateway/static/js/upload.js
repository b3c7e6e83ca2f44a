/** Sends a file to the transcription API and hands out sentences while it is recognised. */

import { EventStreamParser } from "./server_sent_events.js";
import { textUnits } from "./text_units.js";

export class Upload {
  /**
   * @param {URL} url of the transcriptions.
   * @param {File} file
   * @param {{model: string, language: string, itn: boolean, hotwords: string, speakers: string,
   *     apiKey: string}} options
   * @param {object} events
   * @param {(share: number) => void} events.onSent how much of the file has been sent, 0 to 1.
   * @param {(sentence: object) => void} events.onSentence see subtitles.js.
   * @param {(message: string) => void} events.onWarning the server did not do all it was asked.
   * @param {() => void} events.onComplete
   * @param {(failure: {status: number, message: string, code: string}) => void} events.onFailure
   *     `status` is HTTP's, or 0 when the server did not answer; the others are the API's.
   */
  constructor(url, file, options, events) {
    this.events = events;
    this.parser = new EventStreamParser();
    this.read = 0; // letters of the answer
    this.done = false;
    // fetch() does not tell how much of a request has been sent.
    this.request = new XMLHttpRequest();
    this.request.open("POST", url);
    if (options.apiKey) this.request.setRequestHeader("Authorization", `Bearer ${options.apiKey}`);
    this.request.upload.onprogress = ({ loaded, total }) => events.onSent(loaded / total);
    this.request.upload.onload = () => events.onSent(1);
    this.request.onprogress = () => this.#receive();
    this.request.onload = () => this.#finish();
    this.request.onerror = () => this.#fail(0, {});
    this.request.send(form(file, options));
  }

  /** Stop without waiting for anything; no event follows. */
  abort() {
    this.done = true;
    this.request.abort();
  }

  #receive() {
    if (this.request.status !== 200) return;
    const text = this.request.responseText.slice(this.read);
    this.read += text.length;
    for (const data of this.parser.push(text)) {
      if (!this.done && data !== "[DONE]") this.#take(JSON.parse(data));
    }
  }

  #take(event) {
    if (event.error) {
      this.#fail(200, event.error);
      this.request.abort();
    } else if (event.type === "transcript.text.delta") {
      if (event.delta.trim()) this.events.onSentence(toSentence(event));
    } else if (event.type === "transcript.text.done") {
      this.done = true;
      for (const warning of event.warnings ?? []) this.events.onWarning(warning);
      this.events.onComplete();
    }
  }

  #finish() {
    if (this.request.status === 200) {
      this.#receive();
      this.#fail(0, {}); // an answer that broke off; after its last event this does nothing
    } else {
      this.#fail(this.request.status, errorOf(this.request.responseText));
    }
  }

  #fail(status, { message, code }) {
    if (this.done) return;
    this.done = true;
    this.events.onFailure({ status, message: message ?? "", code: code ?? "" });
  }
}

function form(file, { model, language, itn, hotwords, speakers }) {
  const fields = new FormData();
  fields.append("model", model);
  if (language !== "auto") fields.append("language", language);
  if (hotwords) fields.append("prompt", hotwords);
  fields.append("itn", String(itn));
  if (speakers) fields.append("speakers", speakers);
  fields.append("response_format", "verbose_json");
  fields.append("timestamp_granularities[]", "word");
  fields.append("stream", "true");
  fields.append("file", file, file.name); // last, so that a server knows the rest before it
  return fields;
}

/** Return an event's sentence; the API counts in seconds. */
function toSentence({ delta, start, end, words = [], speaker = "" }) {
  const text = delta.trim();
  const timed = words.length === textUnits(text).length;
  return {
    text,
    startMs: milliseconds(start),
    endMs: milliseconds(end),
    words: timed
      ? words.map((word) => ({ startMs: milliseconds(word.start), endMs: milliseconds(word.end) }))
      : [],
    speaker,
  };
}

function milliseconds(seconds) {
  return Math.round(1000 * seconds);
}

function errorOf(body) {
  try {
    return JSON.parse(body).error;
  } catch {
    return {}; // not from the gateway but from something before it
  }
}
