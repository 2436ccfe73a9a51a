// Mel spectrogram of samples that arrive in parts: 1,024 samples each 256, 64 bands, in decibels.

export const WINDOW = 1024;
export const HOP = 256;
export const BANDS = 64;
export const FLOOR = -88; // decibels that are drawn as silence

export class Mel {
  constructor(rate) {
    this.filters = filterbank(rate);
    this.rest = new Float32Array(0);
    this.frames = []; // Float32Array (BANDS,) each
  }

  append(samples) {
    const all = new Float32Array(this.rest.length + samples.length);
    all.set(this.rest);
    all.set(samples, this.rest.length);
    let start = 0;
    for (; start + WINDOW <= all.length; start += HOP) this.frames.push(this.frame(all.subarray(start, start + WINDOW)));
    this.rest = all.slice(start);
  }

  frame(samples) {
    const power = powerSpectrum(samples);
    return Float32Array.from(this.filters, ({ first, weights }) => {
      const sum = weights.reduce((total, weight, i) => total + weight * power[first + i], 0);
      return Math.max(FLOOR, 10 * Math.log10(sum + 1e-12));
    });
  }
}

const HANN = Float32Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW));
const COS = Float64Array.from({ length: WINDOW / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / WINDOW));
const SIN = Float64Array.from({ length: WINDOW / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / WINDOW));
const BITS = Math.log2(WINDOW);
const REVERSED = Uint16Array.from({ length: WINDOW }, (_, i) => {
  let reversed = 0;
  for (let bit = 0; bit < BITS; bit++) reversed |= ((i >> bit) & 1) << (BITS - 1 - bit);
  return reversed;
});

/** Return the power of each frequency (WINDOW / 2 + 1,); 1 is that of a sine of amplitude 1 at its peak. */
export function powerSpectrum(samples) {
  const real = Float64Array.from(REVERSED, (i) => samples[i] * HANN[i]);
  const imaginary = new Float64Array(WINDOW);
  for (let half = 1; half < WINDOW; half *= 2) {
    const step = WINDOW / (2 * half);
    for (let start = 0; start < WINDOW; start += 2 * half) {
      for (let i = 0; i < half; i++) {
        const [even, odd] = [start + i, start + i + half];
        const [cos, sin] = [COS[i * step], -SIN[i * step]];
        const re = real[odd] * cos - imaginary[odd] * sin;
        const im = real[odd] * sin + imaginary[odd] * cos;
        real[odd] = real[even] - re;
        imaginary[odd] = imaginary[even] - im;
        real[even] += re;
        imaginary[even] += im;
      }
    }
  }
  const scale = (4 / WINDOW) ** 2; // a Hann window halves the amplitude, and a sine is in two bins
  return Float64Array.from({ length: WINDOW / 2 + 1 }, (_, i) => scale * (real[i] ** 2 + imaginary[i] ** 2));
}

/** Return triangular filters, evenly spaced in mels (O'Shaughnessy), from 0 Hz to half the rate. */
export function filterbank(rate) {
  const toMel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
  const toHertz = (mel) => 700 * (10 ** (mel / 2595) - 1);
  const edges = Array.from({ length: BANDS + 2 }, (_, i) => toHertz((i / (BANDS + 1)) * toMel(rate / 2)));
  const bins = edges.map((hertz) => (hertz * WINDOW) / rate);
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, peak, high] = bins.slice(band, band + 3);
    const first = Math.floor(low);
    const last = Math.min(Math.ceil(high), WINDOW / 2);
    const weights = Array.from({ length: last - first + 1 }, (_, i) => {
      const bin = first + i;
      return Math.max(0, Math.min((bin - low) / (peak - low), (high - bin) / (high - peak)));
    });
    // A narrow filter may lie between two frequencies; it takes the nearest.
    if (!weights.some(Boolean)) return { first: Math.round(peak), weights: [1] };
    return { first, weights };
  });
}
