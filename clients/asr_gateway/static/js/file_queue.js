/** Transcribes files one after the other, so that each is done as early as can be. */

import { readableTime } from "./clock.js";
import { explain, transcriptionsUrl } from "./server.js";
import { Upload } from "./upload.js";

export class FileQueue {
  /**
   * @param {object} events
   * @param {(transcript: Transcript) => void} events.onStart it is this one's turn.
   * @param {(transcript: Transcript, failureKey?: string) => void} events.onDone
   * @param {(number: number, total: number) => void} events.onCount which file it is, of how many;
   *     0 of 0 when all are done.
   */
  constructor({ onStart, onDone, onCount }) {
    this.onStart = onStart;
    this.onDone = onDone;
    this.onCount = onCount;
    this.waiting = [];
    this.current = null;
    this.begun = 0; // since there was nothing to do
  }

  /** Append a file with the options of GatewaySettings and the transcript that shows it. */
  add(file, options, transcript) {
    transcript.setState("waitingForTurn");
    this.waiting.push({ file, options, transcript });
    if (this.current) this.#count();
    else this.#next();
  }

  /** Stop a file, or take it out of the queue. */
  cancel(transcript) {
    this.waiting = this.waiting.filter((job) => job.transcript !== transcript);
    this.#count();
    if (this.current?.transcript === transcript) {
      this.current.upload.abort();
      this.#next();
    }
  }

  #next() {
    this.current = this.waiting.shift() ?? null;
    this.begun = this.current ? this.begun + 1 : 0;
    this.#count();
    if (!this.current) return;
    const { file, options, transcript } = this.current;
    this.onStart(transcript);
    transcript.setAudio(file);
    transcript.setProgress(0);
    if (file.size === 0) {
      this.#end(["emptyFile", ""]);
      return;
    }
    transcript.setState("sending");
    this.current.upload = new Upload(transcriptionsUrl(), file, options, {
      onSent: (share) => showSending(transcript, share),
      onSentence: (sentence) => showSentence(transcript, sentence),
      onWarning: (message) => transcript.warn("serverNotice", message),
      onComplete: () => this.#end(null),
      onFailure: ({ status, message, code }) => this.#end(explain(status, message, code)),
    });
  }

  #count() {
    this.onCount(this.begun, this.current ? this.begun + this.waiting.length : 0);
  }

  #end(failure) {
    const { transcript } = this.current;
    if (failure) transcript.fail(...failure);
    else transcript.complete();
    this.onDone(transcript, failure?.[0]);
    this.#next();
  }
}

function showSending(transcript, share) {
  if (share < 1) {
    transcript.setState("sendingShare", { percent: Math.floor(100 * share) });
    transcript.setProgress(share);
  } else {
    transcript.setState("recognising");
    transcript.setProgress(null);
  }
}

function showSentence(transcript, sentence) {
  const duration = transcript.durationMs;
  transcript.addSentence(sentence);
  const time = readableTime(sentence.endMs);
  if (duration) transcript.setState("recognisedOf", { time, total: readableTime(duration) });
  else transcript.setState("recognisedUntil", { time });
  transcript.setProgress(duration ? Math.min(1, sentence.endMs / duration) : null);
}
