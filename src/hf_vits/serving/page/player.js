// Play samples while more of them arrive, gaplessly, and know which one is heard.

const LEAD = 0.06; // seconds between scheduling and sound, so that the first samples are not late
const REFILL = 0.25; // seconds to wait after playing all that had arrived

export class Player {
  /** `onEnd` is called when the last sample was heard. */
  constructor(onEnd) {
    this.onEnd = onEnd;
    this.context = null;
    this.clear();
  }

  clear() {
    this.stop();
    this.chunks = []; // {samples, from}, from in samples
    this.length = 0;
    this.isComplete = false;
    this.from = 0; // samples, where playing goes on
  }

  /** Prepare to play at a rate in hertz; within a click or key press, as browsers demand. */
  open(rate) {
    if (this.context?.sampleRate !== rate) {
      this.context?.close();
      this.context = new AudioContext({ sampleRate: rate }); // of the voice: chunks are not resampled one by one
    }
    this.context.resume();
  }

  get rate() { return this.context?.sampleRate ?? 1; }
  get duration() { return this.length / this.rate; }

  append(samples) {
    if (!samples.length) return;
    const chunk = { samples, from: this.length };
    this.chunks.push(chunk);
    this.length += samples.length;
    if (this.isPlaying) this.schedule(chunk, chunk.from);
  }

  /** Say that nothing more will be appended. */
  complete() {
    this.isComplete = true;
    if (this.isPlaying) this.awaitEnd();
  }

  play() {
    if (this.isPlaying || !this.context) return;
    if (this.isComplete && this.from >= this.length) this.from = 0;
    this.context.resume();
    this.isPlaying = true;
    this.next = this.context.currentTime + LEAD;
    for (const chunk of this.chunks) {
      const end = chunk.from + chunk.samples.length;
      if (end > this.from) this.schedule(chunk, Math.max(chunk.from, this.from));
    }
    if (this.isComplete) this.awaitEnd();
  }

  pause() {
    this.from = this.sample();
    this.stop();
  }

  seek(seconds) {
    const wasPlaying = this.isPlaying;
    this.stop();
    this.from = Math.min(Math.max(Math.round(seconds * this.rate), 0), this.length);
    if (wasPlaying) this.play();
  }

  stop() {
    for (const { source } of this.scheduled ?? []) {
      source.onended = null;
      source.stop();
    }
    this.scheduled = [];
    this.isPlaying = false;
  }

  /** Return the seconds of speech that have been heard. */
  position() { return this.sample() / this.rate; }

  sample() {
    if (!this.isPlaying) return this.from;
    const now = this.context.currentTime - (this.context.outputLatency || 0);
    const last = this.scheduled.findLast((part) => part.at <= now);
    if (!last) return this.scheduled[0]?.from ?? this.from;
    return Math.min(last.from + Math.round((now - last.at) * this.rate), last.to);
  }

  schedule(chunk, from) {
    const samples = chunk.samples.subarray(from - chunk.from);
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    if (this.next < this.context.currentTime) this.next = this.context.currentTime + REFILL;
    source.start(this.next);
    this.scheduled.push({ source, at: this.next, from, to: from + samples.length });
    this.next += samples.length / this.rate;
  }

  awaitEnd() {
    const last = this.scheduled.at(-1);
    const end = () => {
      this.stop();
      this.from = this.length;
      this.onEnd();
    };
    if (!last || this.next <= this.context.currentTime) end();
    else last.source.onended = end;
  }
}

/** Return a WAV file of 16-bit samples. */
export function wav(chunks, length, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * length));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * length, true);
  let at = 44;
  for (const { samples } of chunks) {
    for (const sample of samples) {
      view.setInt16(at, Math.max(-32768, Math.min(32767, Math.round(sample * 32768))), true);
      at += 2;
    }
  }
  return new Blob([view], { type: "audio/wav" });
}
