import pytest

from ozfig import recipes
from ozfig.errors import RecipeError, UserError
from ozfig.recipe import Documents, Evaluate, Pretrain, Recipe
from tests.conftest import ROOT

SITE = {"gather": {"sources": [{"kind": "website", "url": "http://x.example/"}]}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**SITE, "tune": {"epocs": 3}}, "tune.epocs: unknown; did you mean epochs?"),
        ({"gater": {}}, "gater: unknown; did you mean gather?"),
        ({"name": "x"}, "gather: required and missing"),
        ({"gather": {"sources": [{"kind": "website", "url": "x", "max_pags": 3}]}}, "did you mean max_pages?"),
        ({**SITE, "prepare": {"clean": [{"kind": "near", "treshold": 1}]}}, "did you mean threshold?"),
        ({**SITE, "tune": {"rank": "many"}}, "tune.rank: input should be a valid integer"),
    ],
)
def test_a_wrong_key_is_one_line_that_names_it(values, message):
    with pytest.raises(RecipeError) as caught:
        recipes.parse(Recipe, values, "x.yaml")
    assert str(caught.value).startswith("x.yaml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_of_other_tools_are_read(capsys):
    read = recipes.parse(Recipe, {**SITE, "tune": {"lora_r": 8, "num_epochs": 2}}, "x.yaml")
    assert (read.tune.rank, read.tune.epochs) == (8, 2)
    assert "lora_r is read as rank" in capsys.readouterr().err


def test_set_reaches_sections_and_lists():
    values = recipes.override(
        {"gather": {"sources": [{"kind": "dataset", "path": "a"}]}}, ["gather.sources.0.limit=5", "tune.epochs=0.5"]
    )
    assert values == {"gather": {"sources": [{"kind": "dataset", "path": "a", "limit": 5}]}, "tune": {"epochs": 0.5}}


@pytest.mark.parametrize("setting", ["tune.rank", "gather.sources.7.limit=1", "name.x=1"])
def test_a_wrong_setting_is_refused(setting):
    with pytest.raises(UserError, match="--set"):
        recipes.override({"name": "x", "gather": {"sources": [{}]}}, [setting])


def test_every_recipe_in_the_house_is_valid():
    found = sorted((ROOT / "recipes").glob("*.yaml"))
    kinds = [Pretrain if "corpus" in recipes.read_yaml(path) else Recipe for path in found]
    assert [recipes.load(kind, path).name for kind, path in zip(kinds, found, strict=True)] == [p.stem for p in found]
    assert len(found) >= 4


def test_a_recipe_survives_being_written_and_read(tmp_path):
    first = recipes.parse(Recipe, SITE, "x")
    (tmp_path / "r.yaml").write_text(recipes.dump(first))
    assert recipes.load(Recipe, tmp_path / "r.yaml") == first


@pytest.mark.parametrize(
    ("target", "kind", "name"),
    [
        ("http://127.0.0.1:8123/docs/", "website", "127.0.0.1-8123"),
        (".", "documents", None),
        ("faq.csv", "dataset", "faq"),
    ],
)
def test_a_bare_target_becomes_a_recipe(target, kind, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faq.csv").write_text("question,answer\na,b\n")
    made = recipes.find(target)
    assert made.gather.sources[0].kind == kind
    assert made.name == (name or tmp_path.name)


def test_a_target_that_is_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="did you mean http"):
        recipes.find("example.com")


def test_a_packaged_recipe_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recipes.find("demo") == recipes.find("recipes/demo.yaml")


def test_every_option_is_explained():
    rows = recipes.options(Recipe)
    assert len(rows) > 60
    assert [key for key, _, meaning in rows if not meaning and not key.endswith("kind")] == []


def test_options_are_named_as_they_can_be_set(tmp_path):
    rows = {key: meaning for key, _, meaning in recipes.options(Recipe)}
    assert rows["gather.sources.0.max_pages"].startswith("(website) ")
    settings = ["gather.sources.0.max_pages=3", "prepare.pairs.0.kind=teacher", "prepare.pairs.0.pairs=2"]
    assert {setting.partition("=")[0] for setting in settings} <= set(rows)
    found = recipes.find("http://yard.example/", settings)
    assert (found.gather.sources[0].max_pages, found.prepare.pairs[0].pairs) == (3, 2)


def test_a_moved_folder_has_the_same_key(tmp_path):
    hashes = []
    for place in ("a", "b"):
        folder = tmp_path / place
        section = Documents(path=str(folder))
        hashes.append(recipes.content_hash(section, {str(folder): "same content"}))
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("foo: bar: baz", "foo: bar: baz"),
        ("Answer: yes", "Answer: yes"),
        ("", ""),
        ("{a: 1}", {"a": 1}),
        ("[1, 2]", [1, 2]),
    ],
)
def test_a_setting_is_text_unless_it_is_plainly_more(text, value):
    assert recipes.override({}, [f"system={text}"]) == {"system": value}


def test_paths_start_at_the_recipe_or_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = recipes.absolute_paths(
        {"a": [{"path": "~/faq.csv"}, {"path": "../x"}], "base": "./m"}, tmp_path / "recipes"
    )
    assert found == {"a": [{"path": f"{tmp_path}/faq.csv"}, {"path": f"{tmp_path}/x"}], "base": f"{tmp_path}/recipes/m"}


def test_a_models_file_starts_at_the_recipe_and_counts_with_its_content(tmp_path):
    (tmp_path / "teacher.gguf").write_bytes(b"weights")
    values = {"gather": {"sources": [{"kind": "documents", "path": "."}]},
              "prepare": {"pairs": [{"kind": "teacher", "model": "teacher.gguf"}]}}  # fmt: skip
    recipe = recipes.parse(Recipe, recipes.absolute_paths(values, tmp_path), "test")
    assert recipes.paths_in(recipe.prepare) == [tmp_path / "teacher.gguf"]
    values["prepare"]["pairs"][0]["model"] = "owner/name"
    assert recipes.paths_in(recipes.parse(Recipe, recipes.absolute_paths(values, tmp_path), "test").prepare) == []


def test_a_models_folder_is_a_path_also_where_it_reads_like_a_hub_id(tmp_path):
    (tmp_path / "models/z").mkdir(parents=True)
    (tmp_path / "models/z/config.json").write_text("{}")
    (tmp_path / "a.yaml").write_text(
        "gather: {sources: [{kind: documents, path: docs}]}\n"
        "evaluate: {bertscore_model: models/z, points: [base, {name: z, model: models/z}, {name: y, model: any/y}]}\n"
    )
    section = recipes.load(Recipe, tmp_path / "a.yaml").evaluate
    folder = str(tmp_path / "models/z")
    assert (section.bertscore_model, section.points[1].model, section.points[2].model) == (folder, folder, "any/y")
    assert recipes.paths_in(section).count(tmp_path / "models/z") == 2


def test_what_a_check_of_ours_says_stands_alone():
    with pytest.raises(UserError) as error:
        recipes.parse(Evaluate, {"points": ["tunned"]}, "recipe.yaml")
    assert str(error.value) == "recipe.yaml: points: 'tunned' is no point; did you mean tuned?"
