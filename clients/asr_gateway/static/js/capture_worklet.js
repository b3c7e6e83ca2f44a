/** Runs on the browser's audio thread: microphone samples in, frames of 16 kHz PCM out. */

import { SAMPLE_RATE, levelDb, toInt16 } from "./pcm.js";
import { Resampler } from "./resampler.js";

const FRAME_SAMPLES = 960; // 60 ms, a frame of the streaming model

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = sampleRate === SAMPLE_RATE ? null : new Resampler(sampleRate, SAMPLE_RATE);
    this.waiting = new Float32Array(FRAME_SAMPLES);
    this.count = 0;
    this.running = true;
    this.port.onmessage = () => this.finish(); // the only message there is
  }

  process([input]) {
    if (input.length && this.running) {
      this.take(this.resampler ? this.resampler.push(input[0]) : input[0]);
    }
    return this.running;
  }

  take(samples) {
    for (const sample of samples) {
      this.waiting[this.count] = sample;
      this.count += 1;
      if (this.count === FRAME_SAMPLES) this.send();
    }
  }

  send() {
    const pcm = toInt16(this.waiting.subarray(0, this.count));
    this.count = 0;
    this.port.postMessage({ pcm, levelDb: levelDb(pcm) }, [pcm.buffer]);
  }

  finish() {
    if (this.resampler) this.take(this.resampler.flush());
    if (this.count) this.send();
    this.running = false;
    this.port.postMessage({ finished: true });
  }
}

registerProcessor("capture", Capture);
