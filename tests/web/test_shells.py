"""Both sides: pages that a browser must open, and honest short ones that it need not."""

import pytest

from ozfig.web.extract import extract

WORDS = "The office is open every day from nine to five."
LONG = f"<p>{'Plain words that make the page long enough. ' * 8}</p>"
COUNTER = '<script src="https://www.googletagmanager.com/gtag/js?id=G-1"></script><script>gtag("js")</script>'


@pytest.mark.parametrize(
    "body",
    [
        '<div id="root"></div><script src="/static/js/main.js"></script>',
        '<noscript>You need to enable JavaScript to run it.</noscript><div id="x"></div><script src="b.js"></script>',
        '<div id="app">Loading ...</div><script src="site.js"></script>',
        f'<nav>{WORDS}</nav><div id="app"></div><footer>{WORDS * 5}</footer><script src="a.js"></script>',
        f'<noscript>Turn on JavaScript</noscript><p>{WORDS * 8}</p><div id="root"></div><script src="a.js"></script>',
        '<my-app></my-app><script type="module" src="/x.js"></script>',
        "<div id=c>One moment</div><script>fetch('/t').then(t => c.innerHTML = t)</script>",
        '<p>Please wait...</p><script src="x.js"></script>',
        '<div class="spinner"></div><script src="x.js"></script>',
    ],
)
def test_a_page_that_its_scripts_write(body):
    assert extract(f"<body>{body}</body>").is_shell


@pytest.mark.parametrize(
    "body",
    [
        f"<main><h1>Hours</h1><p>{WORDS}</p></main>{COUNTER}",
        f'<main><h1>Hours</h1><p>{WORDS}</p></main><script src="js/menu.js"></script>',
        f'<h1>Hours</h1><p>{WORDS}</p><script>document.querySelector("nav").innerHTML = "x".repeat(9)</script>',
        f'<div id="app"><h1>Hours</h1><p>{WORDS}</p></div><script src="/static/js/main.3f9a2b1c.js"></script>',
        f'<noscript><img src="https://count.example/p.gif"></noscript><p>{WORDS}</p>{COUNTER}',
        f"<p>{WORDS}</p>",
        f'{LONG}<div id="app"></div><script src="a.js"></script>',
        '<h1>Nothing here</h1><script type="application/ld+json">{}</script>',
        COUNTER,
    ],
)
def test_an_honest_page(body):
    assert not extract(f"<body>{body}</body>").is_shell
