import pytest

from ozfig.export import licences


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"README.md": "---\nlicense: gemma\nlanguage: [en]\n---\n"}, {"license": "gemma", "language": ["en"]}),
        ({"LICENSE": "   Apache License\n   Version 2.0, January 2004"}, {"license": "apache-2.0"}),
        ({"LICENSE.txt": "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT"}, {"license": "llama3.2"}),
        ({"LICENSE": "MIT License\n\nCopyright"}, {"license": "mit"}),
        ({"config.json": '{"license": "GPL-3.0"}'}, {"license": "gpl-3.0"}),
        ({"README.md": "---\n: [broken\n---\n", "config.json": "{}"}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_the_bases_licence_is_read_from_its_folder(files, expected, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert licences.inherited(tmp_path) == expected
