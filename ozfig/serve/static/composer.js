// The field: asks, stops, and lets the reader write on meanwhile.
import { $, announce, call, callWhenLoaded, complain, state, tell } from "./dom.js";
import { contenders } from "./compare.js";
import { refreshList, setTitle } from "./sidebar.js";
import { resume, show, toEnd } from "./stream.js";

const [box, send] = ["question", "send"].map($);

export function grow() {
  if (!CSS.supports("field-sizing", "content")) {
    box.rows = 1;
    while (box.scrollHeight > box.clientHeight + 2 && box.rows < 10) box.rows += 1;
  }
  enable();
}

export function enable() {
  const able = document.body.dataset.model !== "failed" && (state.kind === "chat" || state.conversation || contenders());
  send.disabled = !state.busy && (!box.value.trim() || !able);
}

export function setBusy(value) {
  state.busy = value;
  document.body.classList.toggle("busy", value);
  send.title = value ? "Stop" : "Send";
  send.setAttribute("aria-label", send.title);
  enable();
}

export const stop = () => {
  state.stopped = true; // also what still waits for its model
  return state.conversation && call(`/chat/${state.conversation}/stop`, "POST").catch(tell);
};

// asks; `since` is a question that this one replaces, or alone the answer to be written again
export async function put(body) {
  if (state.busy) return false;
  setBusy(true);
  complain();
  state.stopped = false;
  let kept = false;
  try {
    if (!state.conversation) await begin(body.content);
    const reply = await callWhenLoaded(`/chat/${state.conversation}/messages`, "POST", body);
    kept = true;
    if (state.stopped) await stop();
    refreshList();
    await show(reply);
  } catch (error) {
    if (kept && error instanceof TypeError) await resume().catch(tell);
    else tell(error);
  }
  setBusy(false);
  return kept;
}

async function begin(content) {
  const first = { content, settings: state.settings };
  if (state.kind === "compare") first.models = contenders();
  const made = await (await callWhenLoaded(state.kind === "compare" ? "/compare" : "/chat", "POST", first)).json();
  state.conversation = made.id;
  history.pushState(null, "", `/${state.kind}/${made.id}`);
  setTitle(made.title);
  if (first.models) $("contending").append(first.models.join(" · "));
  $("empty")?.remove();
  document.querySelector(".way[aria-current]")?.removeAttribute("aria-current");
  $("manage").hidden = false;
}

export async function submit() {
  const content = box.value.trim();
  if (state.busy) return stop();
  if (!content || send.disabled) return;
  const written = box.value;
  box.value = "";
  grow();
  const kept = await put({ content });
  if (!kept && !box.value) {
    box.value = written;
    grow();
  }
}

// follows what was being written when the page was opened
export async function followOn() {
  toEnd();
  if (!document.querySelector('[data-status="streaming"]')) return;
  setBusy(true);
  await resume().catch(tell);
  setBusy(false);
}

export function insert(text) {
  const gap = box.value && !/\s$/.test(box.value) ? " " : "";
  box.setRangeText(gap + text, box.selectionStart, box.selectionEnd, "end");
  grow();
  box.focus();
  announce(`Written down: ${text}`);
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
box.addEventListener("input", grow);
box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!state.busy) submit();
});
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => {
    box.value = example.textContent;
    grow();
    box.focus();
    submit();
  });
}
