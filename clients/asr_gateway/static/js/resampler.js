/**
 * Changes the sample rate of a signal that comes in pieces: a windowed sinc (Kaiser), one filter
 * for each phase of the rational ratio of the rates. Any cutting of the input gives the same
 * output.
 */

const ZERO_CROSSINGS = 24; // of the sinc on each side, at the lower of the two rates
const KAISER_BETA = 8; // side lobes below -80 dB
const PASS_BAND = 0.93; // of the lower Nyquist frequency; the rest is the filter's slope

export class Resampler {
  /**
   * @param {number} inputRate in Hz, an integer.
   * @param {number} outputRate in Hz, an integer.
   */
  constructor(inputRate, outputRate) {
    const divisor = greatestCommonDivisor(inputRate, outputRate);
    this.up = outputRate / divisor;
    this.down = inputRate / divisor;
    const cutoff = PASS_BAND * Math.min(1, outputRate / inputRate);
    this.half = Math.ceil(ZERO_CROSSINGS / Math.min(1, outputRate / inputRate));
    this.filters = makeFilters(this.up, this.half, cutoff);
    this.input = new Float32Array(this.half - 1); // silence before the first sample
    this.position = 0; // of the next output sample in `input`, without its fraction
    this.phase = 0; // that fraction, in 1 / up
  }

  /**
   * Take samples and return those that are settled.
   *
   * @param {Float32Array} samples
   * @returns {Float32Array}
   */
  push(samples) {
    const input = new Float32Array(this.input.length + samples.length);
    input.set(this.input);
    input.set(samples, this.input.length);
    const output = [];
    const taps = 2 * this.half;
    while (this.position + taps <= input.length) {
      const filter = this.filters[this.phase];
      let sum = 0;
      for (let tap = 0; tap < taps; tap += 1) sum += filter[tap] * input[this.position + tap];
      output.push(sum);
      this.phase += this.down;
      this.position += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    const used = Math.min(this.position, input.length);
    this.input = input.slice(used);
    this.position -= used;
    return Float32Array.from(output);
  }

  /** Return the last samples; nothing can follow. */
  flush() {
    return this.push(new Float32Array(this.half));
  }
}

/**
 * Return a filter for each phase. Its tap k weighs the input sample k - (half - 1) steps from the
 * whole part of the output's position.
 */
function makeFilters(up, half, cutoff) {
  return Array.from({ length: up }, (_, phase) => {
    const filter = new Float64Array(2 * half);
    for (let tap = 0; tap < filter.length; tap += 1) {
      const distance = tap - (half - 1) - phase / up;
      filter[tap] = cutoff * sinc(cutoff * distance) * kaiser(distance / half);
    }
    const sum = filter.reduce((total, value) => total + value, 0);
    return filter.map((value) => value / sum); // a constant stays the same in every phase
  });
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(x) {
  return Math.abs(x) >= 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA);
}

/** Modified Bessel function of the first kind and order 0, by its power series. */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
