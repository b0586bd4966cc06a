// A documentation site whose pages are Markdown files, shown for addresses such as #/guide.
const inline = (text) => text
  .replace(/&/g, '&amp;').replace(/</g, '&lt;')
  .replace(/`([^`]+)`/g, '<code>$1</code>')
  .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
  .replace(/\[([^\]]+)\]\(([^)]+)\.md\)/g, '<a href="#/$2">$1</a>');

function toHtml(markdown) {
  return markdown.trim().split(/\n{2,}/).map((block) => {
    const heading = block.match(/^(#+) (.*)$/);
    if (heading) return `<h${heading[1].length}>${inline(heading[2])}</h${heading[1].length}>`;
    if (block.startsWith('```')) {
      const [first, ...lines] = block.split('\n');
      return `<pre><code class="lang-${first.slice(3)}">${inline(lines.slice(0, -1).join('\n'))}</code></pre>`;
    }
    if (block.startsWith('- ')) {
      return `<ul>${block.split('\n').map((line) => `<li>${inline(line.slice(2))}</li>`).join('')}</ul>`;
    }
    if (block.startsWith('|')) {
      const rows = block.split('\n').filter((line) => !line.startsWith('| -'));
      const cells = (line, tag) => line.split('|').slice(1, -1).map((c) => `<${tag}>${inline(c.trim())}</${tag}>`).join('');
      return `<table>${rows.map((row, i) => `<tr>${cells(row, i ? 'td' : 'th')}</tr>`).join('')}</table>`;
    }
    return `<p>${inline(block)}</p>`;
  }).join('\n');
}

async function show() {
  const route = location.hash.replace(/^#\/?/, '') || 'README';
  const [sidebar, page] = await Promise.all(['_sidebar', route].map((name) => fetch(`${name}.md`).then((r) => r.text())));
  document.getElementById('app').innerHTML =
    `<aside class="sidebar">${toHtml(sidebar)}</aside><section class="content"><article class="markdown-section">${toHtml(page)}</article></section>`;
}

addEventListener('hashchange', show);
show();
