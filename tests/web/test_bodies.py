import codecs

import pytest

from ozfig.web.bodies import decode, is_binary

TEXT = "Café “naïve” – 5 €"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (TEXT.encode(), "text/html"),
        (TEXT.encode(), "text/html; charset=iso-8859-1"),  # a label that the bytes contradict
        (TEXT.encode("cp1252"), "text/html; charset=iso-8859-1"),  # as browsers read it
        (TEXT.encode("cp1252"), "text/html; charset=utf-8"),
        (TEXT.encode("cp1252"), "text/html"),
        (TEXT.encode("cp1252"), "text/html; charset=nonsense"),
        (TEXT.encode("cp1252"), "text/html; charset=unicode_escape"),  # a codec of Python, not of pages
        (codecs.BOM_UTF8 + TEXT.encode(), "text/html; charset=iso-8859-1"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "text/html; charset=utf-8"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), ""),
    ],
)
def test_text_is_read_whatever_its_label(body, kind):
    assert decode(body, kind) == TEXT


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        ("日本語のページ", "cp932", "shift_jis"),
        ("日本語のページ", "iso2022_jp", "ISO-2022-JP"),
        ("中文网页", "gb18030", "gb2312"),
        ("Русская страница", "koi8_r", "koi8-r"),
        ("Русская страница", "cp1251", "windows-1251"),
        ("한국어", "cp949", "euc-kr"),
    ],
)
def test_other_scripts_by_header_and_by_meta(text, codec, label):
    assert decode(text.encode(codec), f"text/html; charset={label}") == text
    page = f'<html><head><meta charset="{label}"></head><body>{text}'
    assert decode(page.encode(codec), "text/html") == page
    old = f'<meta http-equiv="Content-Type" content="text/html; charset={label}"><p>{text}'
    assert decode(old.encode(codec)) == old


def test_a_page_that_calls_itself_utf_16_in_plain_bytes_is_not():
    page = f'<meta charset="utf-16">{TEXT}'
    assert decode(page.encode()) == page


def test_one_broken_character_does_not_spoil_the_others():
    body = ("é" * 50).encode() + b"\xff" + ("é" * 50).encode()
    assert decode(body, "text/html; charset=utf-8") == "é" * 50 + "\ufffd" + "é" * 50


def test_binaries_are_told_from_text():
    assert is_binary(b"%PDF-1.4")
    assert is_binary(b"\x89PNG\r\n\0\0")
    assert not is_binary(codecs.BOM_UTF16_LE + "a".encode("utf-16-le"))
    assert not is_binary(TEXT.encode())
