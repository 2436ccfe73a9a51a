// The last request, as code to copy.

/** Return a shell command that writes the same speech as a WAV file. */
export function curl(origin, body, hasKey) {
  const lines = [
    `curl ${origin}/v1/audio/speech`,
    ...(hasKey ? ['--header "Authorization: Bearer $HF_VITS_API_KEY"'] : []),
    "--header 'Content-Type: application/json'",
    `--data ${shellQuoted(JSON.stringify(file(body), null, 2).replaceAll("\n", "\n  "))}`,
    "--output speech.wav",
  ];
  return lines.join(" \\\n  ");
}

/** Return a Python program that does the same with the client of OpenAI. */
export function python(origin, body, hasKey) {
  const { model, voice, input, response_format, speed, ...extra } = file(body);
  const fields = { model, voice, input, response_format, speed };
  const key = hasKey ? 'os.environ["HF_VITS_API_KEY"]' : '"-"';
  return [
    ...(hasKey ? ["import os", ""] : []),
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url="${origin}/v1", api_key=${key})`,
    "with client.audio.speech.with_streaming_response.create(",
    ...Object.entries(fields).map(([name, value]) => `    ${name}=${pythonValue(value)},`),
    `    extra_body=${pythonValue(extra)},`,
    ") as response:",
    '    response.stream_to_file("speech.wav")',
  ].join("\n");
}

/** Return the body of a request for a file of the same speech. */
function file(body) {
  const { stream_format, timestamps, ...rest } = body;
  return { ...rest, response_format: "wav" };
}

function shellQuoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function pythonValue(value) {
  if (typeof value === "string") return JSON.stringify(value); // its escapes are those of Python
  if (typeof value !== "object") return String(value);
  return `{${Object.entries(value).map(([name, item]) => `"${name}": ${pythonValue(item)}`).join(", ")}}`;
}
