from pathlib import Path

import pytest

from gitopslab import settings
from gitopslab.cli.init import documented
from gitopslab.errors import SettingsError


def load(tmp_path: Path, text: str) -> settings.Settings:
    (tmp_path / "gitopslab.toml").write_text(text)
    return settings.load(tmp_path / "gitopslab.toml")


def test_without_a_file_there_are_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert settings.load().warehouse.path == tmp_path / "data" / "gitopslab.duckdb"


def test_the_variable_names_the_file_wherever_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("GITOPSLAB_CONFIG", str(tmp_path / "other.toml"))
    (tmp_path / "other.toml").write_text('[lake]\npath = "other"')

    assert settings.find() == tmp_path / "other.toml"
    assert settings.load().lake.path == str(tmp_path / "other")


def test_paths_count_from_the_folder_of_the_file(tmp_path):
    configured = load(
        tmp_path, '[lake]\npath = "lake"\n[warehouse]\npath = "w.duckdb"\n[reports]\npath = "/pages"\n'
    )

    assert configured.lake.path == str(tmp_path / "lake")
    assert configured.warehouse.path == tmp_path / "w.duckdb"
    assert configured.reports.path == Path("/pages")


def test_a_url_stays_as_it_is(tmp_path):
    assert load(tmp_path, '[lake]\npath = "s3://bucket/lake"\n').lake.path == "s3://bucket/lake"


def test_the_nearest_file_above_counts(tmp_path, monkeypatch):
    (tmp_path / "gitopslab.toml").write_text("")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")

    assert settings.find() == tmp_path / "gitopslab.toml"


def test_an_environment_variable_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("GITOPSLAB_LAKE__PATH", "/elsewhere")
    configured = load(tmp_path, '[lake]\npath = "lake"\n[privacy]\nemail_salt = "s"\n')

    assert configured.lake.path == "/elsewhere"
    assert configured.privacy.email_salt == "s"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lake\n", r"gitopslab\.toml: not TOML"),
        ("[lake]\npth = 'x'\n", r"unknown key lake\.pth; `gitopslab init --print` shows every key"),
        ("[[clusters]]\nrole = 'hub'\n", r"clusters\.0\.name: Field required"),
        ("[[clusters]]\nname = 'a'\nrole = 'boss'\n", r"clusters\.0\.role: Input should be 'hub' or 'spoke'"),
        ("[[clusters]]\nname = 'a'\n[[clusters]]\nname = 'a'\n", r"clusters: a given twice"),
        (
            "[[environments]]\nname = 'dev'\ncluster = 'x'\n",
            r"environment dev: no cluster 'x'; there are: none",
        ),
        (
            "[[lanes]]\nname = 'promoted'\nstages = ['sync']\n[[environments]]\nname = 'dev'\nlane = 'x'\n",
            r"environment dev: no lane 'x'; there are: promoted",
        ),
        (
            "[[lanes]]\nname = 'l'\nstages = ['fly']\n",
            r"lanes\.0\.stages\.0: Input should be 'commit', 'build'",
        ),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, message):
    with pytest.raises(SettingsError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize(
    "setting",
    [
        '[lake]\npath = "ftp://me:hunter2@host/lake"',
        '[[inventories]]\nname = "hub"\nurl = "https://me:hunter2@host/"',
        '[[prometheus]]\nname = "dev"\nurl = "https://me:hunter2/x@host/"',
        '[[tekton_results]]\ncluster = "dev"\nurl = "https://hunter2@host/"',
    ],
)
def test_a_credential_in_a_url_is_refused_without_saying_it(tmp_path, setting):
    with pytest.raises(SettingsError, match="out of the URL") as caught:
        load(tmp_path, setting)

    assert "hunter2" not in str(caught.value)


def test_a_port_and_a_path_with_an_at_sign_are_no_credential(tmp_path):
    url = "https://host:8443/inventory@v1"

    assert load(tmp_path, f'[[inventories]]\nname = "hub"\nurl = "{url}"').inventories[0].url == url


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.toml: no such file; `gitopslab init` writes one"):
        settings.load(tmp_path / "none.toml")


def test_the_documented_file_shows_every_key_and_is_in_force(tmp_path):
    plain, example = documented(), documented(example=True)

    for name, field in settings.Settings.model_fields.items():
        table = field.annotation.__args__[0] if hasattr(field.annotation, "__args__") else field.annotation
        for key in table.model_fields:
            section = plain.split(f"\n[{name}]\n" if f"\n[{name}]\n" in plain else f"\n# [[{name}]]\n")[1]
            assert f"{key} = " in section, (name, key)
    assert load(tmp_path, plain) == load(tmp_path, "")
    assert [c.name for c in load(tmp_path, example).clusters] == ["hub", "dev", "ryzen"]


@pytest.mark.parametrize(
    "web_url",
    [
        "javascript:alert(1)",
        "//example.org/app",
        "ftp://example.org/app",
        "https://",
        "https://me:hunter2@example.org/app",
        "https://example.org/app?token=hunter2",
        "https://example.org/a b",
        "https://example.org/app\\u202e",
    ],
)
def test_a_web_address_that_a_page_must_not_link_to_is_refused(web_url, tmp_path):
    text = f'[[repositories]]\nname = "app"\nweb_url = "{web_url}"\n'

    with pytest.raises(
        SettingsError, match=r"repositories\.0\.web_url: .*give an http or https URL"
    ) as refused:
        load(tmp_path, text)

    assert "hunter2" not in str(refused.value)


def test_a_repository_may_have_a_web_address(tmp_path):
    text = '[[repositories]]\nname = "app"\nweb_url = "https://git.example.org:8443/team/app"\n'

    assert load(tmp_path, text).repositories[0].web_url == "https://git.example.org:8443/team/app"
