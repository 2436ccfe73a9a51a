// Note what a page plays and which words it lights up, without changing either.
const notes = { played: [], peak: 0, marks: [] };
globalThis.notes = notes;

const { start } = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.start = function (at, ...rest) {
  const samples = [...this.buffer.getChannelData(0)];
  notes.played.push({ at, rate: this.buffer.sampleRate, samples });
  return start.call(this, at, ...rest);
};

// An analyser beside the speakers sees what really sounds.
const { connect } = AudioNode.prototype;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode) {
    const analyser = this.context.createAnalyser();
    connect.call(this, analyser);
    const samples = new Float32Array(analyser.fftSize);
    const look = () => {
      analyser.getFloatTimeDomainData(samples);
      notes.peak = Math.max(notes.peak, ...samples.map(Math.abs));
      if (!notes.peak) setTimeout(look, 20);
    };
    look();
  }
  return connect.call(this, target, ...rest);
};

addEventListener("DOMContentLoaded", () => {
  const mirror = document.getElementById("mirror");
  if (!mirror) return;
  new MutationObserver(() => {
    const mark = mirror.querySelector("mark");
    const word = mark && { text: mark.textContent, before: mirror.firstChild.textContent };
    if (word && notes.marks.at(-1)?.before !== word.before) notes.marks.push(word);
  }).observe(mirror, { childList: true, subtree: true, characterData: true });
});
