// Server-sent events of a fetch body. EventSource can only GET, and asking is a POST.
// https://html.spec.whatwg.org/multipage/server-sent-events.html (our server sends one data line an event)
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const name = part.match(/^event: (.*)$/m);
      const data = part.match(/^data: (.*)$/m);
      if (name && data) yield { name: name[1], data: JSON.parse(data[1]) };
    }
  }
}
