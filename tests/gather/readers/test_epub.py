import pytest

from ozfig.gather.readers import Unreadable, read

ENCRYPTED = '<encryption><CipherData><CipherReference URI="{}"/></CipherData></encryption>'


def test_chapters_come_in_the_order_of_the_spine(book):
    found = read(book())
    assert found.title == "The Tide Tables"
    assert found.text == (
        "# Neaps\n\nSmall tides.\n\n- weak\n- slow\n\n# Springs\n\nGreat tides.\n\n"
        "| Day | Height |\n| --- | --- |\n| New moon | 4.1 |"
    )


def test_only_encrypted_chapters_make_a_book_unreadable(book):
    fonts = ENCRYPTED.format("OPS/font.otf")
    assert read(book(**{"META-INF/encryption.xml": fonts})).text.startswith("# Neaps")
    with pytest.raises(Unreadable, match="encrypted"):
        read(book(**{"META-INF/encryption.xml": ENCRYPTED.format("OPS/text/two%20words.xhtml")}))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"META-INF/container.xml": None}, r"lacks META-INF/container\.xml"),
        ({"META-INF/container.xml": "<container/>"}, "names no book"),
        ({"OPS/book.opf": "<package"}, "broken: ParseError"),
        ({"OPS/text/one.xhtml": None}, r"lacks OPS/text/one\.xhtml"),
        ({"OPS/text/one.xhtml": "", "OPS/text/two words.xhtml": ""}, "empty"),
    ],
)
def test_a_broken_book_says_what_is_wrong(book, changed, message):
    with pytest.raises(Unreadable, match=message):
        read(book(**changed))


def test_a_bomb_of_entities_does_no_harm(book):
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha"}">' for i in range(12))
    with pytest.raises(Unreadable):
        read(book(**{"OPS/book.opf": f"<!DOCTYPE package [{levels}]><package>&e11;</package>"}))
