// Waveform and mel spectrogram on canvases that share their time axis.

import { BANDS, FLOOR, HOP, Mel } from "./mel.js";

const BLOCK = 128; // samples whose extremes are kept together
const QUIET = 0.25; // amplitude up to which a waveform is not drawn larger

export class Pictures {
  constructor(waveform, mel, playhead) {
    Object.assign(this, { waveform, melCanvas: mel, playhead });
    this.clear(1);
    new ResizeObserver(() => this.redraw()).observe(waveform);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  clear(rate) {
    this.rate = rate;
    this.length = 0; // samples
    this.shown = 1; // samples that fill the width
    this.extremes = []; // least and greatest of each block, in turn
    this.peak = QUIET;
    this.rest = new Float32Array(0);
    this.mel = new Mel(rate);
    this.column = -1;
    this.redraw();
  }

  /** Add samples; `shown` is the number of samples that the width stands for. */
  append(samples, shown) {
    const all = new Float32Array(this.rest.length + samples.length);
    all.set(this.rest);
    all.set(samples, this.rest.length);
    let start = 0;
    for (; start + BLOCK <= all.length; start += BLOCK) {
      const block = all.subarray(start, start + BLOCK);
      const [low, high] = [Math.min(...block), Math.max(...block)];
      this.extremes.push(low, high);
      this.peak = Math.max(this.peak, -low, high);
    }
    this.rest = all.slice(start);
    this.mel.append(samples);
    this.length += samples.length;
    this.show(shown);
  }

  show(shown) {
    this.shown = Math.max(shown, this.length, 1);
    this.redraw();
  }

  redraw() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.drawMel();
      this.column = -1;
      this.move(this.seconds ?? 0);
    });
  }

  /** Move the playhead to a time in seconds. */
  move(seconds) {
    this.seconds = seconds;
    const share = Math.min((seconds * this.rate) / this.shown, 1);
    this.playhead.style.transform = `translateX(${share * Math.max(this.waveform.clientWidth - 2, 0)}px)`;
    const column = Math.round(share * this.waveform.clientWidth);
    if (column !== this.column) this.drawWaveform(column);
    this.column = column;
  }

  drawWaveform(played) {
    const { context, width, height, scale } = fitted(this.waveform);
    const style = getComputedStyle(this.waveform);
    const colors = [style.getPropertyValue("--accent"), style.getPropertyValue("--wave-rest")];
    const blocks = this.extremes.length / 2;
    const perPixel = this.shown / BLOCK / width;
    context.clearRect(0, 0, width, height);
    for (let x = 0; x < width && x * perPixel < blocks; x++) {
      const first = Math.floor(x * perPixel);
      const last = Math.min(Math.max(first + 1, Math.floor((x + 1) * perPixel)), blocks);
      let [low, high] = [0, 0];
      for (let i = first; i < last; i++) {
        low = Math.min(low, this.extremes[2 * i]);
        high = Math.max(high, this.extremes[2 * i + 1]);
      }
      const [top, bottom] = [high, low].map((value) => (0.5 - (0.46 * value) / this.peak) * height);
      context.fillStyle = colors[x < played * scale ? 0 : 1];
      context.fillRect(x, top, 1, Math.max(bottom - top, scale));
    }
  }

  drawMel() {
    const { context, width, height } = fitted(this.melCanvas);
    context.clearRect(0, 0, width, height);
    const frames = this.mel.frames;
    const perPixel = this.shown / HOP / width;
    const columns = Math.min(width, Math.ceil(frames.length / perPixel));
    if (!columns) return;
    const image = new ImageData(columns, BANDS);
    const palette = colors(matchMedia("(prefers-color-scheme: dark)").matches);
    for (let x = 0; x < columns; x++) {
      const first = Math.min(Math.floor(x * perPixel), frames.length - 1);
      const last = Math.min(Math.max(first + 1, Math.floor((x + 1) * perPixel)), frames.length);
      for (let band = 0; band < BANDS; band++) {
        let level = FLOOR;
        for (let i = first; i < last; i++) level = Math.max(level, frames[i][band]);
        const color = palette[Math.round(255 * Math.min(1, (level - FLOOR) / (TOP - FLOOR)))];
        image.data.set(color, 4 * ((BANDS - 1 - band) * columns + x));
      }
    }
    const small = new OffscreenCanvas(columns, BANDS);
    small.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(small, 0, 0, columns, height);
  }
}

const TOP = -22; // decibels of the strongest color

const STOPS = {
  light: ["#fbfcfc", "#d9ecea", "#8fcbc5", "#2f9490", "#0b5f62", "#06262f"],
  dark: ["#121618", "#12323a", "#0d6068", "#35a39b", "#a5d99f", "#fbf6c4"],
};

/** Return 256 colors [r, g, b, a] from silence to the strongest level. */
function colors(isDark) {
  const stops = STOPS[isDark ? "dark" : "light"].map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const index = Math.min(Math.floor(at), stops.length - 2);
    return [...stops[index].map((value, c) => value + (at - index) * (stops[index + 1][c] - value)), 255];
  });
}

/** Give a canvas as many pixels as the screen has for it. */
function fitted(canvas) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((size) => Math.max(Math.round(size * scale), 1));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { context: canvas.getContext("2d"), width, height, scale };
}
