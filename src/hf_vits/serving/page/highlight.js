// Light up the word that is spoken, behind the text as it was written.

export class Highlight {
  constructor(text, mirror) {
    Object.assign(this, { text, mirror });
    this.spoken = Object.assign(document.createElement("span"), { className: "spoken" });
    this.mark = document.createElement("mark");
    this.rest = document.createTextNode("");
    text.addEventListener("scroll", () => this.follow());
    text.addEventListener("input", () => this.clear());
    this.clear();
  }

  /** Forget the words, as when the text changes. */
  clear() {
    this.words = []; // {start, end, from, to}: seconds, and places in the text
    this.written = "";
    this.current = null;
    this.mirror.replaceChildren();
  }

  begin(written) {
    this.clear();
    this.written = written;
  }

  /** Add words with their times, and find each in the text after the one before it. */
  append(words) {
    if (!this.written) return;
    for (const { text, start, end } of words) {
      const from = this.written.indexOf(text, this.words.at(-1)?.to ?? 0);
      if (from >= 0) this.words.push({ start, end, from, to: from + text.length });
    }
  }

  /** Return how much of the text has words with times, 0 to 1. */
  share() {
    return (this.words.at(-1)?.to ?? 0) / Math.max(this.written.trimEnd().length, 1);
  }

  /** Light up the word that is spoken at a time, the one before it between two words, or none with `null`. */
  show(seconds) {
    if (!this.written) return;
    const word = seconds === null ? null : this.words.findLast((word) => word.start <= seconds) ?? null;
    if (word === this.current) return;
    this.current = word;
    if (!word) return this.mirror.replaceChildren();
    this.spoken.textContent = this.written.slice(0, word.from);
    this.mark.textContent = this.written.slice(word.from, word.to);
    this.rest.data = this.written.slice(word.to) + "\n";
    this.mirror.replaceChildren(this.spoken, this.mark, this.rest);
    this.follow();
    this.reveal();
  }

  follow() {
    this.mirror.scrollTop = this.text.scrollTop;
  }

  /** Scroll the text to the word, unless it is being edited. */
  reveal() {
    const [top, bottom] = [this.mark.offsetTop, this.mark.offsetTop + this.mark.offsetHeight];
    const { scrollTop, clientHeight } = this.text;
    if (top < scrollTop || bottom > scrollTop + clientHeight) this.text.scrollTop = top - clientHeight / 3;
  }
}
