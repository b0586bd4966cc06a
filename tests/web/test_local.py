import httpx
import pytest

from ozfig.errors import UserError
from ozfig.web.local import served


def test_a_folder_answers_like_a_site(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "bare").mkdir()
    (tmp_path / "index.html").write_text("home")
    (tmp_path / "docs" / "index.html").write_text("docs")
    (tmp_path / "a.js").write_text("1")
    with served(tmp_path) as address, httpx.Client(base_url=f"http://{address}", trust_env=False) as client:
        assert client.get("/").text == "home"
        assert client.get("/docs").headers["location"] == "/docs/"
        assert client.get("/docs/").headers["content-type"].startswith("text/html")
        assert "javascript" in client.get("/a.js").headers["content-type"]
        assert client.get("/bare/").status_code == 404
        assert client.get("/../../etc/passwd").status_code == 404


def test_a_missing_folder_is_explained(tmp_path):
    with pytest.raises(UserError, match="no such folder"), served(tmp_path / "none"):
        pass
