// A small application that draws every address itself (history API); its links have a click handler, and some no href.
const h = (tag, props, ...children) => ({ tag, props: props || {}, children: children.flat() });

function build(node) {
  if (typeof node === 'string') return document.createTextNode(node);
  const element = document.createElement(node.tag);
  for (const [name, value] of Object.entries(node.props)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...node.children.map(build));
  return element;
}

function go(path) {
  history.pushState({}, '', path);
  draw();
}

const Link = (path, text) => h('a', { href: path, onclick: (e) => { e.preventDefault(); go(path); } }, text);
const Tile = (path, text) => h('div', { role: 'link', 'data-href': path, onclick: () => go(path) }, text);
const Layout = (...page) => h('div', { class: 'layout' },
  h('nav', {}, Link('/', 'Home'), Link('/repairs', 'Repairs')),
  h('main', {}, ...page),
  h('footer', {}, 'Sail loft, Quay Street'));

const Home = () => Layout(
  h('h1', {}, 'Sail loft'),
  h('p', {}, 'We cut new sails, mend old ones and store them dry over the winter. The loft stands on Quay Street and has been there since before the harbour had its wall.'),
  h('p', {}, 'Bring your sails in on any working day, or leave them with the harbour office and we fetch them.'),
  Tile('/storage', 'Storage'));

const Storage = () => Layout(
  h('h1', {}, 'Winter storage'),
  h('p', {}, 'Sails are washed in fresh water, dried, and hung in a heated room from October to April. Each sail carries a numbered tag, and a list of what needs mending is sent to its owner.'),
  h('dl', {}, h('dt', {}, 'Up to 20 square metres'), h('dd', {}, '45 pounds a winter'),
    h('dt', {}, 'Larger sails'), h('dd', {}, '70 pounds a winter')));

function Repairs(jobs) {
  return Layout(
    h('h1', {}, 'Repairs'),
    h('p', {}, 'Small repairs are done while you wait; whatever needs the long table takes three working days. We say what it will cost before we begin, and keep to it.'),
    h('ul', {}, jobs.map((job) => h('li', {}, `${job.name}: ${job.price}`))));
}

async function draw() {
  const routes = { '/': Home, '/storage': Storage };
  const path = location.pathname;
  const page = path === '/repairs' ? Repairs(await fetch('/repairs.json').then((r) => r.json())) : (routes[path] || Home)();
  document.getElementById('root').replaceChildren(build(page));
}

addEventListener('popstate', draw);
draw();
