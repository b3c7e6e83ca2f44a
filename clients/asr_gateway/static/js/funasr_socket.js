/**
 * One utterance over FunASR's websocket protocol in 2pass mode: partial text while somebody
 * speaks, then each sentence as the second pass recognises it.
 */

import { SAMPLE_RATE } from "./pcm.js";
import { textUnits } from "./text_units.js";

const CHUNK_SIZE = [5, 10, 5]; // look-back, current, look-ahead in frames of 60 ms
const NORMAL_CLOSURE = 1000;

export class FunasrSocket {
  /**
   * @param {URL} url of the websocket.
   * @param {object} options {model, onlineModel, language, itn, hotwords, speakers} as settings.js has them.
   * @param {object} events
   * @param {(text: string) => void} events.onPartial the unsettled sentence so far.
   * @param {(sentence: object) => void} events.onSentence see subtitles.js.
   * @param {(turns: object[]) => void} events.onSpeakers who spoke when, at the end, see
   *     speakers.js.
   * @param {(message: string) => void} events.onWarning the server did not do all it was asked.
   * @param {() => void} events.onComplete everything that was sent is recognised.
   * @param {(failure: {opened: boolean, message: string}) => void} events.onFailure
   */
  constructor(url, options, events) {
    this.options = options;
    this.events = events;
    this.waiting = []; // what was said before the connection was there
    this.partial = "";
    this.partialIndex = null; // of the stretch of speech that it belongs to
    this.sentMs = 0;
    this.settledMs = 0;
    this.opened = false;
    this.ended = false;
    this.socket = new WebSocket(url);
    this.socket.onopen = () => this.#begin();
    this.socket.onmessage = ({ data }) => this.#receive(data);
    this.socket.onclose = (event) => this.#closed(event);
  }

  /** Send a frame of PCM. */
  send(pcm) {
    this.sentMs += (1000 * pcm.length) / SAMPLE_RATE;
    this.#transmit(pcm);
  }

  /** Say that no more audio follows; `onComplete` comes when all is recognised. */
  end() {
    this.#transmit(JSON.stringify({ is_speaking: false, is_end: true }));
  }

  /** Close without waiting for anything; no event follows. */
  abort() {
    this.ended = true;
    this.socket.close(NORMAL_CLOSURE);
  }

  #begin() {
    this.opened = true;
    const { model, onlineModel, language, itn, hotwords, speakers } = this.options;
    const first = {
      mode: "2pass",
      wav_name: "microphone",
      is_speaking: true,
      chunk_size: CHUNK_SIZE,
      audio_fs: SAMPLE_RATE,
      itn,
      svs_itn: itn,
      svs_lang: language,
      model,
      online_model: onlineModel,
    };
    if (hotwords) first.hotwords = hotwords;
    if (speakers) first.speakers = speakers;
    this.socket.send(JSON.stringify(first));
    for (const data of this.waiting.splice(0)) this.socket.send(data);
  }

  #transmit(data) {
    if (this.opened) this.socket.send(data);
    else this.waiting.push(data);
  }

  #receive(data) {
    if (this.ended || typeof data !== "string") return;
    const message = JSON.parse(data);
    if (message.warning) this.events.onWarning(message.warning);
    // What a field was refused for costs nothing else; a failure is final, or answers the end.
    const isFailure = message.error && (message.is_final || message.is_end);
    if (message.error && !isFailure) this.events.onWarning(message.error);
    else if (isFailure) this.#finish(() => this.events.onFailure(failure(true, message.error)));
    else if (message.is_end) this.#finish(() => this.events.onComplete());
    else if (message.mode === "2pass-online") this.#growPartial(message);
    else {
      if (message.text) this.#settle(message);
      if (message.spk_turns) this.events.onSpeakers(message.spk_turns.map(toTurn));
    }
  }

  #growPartial({ text, index }) {
    // Where the second pass heard nothing, no sentence replaces what was there.
    this.partial = index === this.partialIndex ? this.partial + text : text;
    this.partialIndex = index;
    this.events.onPartial(this.partial);
  }

  #settle(message) {
    this.partial = "";
    this.events.onPartial("");
    const sentence = toSentence(message, this.settledMs, this.sentMs);
    this.settledMs = sentence.endMs;
    this.events.onSentence(sentence);
  }

  #closed(event) {
    if (this.ended) return;
    this.#finish(() => this.events.onFailure(failure(this.opened, event.reason)));
  }

  #finish(report) {
    this.ended = true;
    this.socket.close(NORMAL_CLOSURE);
    report();
  }
}

/** Return a turn of the message that ends an utterance as speakers.js has it. */
function toTurn({ spk_name: speaker, start, end }) {
  return { speaker, startMs: start, endMs: end };
}

function failure(opened, message) {
  return { opened, message };
}

/**
 * Return a second-pass message as a sentence. Where the model gives no times, it lasts from the
 * sentence before to what has been sent by now.
 */
function toSentence(message, settledMs, sentMs) {
  // FunASR's field is JSON in a string; a number in it is the connection's time of day.
  const parsed = typeof message.timestamp === "string" ? JSON.parse(message.timestamp) : null;
  const times = Array.isArray(parsed) ? parsed : [];
  const words = times.map(([startMs, endMs]) => ({ startMs, endMs }));
  const timed = words.length === textUnits(message.text).length;
  return {
    text: message.text,
    startMs: message.start_time ?? words[0]?.startMs ?? settledMs,
    endMs: message.end_time ?? words.at(-1)?.endMs ?? sentMs,
    words: timed ? words : [],
    speaker: message.spk_name ?? "",
    language: message.language ?? "", // which SenseVoice hears in each stretch
  };
}
