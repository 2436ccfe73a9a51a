// The page: what is typed and chosen becomes a request, its answer is played, drawn and written as code.

import { get, speak } from "./api.js";
import { Highlight } from "./highlight.js";
import { Pictures } from "./pictures.js";
import { Player, wav } from "./player.js";
import { curl, python } from "./snippets.js";

const $ = (id) => document.getElementById(id);
const SLIDERS = ["speed", "pitch", "noise_scale"];
const LIMIT = 4096; // characters of OpenAI's API, unless the server says otherwise
const SAMPLE = "Type something here, and listen to it while it is being made.";

const highlight = new Highlight($("text"), $("mirror"));
const pictures = new Pictures($("waveform"), $("mel"), $("playhead"));
const player = new Player(() => paint());
let voices = [];
let limit = LIMIT;
let running = null; // AbortController of the request under way
let last = null; // body of the last request

// What can be chosen

async function load() {
  const answer = await get("v1/audio/voices", $("key").value);
  const names = new Set(answer.voices.map((voice) => voice.id));
  voices = answer.voices.filter(({ id }) => !names.has(id.split(":")[0]) || !id.includes(":")); // no "voice:speaker"
  limit = answer.max_characters ?? LIMIT;
  $("voice").replaceChildren(...voices.map((voice) => new Option(voice.name ?? voice.id, voice.id)));
  chooseVoice();
  if (!$("text").value && languagesOf(chosen())[0]?.startsWith("en")) $("text").value = SAMPLE;
  count();
}

function chosen() {
  return voices.find((voice) => voice.id === $("voice").value) ?? {};
}

function chooseVoice() {
  const voice = chosen();
  choices("speaker", voice.speakers?.length ? voice.speakers : numbers(voice.num_speakers ?? 1));
  choices("language", languagesOf(voice));
  if (voice.noise_scale !== undefined) $("noise_scale").value = voice.noise_scale;
  SLIDERS.forEach(showValue);
  const rate = voice.sampling_rate ? `${voice.sampling_rate.toLocaleString("en")} Hz` : "";
  $("about").textContent = [...languagesOf(voice).slice(0, 3).map(languageName), rate].filter(Boolean).join(", ");
}

function languagesOf(voice) {
  return voice.languages ?? [];
}

function languageName(code) {
  try {
    return new Intl.DisplayNames("en", { type: "language" }).of(code);
  } catch { // a name of its own
    return code;
  }
}

/** Fill a list of choices, and hide it where there is nothing to choose. */
function choices(id, names) {
  $(id).replaceChildren(...(names ?? []).map((name) => new Option(name)));
  $(id).parentElement.hidden = $(id).length < 2;
}

function numbers(count) {
  return Array.from({ length: count }, (_, i) => String(i));
}

function showValue(id) {
  const { value, dataset } = $(id);
  const text = `${Number(value).toFixed(dataset.digits ?? 2)}${dataset.unit ?? ""}`;
  $(`${id}-value`).textContent = text;
  $(id).setAttribute("aria-valuetext", text + (dataset.spoken ?? ""));
}

function count() {
  const length = $("text").value.length;
  $("count").textContent = `${length.toLocaleString("en")} / ${limit.toLocaleString("en")}`;
  $("count").classList.toggle("over", length > limit);
}

// Speaking

/** Return the body of the request, or `null` after saying what is wrong. */
function body() {
  const input = $("text").value;
  const seed = $("seed").value.trim();
  const tooLong = `The text has ${input.length.toLocaleString("en")} characters; ${limit.toLocaleString("en")} are allowed.`;
  complain("text", input.trim() ? (input.length > limit ? tooLong : "") : "Write something to speak first.");
  const isSeed = /^\d{0,15}$/.test(seed);
  complain("seed", isSeed ? "" : "A whole number of up to 15 digits, or nothing.");
  const wrong = document.querySelector("[aria-invalid='true']");
  if (wrong) {
    wrong.focus();
    return null;
  }
  const extras = ["speaker", "language"].filter((id) => !$(id).parentElement.hidden).map((id) => [id, $(id).value]);
  if (Number($("pitch").value)) extras.push(["pitch", Number($("pitch").value)]); // without it, chunks come earlier
  return {
    model: $("voice").value,
    voice: $("voice").value,
    input,
    response_format: "pcm",
    stream_format: "sse",
    speed: Number($("speed").value),
    ...Object.fromEntries(extras),
    noise_scale: Number($("noise_scale").value),
    seed: seed ? Number(seed) : Math.floor(Math.random() * 1e6),
    timestamps: "word",
  };
}

function complain(id, message) {
  $(id).setAttribute("aria-invalid", Boolean(message));
  $(`${id}-error`).textContent = message;
  $(`${id}-error`).hidden = !message;
}

async function start(event) {
  event?.preventDefault();
  stop();
  fail("");
  const request = body();
  if (!request) return;
  const control = new AbortController();
  running = control;
  player.clear();
  player.open(chosen().sampling_rate ?? 22050);
  highlight.begin(request.input);
  say("Starting …");
  paint();
  try {
    await receive(request, control);
  } catch (error) {
    if (error.name !== "AbortError") refused(error);
  }
  if (running !== control) return; // another text was started meanwhile
  running = null;
  finish();
}

async function receive(request, control) {
  const began = performance.now();
  let first = null;
  for await (const { samples, rate, words } of speak(request, $("key").value, control.signal)) {
    if (control.signal.aborted) return;
    if (first === null) {
      first = performance.now() - began;
      begin(request, rate);
    }
    player.append(samples);
    highlight.append(words);
    pictures.append(samples, player.length / Math.max(highlight.share(), 0.05));
    paint();
  }
  const [made, sound] = [performance.now() - began, first].map((time) => (time / 1000).toFixed(2));
  say(`${player.duration.toFixed(1)} s of speech in ${made} s, the first after ${sound} s. Seed ${request.seed}.`);
}

/** Show the result of a request, whose first samples have arrived. */
function begin(request, rate) {
  last = request;
  player.open(rate);
  pictures.clear(rate);
  $("result").hidden = false;
  $("download").hidden = true;
  $("waveform").setAttribute("aria-label", `Waveform of “${request.input.slice(0, 80)}”`);
  snippet();
  say("Speaking …");
  player.play();
  requestAnimationFrame(animate);
}

/** Keep what arrived, all of it or not. */
function finish() {
  player.complete();
  if (player.length) {
    pictures.show(player.length);
    URL.revokeObjectURL($("download").href);
    $("download").href = URL.createObjectURL(wav(player.chunks, player.length, player.rate));
    $("download").download = `${last.voice}-${last.seed}.wav`;
    $("download").hidden = false;
  }
  paint();
}

function stop() {
  if (running) say("Stopped.");
  running?.abort();
  running = null;
  if (player.isPlaying) player.pause();
  if (player.length && !player.isComplete) finish();
  paint();
}

function refused(error) {
  say("");
  if (error.status === 401) $("key").parentElement.hidden = false;
  if (error.param === "input") complain("text", error.message);
  else fail(error.message);
}

function fail(message) {
  $("error").textContent = message;
  $("error").hidden = !message;
}

function say(message) {
  $("status").textContent = message;
}

// What is heard

function animate() {
  paint();
  if (player.isPlaying) requestAnimationFrame(animate);
}

function paint() {
  const seconds = player.position();
  const atRest = !player.isPlaying && (seconds === 0 || seconds >= player.duration);
  highlight.show(atRest ? null : seconds);
  pictures.move(seconds);
  $("position").max = player.duration;
  $("position").value = seconds;
  $("position").setAttribute("aria-valuetext", `${seconds.toFixed(1)} of ${player.duration.toFixed(1)} seconds`);
  $("time").textContent = `${clock(seconds)} / ${clock(player.duration)}`;
  $("play").textContent = player.isPlaying ? "Pause" : "Play";
  $("stop").setAttribute("aria-disabled", !running && !player.isPlaying);
}

function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

function toggle() {
  if (player.isPlaying) player.pause();
  else player.play();
  animate();
}

// The same as code

function snippet() {
  const write = $("tab-curl").ariaSelected === "true" ? curl : python;
  $("snippet").firstElementChild.textContent = write(location.origin, last, !$("key").parentElement.hidden);
}

function choose(tab) {
  for (const other of document.querySelectorAll("[role='tab']")) {
    other.ariaSelected = String(other === tab);
    other.tabIndex = other === tab ? 0 : -1;
  }
  $("snippet").setAttribute("aria-labelledby", tab.id);
  snippet();
}

async function copy() {
  const code = $("snippet").firstElementChild;
  try {
    await navigator.clipboard.writeText(code.textContent);
    $("copy").textContent = "Copied";
  } catch { // no permission, or no https: select it, so that the keyboard can copy
    getSelection().selectAllChildren(code);
    $("copy").textContent = "Selected";
  }
  setTimeout(() => ($("copy").textContent = "Copy"), 2000);
}

$("form").addEventListener("submit", start);
$("stop").addEventListener("click", stop);
$("play").addEventListener("click", toggle);
$("copy").addEventListener("click", copy);
$("voice").addEventListener("change", chooseVoice);
$("key").addEventListener("change", () => load().catch(refused));
$("text").addEventListener("input", () => {
  count();
  complain("text", "");
});
$("seed").addEventListener("input", () => complain("seed", ""));
$("position").addEventListener("input", () => {
  player.seek(Number($("position").value));
  paint();
});
for (const id of SLIDERS) $(id).addEventListener("input", () => showValue(id));
for (const tab of document.querySelectorAll("[role='tab']")) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", ({ key }) => {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    const other = tab.nextElementSibling ?? tab.previousElementSibling;
    choose(other);
    other.focus();
  });
}
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) start(event);
  if (event.key === "Escape") stop();
});
load().catch(refused);
