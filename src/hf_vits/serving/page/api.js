// Requests to the server that this page comes from.

/** An answer that is an error, with what the page says of it. */
export class ApiError extends Error {
  constructor(message, status = 0, param = null) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

const GONE = "The server does not answer. Start it again with hf-vits serve, then try once more.";
const CUT = "The connection ended before the speech did. What arrived can still be played.";

/** Return the JSON of a route; `key` is the API key, or empty. */
export async function get(route, key) {
  const response = await request(route, { headers: headers(key) });
  return response.json();
}

/**
 * Yield `{samples: Float32Array, rate, words: [{text, start, end}]}` for each chunk of a text, as it arrives.
 *
 * Throws an ApiError; an aborted `signal` throws the AbortError of fetch.
 */
export async function* speak(body, key, signal) {
  const response = await request("v1/audio/speech", {
    method: "POST",
    headers: { ...headers(key), "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  const rate = Number(response.headers.get("X-Sample-Rate")); // the server may have resampled
  let isDone = false;
  for await (const event of events(response.body, signal)) {
    if (event.error) throw new ApiError(event.error.message, response.status, event.error.param);
    if (event.type === "speech.audio.delta") {
      yield { samples: samplesOf(event.audio), rate, words: event.timestamps ?? [] };
    }
    isDone ||= event.type === "speech.audio.done";
  }
  if (!isDone) throw new ApiError(CUT);
}

function headers(key) {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function request(route, options) {
  let response;
  try {
    response = await fetch(route, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(GONE);
  }
  if (response.ok) return response;
  const { message, param } = (await response.json().catch(() => ({}))).error ?? {};
  throw new ApiError(explain(response, message), response.status, param);
}

function explain(response, message) {
  if (response.status !== 429) return message ?? `The server answered ${response.status} ${response.statusText}.`;
  const seconds = Number(response.headers.get("Retry-After"));
  return `The server has as much to do as it takes. Try again ${seconds ? `in ${seconds} s` : "in a moment"}.`;
}

/** Yield the objects of a stream of server-sent events, whose bytes may be divided anywhere. */
export async function* events(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + value).split(/\r?\n\r?\n/);
      rest = parts.pop();
      for (const part of parts) {
        const lines = part.split(/\r?\n/).filter((line) => line.startsWith("data:"));
        const data = lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
        if (data && data !== "[DONE]") yield JSON.parse(data);
      }
    }
  } catch (error) {
    if (signal?.aborted) throw new DOMException("Stopped", "AbortError");
    throw error instanceof TypeError ? new ApiError(CUT) : error;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Return base64 of 16-bit little-endian samples as numbers of -1 to 1. */
export function samplesOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, i) => view.getInt16(2 * i, true) / 32768);
}
