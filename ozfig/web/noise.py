"""What stands on a page and is no text of it: navigation, notices, forms, what others wrote below it.

The rules go by the standard's own elements and roles, by the words that themes and plug-ins use as class and id, and
by how much of a block is links. No rule knows a site. What holds the page's heading or much of its text is kept.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ozfig.web.nodes import HEADING_TAGS, HEADINGS, ancestors, attribute, classes, is_inside, link_share, text

NEVER = (
    "script, style, noscript, template, iframe, object, embed, canvas, video, audio, svg, img, picture, nav, input,"
    " select, textarea, datalist, [role=navigation], [role=banner], [role=contentinfo], [role=search],"
    " [role=menu], [role=menubar], [role=tooltip], [aria-hidden=true],"
    " [hidden]:not([hidden=until-found]), a.headerlink, a.anchor, a.skip, .skip-link, .sr-only, .visually-hidden,"
    " .screen-reader-text, td.linenos, td.gutter, .linenodiv, .line-numbers-rows, .lineno, .hljs-ln-numbers,"
    " .prompt.input_prompt, .prompt.output_prompt, .jp-InputPrompt, .jp-OutputPrompt, .md-source-file,"
    " .slick-cloned, .swiper-slide-duplicate, .owl-item.cloned"
)
BOXES = "div, section, aside, ul, ol, p, form, header, footer, table"
BOXES_WITH_NAMES = ", ".join(f"{tag}[{key}]" for tag in BOXES.split(", ") for key in ("class", "id"))


def _names(words: str) -> re.Pattern[str]:
    """Matches a class or id that is one of the words, alone or with a theme's usual prefix."""
    prefix = r"(?:(?:post|entry|article|page|site|blog|single|wp|js|md|bd|td|et|[clmou])(?:-|__))?"
    return re.compile(rf"(?<!\S){prefix}(?:{'|'.join(words.split())})(?!\S)")


NOTICE = re.compile(r"cookie|consent|gdpr")
NOTICES_SAY = re.compile(r"we use|uses? cookies|accept|agree|consent|policy|preferences|settings", re.IGNORECASE)
ANYWHERE = _names(
    r"""breadcrumbs?(?:-\w+)? pagination pager prev-next(?:-\w+)? navigation toc table-of-contents on-this-page
    edit-(?:this-)?page share sharing sharedaddy share-(?:buttons?|links?|icons?|bar) socials?
    social-(?:share|sharing|buttons?|links?|icons?|media) addtoany(?:_\w+)? addthis(?:_\w+)? sharethis(?:-\w+)?
    related related-(?:posts?|articles?|content) recommended-(?:posts?|articles?) recent-posts more-(?:posts|articles)
    comments? comments?-(?:area|section|form|list|respond) respond disqus_thread utterances giscus
    (?:newsletter|subscribe|signup)(?:-(?:form|box|widget|signup))? (?:back|scroll)-?to-?top adsbygoogle
    advert(?:isement)?s?"""
)
OUTSIDE = _names(
    r"""side-?nav navbar(?:-\w+)? top-?bar site-(?:header|footer|nav\w*|menu) page-footer footer copyright
    off-?canvas(?:-\w+)? page-loading preloader loader"""
)
IF_LINKS = _names(
    r"""menu(?:-\w+)? submenu dropdown-menu nav(?:-\w+)? sidebar(?:-\w+)? widget(?:-\w+)? links quick-links
    tagcloud tag-cloud"""
)
WINDOWS = "dialog, [role=dialog], [role=alertdialog], .overlay, .popup, .pop-up, .modal, .lightbox"
# headings of what themes put below a text
BELOW = re.compile(
    r"(?:(?:related|recent|popular|latest|more|similar|recommended) (?:posts?|articles?|stories)|related(?: content)?"
    r"|you (?:may|might)(?: also)? (?:like|enjoy).*|share(?: (?:this|on|via)\b.*)?|leave a (?:reply|comment)"
    r"|(?:\d+ )?(?:comments?|responses?)|post a comment|(?:table of )?contents|on this page"
    r"|in this (?:article|page|post)|subscribe.*newsletter.*)\W*",
    re.IGNORECASE,
)
LONGEST_NOTICE, LONGEST_FORM, LONGEST_MENU_ENTRY = 1500, 600, 40
MOST_OF_THE_PAGE, MOSTLY_LINKS, FEW_LINKS, SHORT, SENTENCE = 0.4, 0.6, 3, 200, 20


def drop(tree: LexborHTMLParser) -> None:
    """Take out of a page what is no text of it."""
    for node in tree.css(", ".join(f"{heading} button" for heading in (*sorted(HEADING_TAGS), "summary", "dt"))):
        node.unwrap()
    for node in tree.css(WINDOWS):
        if _is_empty_window(node):
            node.decompose()
    for node in tree.css("canvas:has(table, p, h2, h3)"):
        node.unwrap()  # its page forgot to end it, or tells in words what it draws
    for node in tree.css(f"{NEVER}, button"):
        node.decompose()
    body = tree.body
    if body is None:
        return
    length = len(text(body))
    for node in tree.css("header, footer"):
        if node.tag == "footer" or not node.css_first("h1, h2" if is_inside(node, "main", "article") else "h1"):
            node.decompose()
    _drop_forms(tree, length)
    _drop_by_name(tree, length)
    _drop_below(tree)
    _drop_contents(tree)


def _is_empty_window(node: LexborNode) -> bool:
    """Whether a window over the page asks, announces or stays empty, and does not show a part of the text."""
    if node.css_first("h1, main, article") is not None:
        return False
    if node.css_first("input, select, textarea") is not None:
        return True
    is_dialog = node.tag == "dialog" or "dialog" in attribute(node, "role")
    return is_dialog and (node.css_first(f"table, pre, {HEADINGS}") is None or bool(NOTICES_SAY.search(text(node))))


def _drop_forms(tree: LexborHTMLParser, length: int) -> None:
    """Labels of fields go; so do forms that hold little else. A form around the whole page is none."""
    for node in tree.css("form"):
        own = len(text(node))
        if own < MOST_OF_THE_PAGE * length and own < LONGEST_FORM and not node.css_first("h1, table, pre"):
            node.decompose()
        elif own < MOST_OF_THE_PAGE * length:
            for label in node.css("label, legend"):
                label.decompose()


def _drop_by_name(tree: LexborHTMLParser, length: int) -> None:
    """Take out blocks whose class or id says what they are."""
    for node in tree.css(BOXES_WITH_NAMES):
        if _is_named_noise(node, classes(node), length):
            node.decompose()
    for node in tree.css("aside"):
        if link_share(node) > 0.5:
            node.decompose()


def _is_named_noise(node: LexborNode, names: str, length: int) -> bool:
    """Whether a block is noise by its name, and neither holds the page's heading nor much of its text."""
    label = attribute(node, "aria-label").lower()
    is_notice = bool(NOTICE.search(names) or NOTICE.search(label)) and node.tag not in ("ul", "ol", "table")
    if not is_notice and not any(rule.search(names) for rule in (ANYWHERE, OUTSIDE, IF_LINKS)):
        return False
    if node.css_first("h1, main, article"):
        return False
    own = len(text(node))
    if is_notice:
        return own < LONGEST_NOTICE and (not own or bool(NOTICES_SAY.search(text(node))))
    if own > MOST_OF_THE_PAGE * length and own > SHORT:
        return False
    if ANYWHERE.search(names):
        return True
    if OUTSIDE.search(names) and not is_inside(node, "main", "article"):
        return True
    return bool(IF_LINKS.search(names)) and link_share(node) > MOSTLY_LINKS


def _drop_below(tree: LexborHTMLParser) -> None:
    """Headings such as "Related posts" go with what they stand over, when that is links or nothing."""
    for heading in tree.css(HEADINGS):
        if not BELOW.fullmatch(text(heading)):
            continue
        under = []
        follower = heading.next
        while follower is not None and not _begins_section(follower):
            under.append(follower)
            follower = follower.next
        words = [node for node in under if not node.is_text_node and text(node)]
        if all(link_share(node) > MOSTLY_LINKS for node in words):
            for node in [heading, *under]:
                node.decompose()


def _begins_section(node: LexborNode) -> bool:
    return not node.is_text_node and (node.tag in HEADING_TAGS or node.css_first(HEADINGS) is not None)


def _drop_contents(tree: LexborHTMLParser) -> None:
    """Take out lists that are nothing but links to headings of the same page."""
    anchors = [a for a in tree.css("a[href^='#']") if is_inside(a, "li")]
    if len(anchors) < FEW_LINKS:
        return
    headings = {text(node) for node in tree.css(f"{HEADINGS}, dt, summary")}
    for node in tree.css("ul, ol"):
        if is_inside(node, "ul", "ol"):
            continue
        links = node.css("a[href]")
        known = sum(attribute(a, "href").startswith("#") and _heading_of(a) in headings for a in links)
        if any(item.css_first("a[href]") is None for item in node.css("li")):
            continue
        if len(links) >= FEW_LINKS and known > 0.8 * len(links) and link_share(node) > 0.8:
            node.decompose()


def _heading_of(link: LexborNode) -> str:
    """The heading that an entry of a table of contents names, without the entry's number."""
    words = text(link)
    return words if not words[:1].isdigit() else re.sub(r"^[\d.]+\s+", "", words) or words


def drop_menus(body: LexborNode) -> None:
    """In a page whose text has no container of its own, take out blocks of links, if a text is left without them."""
    length = len(text(body))
    blocks = [node for node in body.css("ul, ol, div, table, p") if _is_menu(node, length)]
    known = {node.mem_id for node in blocks}
    outer = [node for node in blocks if not any(parent.mem_id in known for parent in ancestors(node))]
    if length - sum(len(text(node)) for node in outer) < max(SHORT, length / 4):
        return  # an index: the links are its text
    for node in outer:
        node.decompose()


def _is_menu(node: LexborNode, length: int) -> bool:
    links = node.css("a[href]")
    if len(links) < FEW_LINKS or link_share(node) < 0.8 or node.css_first(HEADINGS) or _follows_a_sentence(node):
        return False
    return max(len(text(a)) for a in links) <= LONGEST_MENU_ENTRY and len(text(node)) < length


def _follows_a_sentence(node: LexborNode) -> bool:
    """Whether a block stands right under a paragraph or other words, as lists in a text do."""
    before = node.prev
    while before is not None and not text(before):
        before = before.prev
    if before is None:
        return False
    own = len(text(before)) * (1 if before.is_text_node else 1 - link_share(before))
    return own >= SENTENCE and (before.is_text_node or before.tag == "p")
