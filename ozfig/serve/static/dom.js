// What every module of the page needs: elements, the server, and words for the user.
export const $ = (id) => document.getElementById(id);

// what is true of the page now; `settings` are those that differ from the server's defaults
export const state = {
  kind: document.body.dataset.kind,
  conversation: document.body.dataset.conversation,
  busy: false,
  settings: {},
};

export async function call(path, method = "GET", body = undefined) {
  const isForm = body instanceof FormData;
  const headers = body && !isForm ? { "Content-Type": "application/json" } : {};
  const reply = await fetch(path, { method, headers, body: isForm ? body : body && JSON.stringify(body) });
  if (reply.ok) return reply;
  const told = await reply.json().catch(() => ({}));
  const problem = new Error(told.error?.message ?? `The server answered ${reply.status}.`);
  throw Object.assign(problem, { code: told.error?.code, wait: Number(reply.headers.get("Retry-After")) });
}

export const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

const PATIENCE_SECONDS = 300;

// a model is loaded at its first use: wait for it, and say so, instead of giving up at once
export async function callWhenLoaded(...request) {
  const slow = setTimeout(() => {
    announce("The model is loading.");
    $("state").textContent = "loading";
  }, 1000);
  try {
    for (const began = Date.now(); ; ) {
      try {
        return await call(...request);
      } catch (error) {
        const late = state.stopped || Date.now() - began > 1000 * PATIENCE_SECONDS;
        if (error.code !== "model_loading" || late) throw error;
        await pause(error.wait || 1);
      }
    }
  } finally {
    clearTimeout(slow);
    $("state").textContent = "";
  }
}

export function complain(text = "") {
  $("problem").textContent = text && text[0].toUpperCase() + text.slice(1);
  $("problem").hidden = !text;
}

export const tell = (error) =>
  complain(error instanceof TypeError ? "The server does not answer. Is it still running?" : error.message);

export const announce = (text) => ($("status").textContent = text);

// shows a dialog and gives the value that it was closed with; empty when it was dismissed
export function ask(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

export async function copy(text) {
  // browsers offer the clipboard on https and on this machine only; elsewhere a selection does it
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const field = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

// says on a button for a moment what it did
export function flash(button, done, words = ["Copied", "Could not copy"]) {
  const text = done ? words[0] : words[1];
  button.dataset.flash = text;
  announce(text);
  setTimeout(() => delete button.dataset.flash, 1600);
}
