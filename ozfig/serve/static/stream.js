// Follows answers while they are written. All HTML comes from the server; see asking.py for the events.
import { $, announce, call, complain, pause, state } from "./dom.js";
import { events } from "./events.js";
import { decorate } from "./decorate.js";

const turns = $("turns");
const thread = $("thread");
const article = (id) => turns.querySelector(`.answer[data-message="${id}"]`);

export const isAtEnd = () => thread.scrollHeight - thread.scrollTop - thread.clientHeight < 60;
export const toEnd = () => (thread.scrollTop = thread.scrollHeight);

export async function show(reply) {
  const read = new Map(); // how many blocks of each answer a screen reader was given
  let ended = false;
  for await (const { name, data } of events(reply.body)) {
    const stick = name === "turns" || isAtEnd();
    if (name === "turns") begin(data);
    else if (name === "sources") found(data);
    else if (name === "blocks") grow(data, read);
    else if (name === "done" || name === "failed") finish(name, data, read);
    if (stick) toEnd();
    ended = !turns.querySelector('[data-status="streaming"]');
  }
  if (!ended) throw new TypeError("the answer was cut off");
}

function begin({ since, html }) {
  for (const round of turns.querySelectorAll(".round")) if (Number(round.dataset.asked) >= since) round.remove();
  turns.insertAdjacentHTML("beforeend", html);
  decorate(turns.lastElementChild);
  $("log").replaceChildren();
  announce("The answer is being written.");
}

// what an answer is made from, before its first word; the finished answer brings its own
function found({ message, html }) {
  const box = article(message)?.querySelector(".found");
  if (!box) return;
  box.innerHTML = html;
  const count = box.querySelectorAll(".source").length;
  announce(count ? `${count} ${count === 1 ? "source" : "sources"} found. The answer is being written.` : box.textContent.trim());
}

function grow({ message, from, html }, read) {
  const body = article(message)?.querySelector(".body");
  if (!body) return;
  for (const old of [...body.children].slice(from)) old.remove();
  body.insertAdjacentHTML("beforeend", html.join(""));
  for (const block of [...body.children].slice(from)) decorate(block);
  say(body, message, from, read);
}

function finish(name, { message, html, error }, read) {
  const old = article(message);
  if (!old) return;
  old.outerHTML = html;
  const now = article(message);
  decorate(now);
  say(now.querySelector(".body"), message, Infinity, read);
  announce(name === "done" ? "The answer is complete." : "");
  if (name === "failed") complain(error);
}

// finished blocks are read aloud once, in order; of compared answers, which come at once, only the end is told
function say(body, message, upto, read) {
  if (state.kind === "compare") return;
  const blocks = [...body.children].slice(read.get(message) ?? 0, upto);
  for (const block of blocks) {
    const line = document.createElement("p");
    line.textContent = block.textContent;
    $("log").append(line);
  }
  read.set(message, (read.get(message) ?? 0) + blocks.length);
}

// what was being written when the page was opened, or when the connection broke
export async function resume() {
  for (;;) {
    try {
      const reply = await call(`/chat/${state.conversation}/stream`);
      if (reply.status === 204) {
        await pause(3); // another server may be writing it: the page asks again, but not all the time
        return location.reload();
      }
      complain();
      return await show(reply);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      complain("The connection is lost. Trying again …");
      await pause(1.5);
    }
  }
}
