/** Transcribes files one after the other, so that each is done as early as can be. */

import { readableTime } from "./clock.js";
import { explain, transcriptionsUrl } from "./server.js";
import { Upload } from "./upload.js";

export class FileQueue {
  /**
   * @param {(transcript: Transcript, failureKey?: string) => void} onDone
   */
  constructor(onDone) {
    this.onDone = onDone;
    this.waiting = [];
    this.current = null;
  }

  /** Append a file with the options of GatewaySettings and the transcript that shows it. */
  add(file, options, transcript) {
    transcript.setAudio(file);
    transcript.setState("waitingForTurn");
    transcript.setProgress(0);
    this.waiting.push({ file, options, transcript });
    if (!this.current) this.#next();
  }

  /** Stop a file, or take it out of the queue. */
  cancel(transcript) {
    this.waiting = this.waiting.filter((job) => job.transcript !== transcript);
    if (this.current?.transcript === transcript) {
      this.current.upload.abort();
      this.#next();
    }
  }

  #next() {
    this.current = this.waiting.shift() ?? null;
    if (!this.current) return;
    const { file, options, transcript } = this.current;
    if (file.size === 0) {
      this.#end(["emptyFile", {}]);
      return;
    }
    transcript.setState("sending");
    this.current.upload = new Upload(transcriptionsUrl(), file, options, {
      onSent: (share) => showSending(transcript, share),
      onSentence: (sentence) => showSentence(transcript, sentence),
      onWarning: (message) => transcript.warn("serverNotice", { message }),
      onComplete: () => this.#end(null),
      onFailure: ({ status, message, code }) => this.#end(explain(status, message, code)),
    });
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
  transcript.setState("recognisedUntil", { time: readableTime(sentence.endMs) });
  transcript.setProgress(duration ? Math.min(1, sentence.endMs / duration) : null);
}
