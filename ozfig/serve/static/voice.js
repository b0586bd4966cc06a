// Records a clip and writes it down: the text lands in the field, to be looked at before it is sent.
import { $, announce, call, complain, tell } from "./dom.js";
import { insert } from "./composer.js";

const button = $("record");
const TYPES = ["audio/webm;codecs=opus", "audio/webm", "audio/mp4"];
const LONGEST_SECONDS = 300;
let recorder = null;

export const isRecording = () => recorder !== null;

async function start() {
  complain();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one));
  const parts = [];
  recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  recorder.addEventListener("stop", async (event) => {
    const { mimeType, thrown } = event.target;
    for (const track of stream.getTracks()) track.stop();
    look(false);
    if (!thrown) await write(new Blob(parts, { type: mimeType })).catch(tell);
  });
  recorder.start(1000);
  look(true);
}

async function write(clip) {
  button.classList.add("working");
  announce("The recording is being written down.");
  const body = new FormData();
  body.append("file", clip, clip.type.includes("mp4") ? "clip.mp4" : "clip.webm");
  body.append("model", "whisper-1"); // OpenAI's API wants a name; the server has one engine
  try {
    const { text } = await (await call("/v1/audio/transcriptions", "POST", body)).json();
    if (text.trim()) insert(text.trim());
    else complain("Nothing was heard in the recording.");
  } finally {
    button.classList.remove("working");
  }
}

export function finish(thrown = false) {
  if (!recorder) return;
  recorder.thrown = thrown;
  recorder.stop();
  recorder = null;
}

let ticking;
function look(on) {
  const began = Date.now();
  const tick = () => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    $("clock").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (seconds >= LONGEST_SECONDS) finish();
  };
  clearInterval(ticking);
  if (on) ticking = setInterval(tick, 500);
  tick();
  $("recording").hidden = !on;
  button.setAttribute("aria-pressed", on);
  button.title = on ? "Finish the recording" : "Record a question";
  button.setAttribute("aria-label", button.title);
  announce(on ? "Recording. Escape throws it away." : "");
}

// browsers give a microphone to https and to this machine only
if (button && navigator.mediaDevices && globalThis.MediaRecorder) {
  button.hidden = false;
  button.addEventListener("click", () => {
    if (recorder) finish();
    else start().catch((error) => complain(`The microphone cannot be used: ${error.message}`));
  });
}
