/** A recording from its first sound to its last sentence: microphone, websocket and transcript. */

import { readableTime } from "./clock.js";
import { FunasrSocket } from "./funasr_socket.js";
import { Microphone } from "./microphone.js";
import { SAMPLE_RATE, toWav } from "./pcm.js";
import { explainRefusal, socketUrl } from "./server.js";

const SILENCE_DB = -60; // where the level meter begins

export class Recording {
  /**
   * @param {object} options of GatewaySettings.
   * @param {Transcript} transcript
   * @param {object} events
   * @param {(level: number, elapsed: string) => void} events.onLevel 0 to 1, and the time so far.
   * @param {() => void} events.onMicrophoneClosed recognition may go on.
   * @param {(failureKey?: string) => void} events.onEnd
   */
  constructor(options, transcript, events) {
    this.options = options;
    this.transcript = transcript;
    this.events = events;
    this.frames = [];
    this.samples = 0;
    this.socket = null;
    this.ended = false;
    this.stopping = false;
    this.listening = true;
    this.microphone = new Microphone(
      (pcm, levelDb) => this.#heard(pcm, levelDb),
      () => this.#lost(),
    );
  }

  /**
   * Open the microphone, then the connection.
   *
   * @throws {MicrophoneError}
   */
  async start() {
    try {
      await this.microphone.open();
    } catch (error) {
      if (!this.ended) throw error;
    }
    if (this.ended) {
      this.microphone.close(); // cancelled while the browser was asking
      return;
    }
    this.transcript.setState("recording");
    this.socket = new FunasrSocket(socketUrl(this.options.apiKey), this.options, {
      onPartial: (text) => this.transcript.setPartial(text),
      onSentence: (sentence) => this.transcript.addSentence(sentence),
      onSpeakers: (turns) => this.transcript.correctSpeakers(turns),
      onWarning: (message) => this.transcript.warn("serverNotice", message),
      onComplete: () => this.#complete(),
      onFailure: (failure) => this.#fail(failure),
    });
    for (const pcm of this.frames) this.socket.send(pcm);
  }

  /** Whether the microphone is open. */
  get started() {
    return this.socket !== null;
  }

  /** Stop the microphone and wait for the rest of the text. */
  async stop() {
    if (this.stopping) return;
    this.stopping = true;
    this.transcript.setState("finishing");
    await this.microphone.stop();
    if (!this.ended) this.socket.end();
    this.#closeMicrophone();
  }

  /** Forget everything. */
  cancel() {
    this.#end();
    this.socket?.abort();
  }

  #heard(pcm, levelDb) {
    if (this.ended) return;
    this.frames.push(pcm);
    this.samples += pcm.length;
    this.socket?.send(pcm);
    const level = Math.max(0, 1 - levelDb / SILENCE_DB);
    this.events.onLevel(level, readableTime((1000 * this.samples) / SAMPLE_RATE));
  }

  #lost() {
    this.transcript.warn("microphoneLost");
    this.stop();
  }

  #complete() {
    this.#end();
    this.#keepSound();
    this.transcript.setPartial(""); // of a stretch in which the second pass heard nothing
    this.transcript.complete();
    this.events.onEnd();
  }

  async #fail({ opened, message }) {
    this.#end();
    this.#keepSound();
    const reason = opened
      ? message
        ? ["serverError", message]
        : ["connectionLost", ""]
      : await explainRefusal(this.options.apiKey);
    this.transcript.fail(...reason);
    this.events.onEnd(reason[0]);
  }

  #keepSound() {
    if (this.samples) this.transcript.setAudio(toWav(this.frames));
  }

  #end() {
    this.ended = true;
    this.#closeMicrophone();
  }

  #closeMicrophone() {
    if (!this.listening) return;
    this.listening = false;
    this.microphone.close();
    this.events.onMicrophoneClosed();
  }
}
