// Reads answers aloud, where the browser has voices.
const engine = globalThis.speechSynthesis;
let speaking = null;

const voices = () => engine?.getVoices() ?? [];

export function offerSpeech(root) {
  for (const button of root.querySelectorAll("button.speak")) button.hidden = voices().length === 0;
}

export function hush() {
  const was = speaking;
  speaking = null;
  was?.setAttribute("aria-pressed", "false");
  if (was) engine.cancel();
  return was;
}

export function speak(button) {
  if (hush() === button) return;
  const body = button.closest("article").querySelector(".body");
  const text = [...body.children].filter((block) => !block.matches(".code")).map((block) => block.innerText).join("\n");
  const saying = new SpeechSynthesisUtterance(text);
  saying.lang = document.documentElement.lang;
  for (const end of ["end", "error"]) saying.addEventListener(end, () => speaking === button && hush());
  speaking = button;
  button.setAttribute("aria-pressed", "true");
  engine.speak(saying);
}

engine?.addEventListener?.("voiceschanged", () => offerSpeech(document));
addEventListener("pagehide", hush);
